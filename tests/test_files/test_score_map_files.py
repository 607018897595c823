"""Which map belongs to which image, and what a map may hold, in every reader of score maps."""

import numpy as np
import pytest

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, write_wsol_metadata

SIZE = (90, 60)


@pytest.fixture
def readers(tool, tmp_path):
    """Messages of both readers of the maps in ``maps``, which must end alike."""

    def read(ids, *options):
        boxes = {i: np.array([[5, 5, 30, 30]]) for i in ids}
        folder = tmp_path / 'metadata/test'
        folder.mkdir(parents=True)
        write_wsol_metadata(
            WSOLMetadata(folder, ids, dict.fromkeys(ids, 0), dict.fromkeys(ids, SIZE), boxes)
        )
        common = ['--metadata-root', folder.parent, '--split', 'test']
        out = tmp_path / 'boxes.json'
        cam = tool(
            'make_pseudo_boxes', 'cam', tmp_path / 'maps', '--threshold', 0.2, *common, '--out', out
        )
        score = tool('eval_score_maps', tmp_path / 'maps', *common, *options)
        assert out.exists() == (cam[0] == 0)
        assert cam[0] == score[0]
        return cam[1], score[1]

    return read


def write_map(path, value=None, dtype=np.float32):
    path.parent.mkdir(parents=True, exist_ok=True)
    score_map = np.zeros((224, 224), dtype)
    score_map[30:120, 30:120] = 0.8 if value is None else value
    np.save(path, score_map)


# names of files, ids, words of the error
SHARED = {
    'suffixes': (['a/b', 'a/c'], ['a/b.jpg', 'a/b.png', 'a/c.jpg'], ['a/b.jpg and a/b.png']),
    'one-of-its-own': (['b', 'b.png'], ['b.jpg', 'b.png', 'b.JPEG'], ['b.jpg and b.JPEG']),
    'dots': (['v1'], ['v1.5', 'v1.6'], ['no score map for 2 of 2 images: v1.5, v1.6']),
}


@pytest.mark.parametrize('name', SHARED)
def test_every_image_has_its_own_map(readers, tmp_path, name):
    files, ids, words = SHARED[name]
    for file in files:
        write_map(tmp_path / f'maps/{file}.npy')
    for message in readers(ids):
        assert all(word in message for word in words), message


def test_names_that_differ(readers, tmp_path):
    """By suffix, by what looks like one, by folder: each map is found."""
    ids = ['b.jpg', 'b.png', 'v1.5', 'v1.6', 'd/v1.5', 'd/b.jpg', 'e.f.JPG']
    for file in ('b.jpg', 'b.png', 'v1.5', 'v1.6', 'd/v1.5', 'd/b', 'e.f'):
        write_map(tmp_path / f'maps/{file}.npy')
    made, scored = readers(ids)
    assert '7 boxes of 7 images' in made and '7 images with boxes' in scored


@pytest.mark.parametrize('options', [[], ['--resize']])
@pytest.mark.parametrize(('dtype', 'top'), [(np.float16, 1.001), (np.float32, 1.0000001)])
def test_rounding_is_no_other_scale(readers, tmp_path, dtype, top, options):
    """Also where maps may be normalised, one that reaches 1 but for rounding stays as it is."""
    write_map(tmp_path / 'maps/a.jpg.npy', top, dtype)
    made, scored = readers(['a.jpg'], *options)
    assert 'brought to' not in scored
