"""Stands in for ``tools/train.py``: the same flags, folders and log records, no training.

The settings are ``fake`` of the config; score and loss follow the learning rate.
"""

import argparse
import json
import math
import os
import runpy
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument('config')
parser.add_argument('--work-dir', type=Path, required=True)
parser.add_argument('--resume', action='store_true')
parser.add_argument('--launcher', default='none')
args = parser.parse_args()
cfg = runpy.run_path(args.config)
fake, lr = cfg['fake'], cfg['optim_wrapper']['optimizer']['lr']
with open(fake['calls'], 'a') as calls:
    proxy = cfg['train_dataloader']['dataset']['proxy']
    call = dict(lr=lr, resume=args.resume, proxy=proxy, test='test_dataloader' in cfg)
    calls.write(json.dumps(dict(call, folder=str(args.work_dir), pid=os.getpid())) + '\n')
print('training', lr)
if lr < fake['fail_below']:
    sys.exit('CUDA out of memory')

log = args.work_dir / time.strftime('%Y%m%d_%H%M%S') / 'vis_data' / 'scalars.json'
log.parent.mkdir(parents=True, exist_ok=True)
note = args.work_dir / 'last_checkpoint'
first = 0
if args.resume:  # without a note (killed while it was written) from the checkpoints themselves
    names = [note.read_text()] if note.read_text() else map(str, args.work_dir.glob('epoch_*.pth'))
    first = max((int(Path(name).stem.split('_')[1]) for name in names), default=0)
name = cfg['log_processor']['custom_cfg'][-1]['log_name']
loss = math.nan if lr > 0.5 else 3.0 if lr > 0.1 else 0.5
hold = Path(fake['calls']).with_name('hold')  # from this epoch on, wait while the file is there
for epoch in range(first + 1, fake['epochs'] + 1):
    while hold.is_file() and epoch >= int(hold.read_text()):
        time.sleep(0.02)
    records = [
        dict(lr=lr, loss=9.0, epoch=epoch, iter=1, step=1)
        | {name: loss * (fake['epochs'] - epoch + 1)},
        {'wsol/MaxBoxAccV2': 50 + 10 * math.log10(lr) + epoch, 'data_time': 0.1, 'step': epoch},
    ]
    with open(log, 'a') as file:
        for record in records:
            file.write(json.dumps(record) + '\n')
    (args.work_dir / f'epoch_{epoch}.pth').write_text('weights')
    note.write_text(str(args.work_dir / f'epoch_{epoch}.pth'))
