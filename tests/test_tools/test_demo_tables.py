"""Tables of tools/demo_methods.py and tools/demo_sdcn.py."""

import runpy
from pathlib import Path

TOOL = Path(__file__).parents[2] / 'tools' / 'demo.py'


def test_mean_and_spread_of_what_was_measured():
    nan = float('nan')
    rows = {
        'a': [dict(mAP=50.0, mIoU=nan), dict(mAP=53.0, mIoU=nan)],
        'b': [dict(mAP=nan, mIoU=1.0), dict(mAP=20.0, mIoU=3.0)],
    }
    lines = runpy.run_path(str(TOOL))['table_of_seeds'](rows).splitlines()
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    assert cells[0] == ['2 seeds', 'mAP', 'mIoU']
    assert cells[2:] == [['a', '51.5 ± 2.1', ''], ['b', '20.0', '2.0 ± 1.4']]
