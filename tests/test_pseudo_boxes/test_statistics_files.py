"""Statistics as files: what comes back, and what is refused."""

import numpy as np
import pytest

from wsl_plugins.files.jobs import check_same_job
from wsl_plugins.files.writing import write_json
from wsl_plugins.pseudo_boxes.ddt import DDTStatistics
from wsl_plugins.pseudo_boxes.statistics_files import (
    check_statistics_job,
    load_groups,
    load_statistics,
    save_statistics,
)


def statistics(mean=(1.0, 2.0, 3.0), component=(0.6, 0.0, 0.8)):
    return DDTStatistics(np.array(mean), np.array(component), 0.25, 7)


def test_there_and_back(tmp_path):
    save_statistics(tmp_path, 'class_0', statistics())
    save_statistics(tmp_path, 'class_1', statistics(mean=(4.0, 5.0, 6.0)))
    found = load_groups(tmp_path, ['class_1', 'class_0'], 3)
    assert list(found) == ['class_1', 'class_0']
    assert found['class_0'].mean.tolist() == [1, 2, 3]
    assert found['class_0'].component.tolist() == [0.6, 0, 0.8]
    assert found['class_0'][2:] == (0.25, 7) and found['class_1'].mean.tolist() == [4, 5, 6]


def test_statistics_that_cannot_be_used(tmp_path):
    save_statistics(tmp_path, 'a', statistics())
    with pytest.raises(ValueError, match=r'a.npz: mean must be 4 finite numbers, got shape \(3,\)'):
        load_statistics(tmp_path, 'a', 4)
    save_statistics(tmp_path, 'a', statistics(component=(0.0, np.nan, 1.0)))
    with pytest.raises(ValueError, match='a.npz: component must be 3 finite numbers'):
        load_statistics(tmp_path, 'a', 3)
    np.savez(tmp_path / 'a.npz', mean=np.zeros(3))
    with pytest.raises(ValueError, match='a.npz: no DDT statistics: .*component'):
        load_statistics(tmp_path, 'a', 3)
    with pytest.raises(FileNotFoundError, match="b.npz: no DDT statistics of 'b'"):
        load_statistics(tmp_path, 'b', 3)


def test_the_job_must_name_everything(tmp_path):
    """A job that does not say something is another job; what it says besides does not matter."""
    job = dict(layer='conv', input_size=32)
    check_same_job(tmp_path, job, dict(job, more=1), 'remedy')
    with pytest.raises(ValueError, match='input_size: found None, asked 32; remedy'):
        check_same_job(tmp_path, job, dict(layer='conv'), 'remedy')
    write_json(tmp_path / 'job.json', dict(layer='conv'))
    with pytest.raises(ValueError, match='job.json was made otherwise: input_size: found None'):
        check_statistics_job(tmp_path, job)
    with pytest.raises(FileNotFoundError, match='job.json: no such file'):
        check_statistics_job(tmp_path / 'none', job)
