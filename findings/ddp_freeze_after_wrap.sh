#!/usr/bin/env bash
# A layer that is frozen after DistributedDataParallel has wrapped the model makes the first step
# wrong without a message: the other parameters of its bucket keep the gradients of their own
# process, and the processes drift apart. Only the second step raises.
#
# What one expects: an error at the first backward pass, or averaged gradients of what still learns.
# Who meets it: mmcv's VGG freezes its `frozen_stages` in train(), and mmengine's Runner wraps before
# it calls train(); a training of one step per epoch or a loss that is looked at after one step shows
# nothing.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, gloo, two processes on a CPU:
#   frozen after wrapping: step 1: no error, gradients NOT EQUAL
#   frozen after wrapping: step 2: Expected to have finished reduction in the prior iteration before
#     starting a new one
#   frozen before wrapping: step 1: no error, gradients equal
#   frozen before wrapping: step 2: no error
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def work(rank, folder, frozen_first):
    store = dist.FileStore(f'{folder}/store{frozen_first}', 2)
    dist.init_process_group('gloo', store=store, rank=rank, world_size=2)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 1))
    model[0].requires_grad_(not frozen_first)
    ddp = torch.nn.parallel.DistributedDataParallel(model)
    model[0].requires_grad_(False)
    images = torch.full((2, 4), float(rank + 1))
    ddp(images).sum().backward()
    grads = [torch.zeros(1, 4), torch.zeros(1, 4)]
    dist.all_gather(grads, model[1].weight.grad)
    equal = torch.equal(*grads)
    try:
        ddp(images).sum().backward()
        second = 'no error'
    except RuntimeError as error:
        second = str(error).split('.')[0]
    if rank == 0:
        when = 'before' if frozen_first else 'after'
        print(f'frozen {when} wrapping: step 1: no error, gradients', 'equal' if equal else 'NOT EQUAL')
        print(f'frozen {when} wrapping: step 2: {second}')
    assert equal == frozen_first and (second == 'no error') == frozen_first, 'it has changed'
    dist.destroy_process_group()


if __name__ == '__main__':
    print('Python', sys.version.split()[0], 'torch', torch.__version__)
    for frozen_first in (False, True):
        mp.spawn(work, (sys.argv[1], frozen_first), 2)
PYTHON
OMP_NUM_THREADS=1 "$folder/venv/bin/python" "$folder/case.py" "$folder"
