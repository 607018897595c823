#!/usr/bin/env bash
# open_memmap writes a shape that holds a NumPy integer as text that numpy.load cannot read: the file
# is made without a word, is of the right size, and is refused when it is opened again.
#
# What one expects: a shape computed with NumPy (len times a number out of an array, offsets[-1]) is
# as good as one of Python's integers, as it is for numpy.zeros and numpy.save; or it is refused at once.
# Who meets it: who preallocates a large file of features or embeddings and fills it for hours; the
# array that open_memmap returned works all the time, only the next process cannot open it. NumPy 1
# wrote "3" where NumPy 2 writes "np.int64(3)", as its scalars are printed since then.
#
# Seen on 2026-11-30 with Python 3.11:
#   numpy 1.26.4: (3, 2) -> (3, 2)
#   numpy 2.2.6: ValueError malformed node or string
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/case.py" <<'PYTHON'
import sys

import numpy as np

path, rows = sys.argv[1], np.array([1, 3])[-1]
array = np.lib.format.open_memmap(path, 'w+', np.float32, (rows, 2))
array[:] = 1
array.flush()
np.save(path + '.saved.npy', np.zeros((rows, 2)))
assert np.load(path + '.saved.npy').shape == (3, 2)
try:
    found = str(np.load(path).shape)
except ValueError as error:
    found = f'ValueError {str(error).split(" on line")[0]}'
print(f'numpy {np.__version__}: {found}')
assert (found == '(3, 2)') == (np.__version__ < '2'), found
PYTHON
for version in 1.26.4 2.2.6; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "numpy==$version"
    "$folder/$version/bin/python" "$folder/case.py" "$folder/$version.npy"
done
