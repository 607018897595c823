"""Stands in for ``tools/test.py``: the same flags and result file."""

import argparse
import json
import math
import runpy
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument('config')
parser.add_argument('checkpoint', type=Path)
parser.add_argument('--work-dir', type=Path, required=True)
args = parser.parse_args()
cfg = runpy.run_path(args.config)
assert cfg['test_dataloader']['dataset']['split'] == 'test' and args.checkpoint.is_file()
with open(cfg['fake']['calls'], 'a') as calls:
    calls.write(json.dumps(dict(tested=str(args.checkpoint))) + '\n')
if cfg['fake'].get('fail_test'):
    sys.exit('no space left')
now = time.strftime('%Y%m%d_%H%M%S')
(args.work_dir / now).mkdir(parents=True)
score = 40 - 10 * math.log10(
    cfg['optim_wrapper']['optimizer']['lr']
)  # the ranking is turned around
(args.work_dir / now / f'{now}.json').write_text(json.dumps({'wsol/MaxBoxAccV2': score}))
