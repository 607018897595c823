"""Processes without proposals, classes or objects beside others with them: nobody waits for ever.

Wrapped and optimised as the configs say. ``worker.py`` kills what hangs.
"""

import pytest

METHODS = (
    'wsddn oicr pcl mist mist_drop alternating sdcn wend_fcos bcd_fcos entropy_fcos '
    'wend_faster_rcnn wend_cln wend_deformable_detr cutmix spg trilite'
).split()


@pytest.mark.slow
def test_nobody_waits(run_worker, tmp_path):
    status, output = run_worker(tmp_path, ['empty'], (2, 4), METHODS)
    assert status == 0, output[-3000:]
    ended = [line.split()[0] for line in output.splitlines() if line.endswith(' ended')]
    assert set(ended) >= set(METHODS)


@pytest.mark.slow
def test_a_process_that_waits_is_killed(run_worker, tmp_path):
    """Otherwise the test above could not fail but would hang."""
    status, output = run_worker(tmp_path, ['hang'], [2])
    assert status == 1
    assert output.endswith('hang, 2 processes: failed [0, 1], of these hanging [0, 1]\n')
