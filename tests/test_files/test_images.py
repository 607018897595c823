"""Finding images."""

import pytest

from wsl_plugins.files.images import find_images


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / 'my images'
    folder.mkdir()
    for name in ('b.jpg', 'a.PNG', 'c.jpeg', 'notes.txt'):
        (folder / name).touch()
    return folder


def test_folder(folder):
    expected = {'a': folder / 'a.PNG', 'b': folder / 'b.jpg', 'c': folder / 'c.jpeg'}
    assert find_images(folder) == (expected, 0)
    assert list(find_images(folder)[0]) == ['a', 'b', 'c']


def test_list_is_relative_to_itself(folder):
    (folder.parent / 'list.txt').write_text(f'my images/c.jpeg\n\n{folder}/a.PNG\n')
    found, _ = find_images(folder.parent / 'list.txt')
    assert found == {'a': folder / 'a.PNG', 'c': folder / 'c.jpeg'}


def test_ids_file(folder, tmp_path):
    ids = tmp_path / 'train.txt'
    ids.write_text('c\na\n')
    assert list(find_images(folder, ids)[0]) == ['a', 'c']
    ids.write_text('a\nx\ny\n')
    with pytest.raises(FileNotFoundError, match="2 of 3 images of .*train.txt .*the first: 'x'"):
        find_images(folder, ids)


def test_errors_name_the_culprit(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match='none: neither a folder'):
        find_images(tmp_path / 'none')
    (tmp_path / 'list.txt').write_text('missing.jpg\n')
    with pytest.raises(FileNotFoundError, match='missing.jpg: no such image .*list.txt'):
        find_images(tmp_path / 'list.txt')
    (folder / 'a.jpg').touch()
    with pytest.raises(ValueError, match="same name 'a': .*a.(PNG|jpg) and .*a.(PNG|jpg)"):
        find_images(folder)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='empty: no images found'):
        find_images(tmp_path / 'empty')
