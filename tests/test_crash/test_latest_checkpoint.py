"""Which checkpoint ``--resume`` takes, and how a torn one is told from a complete one."""

import os

import pytest
import torch

from wsl_plugins.engine.resuming import latest_complete_checkpoint, what_is_damaged


@pytest.fixture
def folder(tmp_path):
    """epoch_1.pth to epoch_3.pth, the last one noted; and the old epoch_9.pth of another run."""
    for age, epoch in enumerate((9, 1, 2, 3)):
        path = tmp_path / f'epoch_{epoch}.pth'
        torch.save(dict(state_dict=dict(weight=torch.full((1000,), epoch))), path)
        os.utime(path, (1000 + age, 1000 + age))
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    return tmp_path


def names(folder):
    path, passed = latest_complete_checkpoint(folder)
    return path and os.path.relpath(path, folder), [os.path.relpath(p, folder) for p in passed]


def test_the_noted_one(folder):
    assert names(folder) == ('epoch_3.pth', [])
    (folder / 'last_checkpoint').write_text(f'{folder}/epoch_2.pth\n')
    assert names(folder) == ('epoch_2.pth', [])


@pytest.mark.parametrize('share', [0, 0.1, 0.5, 0.99])
def test_a_torn_one_is_passed_over(folder, share):
    path = folder / 'epoch_3.pth'
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    found, passed = names(folder)
    assert found == 'epoch_2.pth' and len(passed) == 1
    assert passed[0].startswith('epoch_3.pth: damaged: ')


def test_changed_bytes_are_seen(folder):
    path = folder / 'epoch_3.pth'
    content = bytearray(path.read_bytes())
    at = content.find(torch.full((1000,), 3).numpy().tobytes())
    assert at > 0
    content[at + 500] ^= 1
    path.write_bytes(content)
    assert 'check sum of ' in what_is_damaged(path)
    assert names(folder)[0] == 'epoch_2.pth'


def test_the_noted_one_is_gone(folder):
    """As with ``max_keep_ckpts=1``: removed before the next one is written."""
    (folder / 'epoch_3.pth').unlink()
    assert names(folder) == ('epoch_2.pth', ['epoch_3.pth: no such file'])


@pytest.mark.parametrize('note', [None, '', 'epo'])
def test_a_note_that_tells_nothing(folder, note):
    path = folder / 'last_checkpoint'
    path.unlink() if note is None else path.write_text(note)
    assert names(folder)[0] == 'epoch_3.pth'


def test_nothing_to_resume(folder, tmp_path):
    for path in folder.glob('*.pth'):
        times = path.stat().st_mtime, path.stat().st_mtime
        path.write_bytes(b'PK\x03\x04 torn')
        os.utime(path, times)
    found, passed = names(folder)
    assert found is None
    assert [line.split(':')[0] for line in passed] == [f'epoch_{n}.pth' for n in (3, 2, 1, 9)]
    assert latest_complete_checkpoint(tmp_path / 'none') == (None, [])


def test_a_folder_that_was_moved(folder, tmp_path):
    moved = folder.rename(tmp_path.with_name(f'{tmp_path.name}_moved'))
    assert names(moved) == ('epoch_3.pth', [])


def test_checkpoints_in_another_folder(folder, tmp_path):
    """``CheckpointHook(out_dir=...)``: the note alone lies in the work folder."""
    work_dir = tmp_path / 'work'
    work_dir.mkdir()
    (work_dir / 'last_checkpoint').write_text(str(folder / 'epoch_3.pth'))
    assert latest_complete_checkpoint(work_dir) == (str(folder / 'epoch_3.pth'), [])
    (folder / 'epoch_3.pth').write_bytes(b'')
    assert latest_complete_checkpoint(work_dir)[0] == str(folder / 'epoch_2.pth')
    (work_dir / 'last_checkpoint').write_text('s3://bucket/epoch_3.pth')
    assert latest_complete_checkpoint(work_dir) == ('s3://bucket/epoch_3.pth', [])


def test_iterations_and_folders(tmp_path):
    torch.save({}, tmp_path / 'iter_100.pth')
    assert names(tmp_path) == ('iter_100.pth', [])
    (tmp_path / 'epoch_1.pth').mkdir()  # DeepSpeed
    assert what_is_damaged(tmp_path / 'epoch_1.pth') is None
