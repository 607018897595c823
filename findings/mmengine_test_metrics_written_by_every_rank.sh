#!/usr/bin/env bash
# mmengine's LoggerHook writes the metrics of a test into WORK_DIR/TIMESTAMP/TIMESTAMP.json from
# every process of a distributed run, without a lock: TIMESTAMP is that of the first process. The
# records hold each process' own times, so their lengths differ, and where two write at once the end
# of the longer record stays behind the shorter one: `{...}9}`, which is no JSON.
#
# What one expects: the first process writes, as it alone does with checkpoints, config and scalars.
# Who meets it: anyone who tests with several processes and reads the file; rarely with two fast
# ones, and more often with many processes on a network drive.
#
# The case makes the race certain: both processes have opened the file before the first one writes,
# and the second one writes after it. Nothing else of mmengine is changed.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, gloo, two processes on a CPU:
#   onedl-mmengine 0.10.12: opened by ranks 0 1 and the file is {"time": 0.25}456789875}
#   onedl-mmengine 0.10.12: JSONDecodeError: Extra data
#   mmengine 0.10.7: opened by ranks 0 1 and the file is {"time": 0.25}456789875}
#   mmengine 0.10.7: JSONDecodeError: Extra data
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/case.py" <<'PYTHON'
import builtins
import json
import sys
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.hooks import LoggerHook
from mmengine.logging import MMLogger

RECORDS = ({'time': 0.123456789875}, {'time': 0.25})  # what the log processor of each rank gives


def work(rank, folder):
    store, wait = dist.FileStore(f'{folder}/store', 2), timedelta(seconds=60)
    dist.init_process_group('gloo', store=store, rank=rank, world_size=2, timeout=wait)
    real_open = builtins.open

    def open_both(path, *args, **kwargs):
        file = real_open(path, *args, **kwargs)
        if str(path).endswith('.json'):
            real_open(f'{folder}/opened_by_{rank}', 'w').close()
            dist.barrier()  # both have opened it
            if rank == 1:
                dist.barrier()  # rank 0 has written
        return file

    builtins.open = open_both
    runner = SimpleNamespace(
        work_dir=folder, log_dir=folder, timestamp='metrics', test_dataloader=[],
        logger=MMLogger.get_instance('case', log_level='ERROR'),
        log_processor=SimpleNamespace(get_log_after_epoch=lambda *_, **__: (RECORDS[rank], '')))
    hook = LoggerHook()
    hook.before_run(runner)
    hook.after_test_epoch(runner)
    if rank == 0:
        dist.barrier()
    dist.barrier()
    dist.destroy_process_group()


if __name__ == '__main__':
    folder, package = Path(sys.argv[1]), sys.argv[2]
    name = f'{package} {version(package)}'
    print('Python', sys.version.split()[0], 'torch', torch.__version__)
    mp.spawn(work, (sys.argv[1],), 2)
    ranks = sorted(path.name[-1] for path in folder.glob('opened_by_*'))
    text = (folder / 'metrics.json').read_text()
    print(f'{name}: opened by ranks', *ranks, 'and the file is', text)
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        print(f'{name}: JSONDecodeError: {error.msg}')
    else:
        sys.exit('mmengine has changed')
PYTHON
python3 -m venv "$folder/venv"
pip() { "$folder/venv/bin/pip" --quiet --disable-pip-version-check "$@"; }
pip install torch==2.11.0 numpy==2.2.6
for package in onedl-mmengine==0.10.12 mmengine==0.10.7; do
    pip install "$package"
    pip uninstall --yes opencv-python
    pip install opencv-python-headless==4.12.0.88
    mkdir "$folder/$package"
    OMP_NUM_THREADS=1 "$folder/venv/bin/python" "$folder/case.py" "$folder/$package" "${package%==*}"
    pip uninstall --yes "${package%==*}"
done
