"""What counts as an image to run on."""

import cv2
import numpy as np
import pytest

from wsl_plugins.apis.images import list_images, picture_names, read_image, write_picture


def test_order_of_files_folders_and_arrays(tmp_path, image):
    folder = tmp_path / 'folder'
    (folder / 'below').mkdir(parents=True)
    for name in ('b.JPG', 'a.png', 'notes.txt', 'below/c.png'):
        (folder / name).touch()
    (tmp_path / 'z').touch()  # the suffix of a file that is named does not matter
    found = list_images([tmp_path / 'z', image, str(folder)])
    assert found[0] == str(tmp_path / 'z') and found[1] is image
    assert found[2:] == [str(folder / 'a.png'), str(folder / 'b.JPG')]
    assert list_images(str(tmp_path / 'z')) == [str(tmp_path / 'z')]
    assert list_images(image)[0] is image


def test_nothing_to_list(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.png: no such image or folder'):
        list_images([tmp_path / 'none.png'])
    with pytest.raises(ValueError, match=f'{tmp_path}: no images found'):
        list_images(tmp_path)
    with pytest.raises(ValueError, match='no images given'):
        list_images([])


def test_read(image_file, image, tmp_path):
    np.testing.assert_array_equal(read_image(str(image_file)), image)
    assert read_image(image) is image
    cv2.imwrite(str(tmp_path / 'grey.png'), image[..., 0])
    assert read_image(tmp_path / 'grey.png').shape == image.shape


def test_unreadable(tmp_path, image):
    (tmp_path / 'text.jpg').write_text('no image')
    with pytest.raises(ValueError, match=r'text\.jpg: cannot be read as an image'):
        read_image(tmp_path / 'text.jpg')
    for bad in (image[..., 0], image[..., :2], image / 255, image[:0]):
        with pytest.raises(ValueError, match=r'must be \(H, W, 3\) uint8 BGR, got'):
            read_image(bad)


def test_names_of_pictures():
    images = ['a/1.png', 'b/2', 'c/3.JPG', 'd/4.gif']
    names = ['1.png', '2.jpg', '3.JPG', '4.gif.jpg']
    assert picture_names(images) == dict(zip(images, names, strict=True))
    with pytest.raises(ValueError, match=r'two images would be drawn as 1\.png: a/1\.png and b/1'):
        picture_names(['a/1.png', 'c.png', 'b/1.png'])


def test_picture_is_written_as_rgb(tmp_path, image):
    write_picture(image[..., ::-1], tmp_path / 'new' / 'a.png')
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'new' / 'a.png')), image)
    assert [p.name for p in (tmp_path / 'new').iterdir()] == ['a.png']
