#!/usr/bin/env bash
# `import mmpretrain.models` fails beside transformers 5, that of the original mmpretrain 1.2.0 also
# beside 4.57.6: "TypeError: NoneType takes no arguments". In
# models/multimodal/blip/language_model.py a bare except around the imports from transformers makes
# every name None if one is gone (find_pruneable_heads_and_indices left transformers in version 5,
# and transformers.modeling_utils, where 1.2.0 looks for it, before), and then
# `class BertPreTrainedModel(PreTrainedModel)` is met with None. The message names neither library.
#
# What one expects: the multimodal models are left out, as they are where transformers or pycocotools
# is not installed; or the ImportError that was swallowed.
# Who meets it: whoever has pycocotools (mmdet needs it) and installs transformers for something else
# beside mmpretrain; classifiers and backbones fail as well. The extra `multimodal` of
# onedl-mmpretrain asks for transformers<5; without the extra nothing does.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, onedl-mmcv 2.3.6, pycocotools 2.0.11:
#   transformers 5.24.0: onedl-mmpretrain 1.3.6 TypeError, mmpretrain 1.2.0 TypeError
#   transformers 4.57.6: onedl-mmpretrain 1.3.6 imported, mmpretrain 1.2.0 TypeError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/tmp"
python3 -m venv "$folder/venv"
install() {
    TMPDIR="$folder/tmp" "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "$@"
}
install torch==2.11.0 torchvision==0.26.0 numpy==2.2.6 onedl-mmengine==0.10.12 onedl-mmcv==2.3.6 \
    onedl-mmpretrain==1.3.6 pycocotools==2.0.11 opencv-python==4.12.0.88
install --no-deps --target "$folder/original" mmpretrain==1.2.0
cat > "$folder/case.py" <<'PYTHON'
import os
import subprocess
import sys
from importlib.metadata import version

FOLDER, *EXPECTED = sys.argv[1:]


def end_of_import(name, path=''):
    done = subprocess.run(
        [sys.executable, '-c', 'import mmpretrain.models'],
        env={**os.environ, 'PYTHONPATH': path},
        capture_output=True,
        text=True,
    )
    end = done.stderr.strip().splitlines()[-1] if done.returncode else 'imported'
    print(f'transformers {version("transformers")}, {name}: {end}')
    return end.partition(':')[0]


found = [
    end_of_import('onedl-mmpretrain 1.3.6'),
    end_of_import('mmpretrain 1.2.0', f'{FOLDER}/original'),
]
assert found == EXPECTED, 'it has changed'
PYTHON
try_with() {
    install "transformers==$1"
    "$folder/venv/bin/python" "$folder/case.py" "$folder" "${@:2}"
}
try_with 5.24.0 TypeError TypeError
try_with 4.57.6 imported TypeError
