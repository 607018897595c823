"""Localizers on images: class, heat map and box in pixels of the image."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from wsl_plugins.apis import WSOLInferencer
from wsl_plugins.apis.localization import draw_localization, localization

from mmpretrain.structures import DataSample

CAM, PSOL = 'wsol/cam/cam_demo.py', 'psol/psol_demo.py'


def sample(score_map=None, scores=None, box=None, **meta):
    found = DataSample(metainfo=meta)
    if score_map is not None:
        found.score_map = torch.from_numpy(score_map)
    if scores is not None:
        found.set_pred_score(torch.tensor(scores))
    if box is not None:
        found.pred_box = torch.tensor(box)
    return found


def two_parts():
    """A map of 224 x 224 pixels: 15 x 40 pixels of 2, 30 x 10 of 3, 0 elsewhere."""
    score_map = np.zeros((224, 224))
    score_map[100:115, 20:60] = 2
    score_map[180:210, 200:210] = 3
    return score_map


@pytest.mark.parametrize(
    ('threshold', 'box'),
    [(0.2, [40, 50, 120, 57.5]), (0.66, [40, 50, 120, 57.5]), (2 / 3, [400, 90, 420, 105])],
)
def test_box_of_the_largest_part(threshold, box):
    """In an image of 448 x 112 pixels: x times 2, y divided by 2, outwards to whole pixels."""
    found = localization(sample(two_parts()), (448, 112), threshold)
    expected = [np.floor(box[0]), np.floor(box[1]), np.ceil(box[2]), np.ceil(box[3])]
    assert found['bbox'] == expected
    np.testing.assert_allclose(found['heat_map'], two_parts() / 3)
    assert set(found) == {'bbox', 'heat_map'}


def test_threshold_is_the_mean_of_the_map():
    """Rows of 1, 2, 3 and 10, of a height of 56 each: mean 4, in [0, 1] 1 / 3."""
    score_map = np.repeat([[1.0], [2.0], [3.0], [10.0]], 56, axis=0).repeat(224, axis=1)
    assert localization(sample(score_map), (40, 40))['bbox'] == [0, 30, 40, 40]
    score_map[112:168] = 5  # mean 4.5, and of the rows two are above
    assert localization(sample(score_map), (40, 40))['bbox'] == [0, 20, 40, 40]


def test_constant_map_is_the_whole_image():
    found = localization(sample(np.ones((7, 7))), (30, 20))
    assert found['bbox'] == [0, 0, 30, 20] and not found['heat_map'].any()


def test_class():
    found = localization(sample(scores=[0.25, 0.5, 0.25]), (9, 9), classes=('a', 'b', 'c'))
    scores = [0.25, 0.5, 0.25]
    assert found == dict(pred_label=1, pred_score=0.5, pred_scores=scores, pred_class='b')
    assert 'pred_class' not in localization(sample(scores=scores), (9, 9))


def test_regressed_box_comes_before_that_of_the_map():
    found = localization(sample(two_parts(), box=[1.0, 2.0, 3.5, 4.0]), (448, 112))
    assert found['bbox'] == [1, 2, 3.5, 4] and 'heat_map' in found


def test_what_cannot_be_located():
    for threshold in (-0.1, 1.0):
        with pytest.raises(ValueError, match=rf'in \[0, 1\), got {threshold}'):
            localization(sample(two_parts()), (9, 9), threshold)
        with pytest.raises(ValueError, match=rf'in \[0, 1\), got {threshold}'):
            localization(sample(box=[1.0, 2.0, 3.5, 4.0]), (9, 9), threshold)
    for without, why in (
        (sample(two_parts(), box=[1.0, 2.0, 3.5, 4.0]), 'boxes of this model are regressed'),
        (sample(scores=[0.1, 0.9]), 'this model gives no heat map'),
    ):
        with pytest.raises(ValueError, match=f'threshold 0.3 has no effect: {why}'):
            localization(without, (9, 9), 0.3)
    with pytest.raises(ValueError, match='the score map is that of a crop'):
        localization(sample(two_parts(), crop_offset=(0, 0)), (9, 9))


def test_picture():
    image = np.full((112, 448, 3), 100, np.uint8)
    found = localization(sample(two_parts(), scores=[0.1, 0.9]), (448, 112))
    picture = draw_localization(image, found)
    assert picture.shape == (22 + 112, 448, 3)
    assert (picture[:22] < 128).any()  # the text
    picture = picture[22:]
    assert picture[50, 80].tolist() == [255, 255, 255]  # the box: its upper side
    assert picture[56, 40].tolist() == [255, 255, 255]  # and its left one
    hot, cold = picture[97, 410].astype(int), picture[10, 10].astype(int)
    # red of the colour map is (128, 0, 0), blue (0, 0, 128); half of it and half of 100
    np.testing.assert_allclose(hot, [114, 50, 50], atol=1)
    np.testing.assert_allclose(cold, [50, 50, 114], atol=1)
    del found['pred_label'], found['heat_map']
    picture = draw_localization(image[:, :100], found)
    assert picture.shape == (112 * 3, 300, 3)  # enlarged to 240 pixels at least; no class
    assert picture[10, 290].tolist() == [100, 100, 100]


def cam_by_hand(model, image):
    """Probabilities, and the map of the best class: its weights times the features."""
    rgb = Image.fromarray(image[..., ::-1]).resize((96, 96), Image.Resampling.BILINEAR)
    inputs = torch.from_numpy(np.array(rgb)).permute(2, 0, 1)
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    inputs = (inputs - mean[:, None, None]) / std[:, None, None]
    with torch.no_grad():
        feats = model.backbone(inputs[None])[-1][0]
    weight, bias = dict(model.head.named_parameters()).values()
    weight = weight.detach().flatten(1)
    scores = (weight @ feats.mean(dim=(1, 2)) + bias.detach()).softmax(dim=0)
    label = int(scores.argmax())
    return scores, sum(weight[label, k] * feats[k] for k in range(len(feats)))


def test_cam(trained, image, image_file):
    cfg, path, model = trained(CAM)
    infer = WSOLInferencer(cfg, path, device='cpu', show_progress=False)
    scores, score_map = cam_by_hand(model, image)
    other = image[:50, ::-1].copy()
    found = infer([image, str(image_file), other], batch_size=2, threshold=0.4, return_vis=True)
    for prediction, picture in zip(found['predictions'], found['visualization'], strict=True):
        assert (
            prediction['pred_class']
            == ('ring', 'star', 'cross', 'checker', 'wedge')[prediction['pred_label']]
        )
        assert picture.shape[1] == 96 * 3
    for prediction in found['predictions'][:2]:
        np.testing.assert_allclose(prediction['pred_scores'], scores, rtol=1e-4)
        assert prediction['pred_label'] == int(scores.argmax())
        large = cv2.resize(score_map.double().numpy(), (224, 224), interpolation=cv2.INTER_CUBIC)
        heat = (large - large.min()) / (large.max() - large.min())
        np.testing.assert_allclose(prediction['heat_map'], heat, atol=1e-3)
        _, _, parts, _ = cv2.connectedComponentsWithStats((heat > 0.4).astype(np.uint8))
        x, y, width, height, _ = max(parts[1:], key=lambda part: part[4])
        box = np.array([x, y, x + width, y + height]) * [96, 64, 96, 64] / 224
        np.testing.assert_array_equal(prediction['bbox'], np.ceil(box))
    (default,) = infer(image)['predictions']
    (mean,) = infer(image, threshold=default['heat_map'].mean())['predictions']
    assert default['bbox'] == mean['bbox'] != found['predictions'][0]['bbox']
    scores, _ = cam_by_hand(model, other)
    np.testing.assert_allclose(found['predictions'][2]['pred_scores'], scores, rtol=1e-4)
    samples = infer(image, return_datasamples=True)
    assert samples['predictions'][0].score_map.shape == score_map.shape
    assert samples['visualization'] == []


def test_psol_box_through_resize_and_crop(trained, image):
    """A head that always says the same box: x, y, w, h over the crop of 64 at (16, 16)."""

    def joint_with_crop(cfg):
        cfg.model.head.update(type='wsl_plugins.JointBoxHead', num_classes=5)
        cfg.test_dataloader.dataset.pipeline.insert(
            2, dict(type='wsl_plugins.FixedCrop', crop_size=64)
        )

    cfg, path, model = trained(PSOL, joint_with_crop)
    box = torch.tensor([0.25, 0.5, 0.5, 0.25])
    state = model.state_dict()
    last = [key for key in state if key.startswith('head.regressor')][-2:]
    state[last[0]].zero_()
    state[last[1]].copy_(box.logit())
    torch.save(state, path)
    infer = WSOLInferencer(cfg, path, device='cpu', show_progress=False)
    (found,) = infer(image)['predictions']
    # x: (16 + 64 * (0.25 .. 0.75)) * 96 / 96; y: (16 + 64 * (0.5 .. 0.75)) * 64 / 96
    np.testing.assert_allclose(found['bbox'], [32, 32, 64, 128 / 3], atol=1e-4)
    assert 'heat_map' not in found
    assert len(found['pred_scores']) == 5 and 'pred_class' not in found  # plain weights: no names


def test_progress_bar(trained, image, capsys):
    cfg, path, _ = trained(PSOL)
    for show in (True, False):
        WSOLInferencer(cfg, path, device='cpu', show_progress=show)([image, image])
        assert ('Inference' in capsys.readouterr().out) == show
