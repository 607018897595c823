"""Images in batches: their order, how far they are read ahead, what is said of broken ones."""

import cv2
import numpy as np
import pytest
import torch

from wsl_plugins.pseudo_boxes.image_batches import AHEAD, read_batches, read_image, with_progress


@pytest.fixture
def paths(tmp_path):
    """Eight images of 6 x 4 pixels, one colour each; the sixth is no image."""
    paths = {f'{n}.png': tmp_path / f'{n}.png' for n in range(8)}
    for n, path in enumerate(paths.values()):
        cv2.imwrite(str(path), np.full((4, 6, 3), (n, 10 * n, 20 * n), np.uint8))
    paths['5.png'].write_bytes(b'no image')
    return paths


def test_image_is_squeezed_to_a_square(tmp_path):
    image = np.zeros((40, 20, 3), np.uint8)  # 20 x 40 pixels
    image[10:20, :] = (1, 2, 3)  # blue, green, red
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    tensor, size = read_image(tmp_path / 'a.png', 20, (20, 40))
    assert size == (20, 40) and tensor.shape == (3, 20, 20) and tensor.dtype == torch.uint8
    for channel, value in enumerate((1, 2, 3)):
        expected = torch.zeros(20, 20, dtype=torch.uint8)
        expected[5:10] = value
        assert torch.equal(tensor[channel], expected)
    assert read_image(tmp_path / 'a.png', 20, (40, 20)) == (
        'is 20 x 40 pixels, its metadata say 40 x 20'
    )


@pytest.mark.parametrize('workers', [1, 5])
def test_batches_in_order(paths, workers):
    ids = list(paths)
    batches = [ids[:3], ids[3:4], ids[5:6], ids[4:8], ids[:3]]
    found = list(read_batches(batches, paths, 8, {}, workers))
    good = [[i for i in batch if i != '5.png'] for batch in batches]
    assert [batch.ids for batch in found] == good and good[2] == []
    for batch in found:
        values = [int(i[0]) for i in batch.ids]
        if values:
            assert batch.images[:, :, 0, 0].tolist() == [[n, 10 * n, 20 * n] for n in values]
            assert batch.images.shape == (len(values), 3, 8, 8)
        assert batch.sizes == [(6, 4)] * len(values)
        assert (batch.images is None) == (not values)
    assert [list(batch.broken) for batch in found] == [[], [], ['5.png'], ['5.png'], []]


def test_few_batches_are_read_ahead(paths):
    taken = []

    def many():
        for _ in range(50):
            taken.append(1)
            yield ['0.png', '1.png']

    stream = read_batches(many(), paths, 8, {}, 2)
    for done in range(1, 6):
        next(stream)
        assert len(taken) == done + AHEAD <= done + 2


def test_progress_counts_every_image(paths, capsys):
    batches = [list(paths)[:4], list(paths)[4:]]
    found = list(with_progress(read_batches(batches, paths, 8, {}, 1), 8))
    assert [len(batch.ids) for batch in found] == [4, 3]
    assert '8/8' in capsys.readouterr().err
