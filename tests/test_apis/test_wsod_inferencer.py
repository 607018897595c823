"""Detectors on images: what the model is fed, and boxes in pixels of the image."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from wsl_plugins.apis import WSODInferencer
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.proposals.recipe import Recipe, propose

from mmdet.structures import DetDataSample

OICR, FCOS = 'oicr/oicr_demo.py', 'wend/wend_fcos_demo.py'


@pytest.fixture
def detector(trained):
    cfg, path, model = trained(OICR)
    return WSODInferencer(cfg, path, device='cpu', show_progress=False), model


def by_hand(model, image, boxes):
    """Detections of the demo's detector: shorter side 128, proposals of at least 32 pixels."""
    boxes = boxes[((boxes[:, 2:] - boxes[:, :2]) >= 32).all(axis=1)]
    resized = cv2.resize(image, (192, 128), interpolation=cv2.INTER_LINEAR)
    sample = DetDataSample(metainfo=dict(img_shape=(128, 192), ori_shape=(64, 96)))
    sample.set_metainfo(dict(scale_factor=(2.0, 2.0)))
    sample.proposals = InstanceData(bboxes=torch.from_numpy(boxes).float() * 2)
    inputs = torch.from_numpy(resized).permute(2, 0, 1)
    with torch.no_grad():
        (found,) = model.test_step(dict(inputs=[inputs], data_samples=[sample]))
    return found.pred_instances


def assert_same(prediction, expected):
    assert len(expected.scores) > 3
    for key in ('bboxes', 'scores', 'labels'):
        torch.testing.assert_close(torch.tensor(prediction[key]), getattr(expected, key))


def test_given_proposals(detector, image, image_file, boxes, tmp_path):
    infer, model = detector
    expected = by_hand(model, image, boxes)
    assert infer.model.dataset_meta['classes'][1] == 'star'
    assert 'LoadAnnotations' not in str(infer.pipeline)
    ProposalFile.from_images({'photo': boxes}).save(tmp_path / 'given.npz')
    for source, given in (
        (str(image_file), [boxes]),
        (image, boxes),
        (image_file, tmp_path / 'given.npz'),
    ):
        found = infer(source, proposals=given)
        assert found['visualization'] == []
        assert_same(found['predictions'][0], expected)


def test_every_image_has_its_own_proposals(detector, image, boxes):
    infer, model = detector
    images, given = [image, image[:, ::-1].copy(), image], [boxes[:3], boxes[1:], boxes]
    for batch_size in (1, 2):
        found = infer(images, batch_size=batch_size, proposals=given)['predictions']
        for picture, proposals, prediction in zip(images, given, found, strict=True):
            assert_same(prediction, by_hand(model, picture, proposals))


def test_proposals_are_computed(detector, image):
    """Without a proposal file, as tools/make_proposals.py does by default."""
    infer, model = detector
    boxes, _ = propose(image, Recipe('selective_search+edge_boxes', {}).proposer(), 0.05)
    boxes = boxes.astype(np.float32)
    (found,) = infer(image)['predictions']
    expected = by_hand(model, image, boxes)
    assert sorted(found['scores']) == pytest.approx(sorted(expected.scores.tolist()), rel=1e-4)
    assert sorted(infer.propose(image)['bboxes'].tolist()) == sorted(boxes.tolist())


def test_recipe(trained, image, boxes, tmp_path):
    """The one given comes first, then that of the data."""
    cfg, path, _ = trained(OICR)
    meta = dict(method='selective_search', mode='fast', min_side=40)
    ProposalFile.from_images({'a': boxes}, meta=meta).save(tmp_path / 'proposals.npz')
    for recipe, least in ((None, 40), (Recipe('selective_search', {}, 50), 50)):
        found = WSODInferencer(cfg, path, 'cpu', recipe).propose(image)['bboxes']
        assert len(found) and (found[:, 2:] - found[:, :2]).min() >= least


def test_image_without_proposals(detector, image):
    found = detector[0](image[:10, :10].copy())['predictions'][0]
    assert found == dict(labels=[], scores=[], bboxes=[])


def test_plain_detector_and_its_crop(trained, image):
    """Boxes come back through the crop: times 4 and 2, plus the crop's corner, clipped."""
    cfg, path, _ = trained(FCOS, crop, classes=None)
    infer = WSODInferencer(cfg, path, device='cpu', show_progress=False)
    assert infer.model.dataset_meta == dict(classes=('object',), palette=[(220, 20, 60)])
    big = cv2.resize(image, (384, 192))  # to 96 x 96, then 64 x 64 at (16, 16)
    inputs = cv2.resize(big, (96, 96), interpolation=cv2.INTER_LINEAR)[16:80, 16:80]
    sample = DetDataSample(metainfo=dict(img_shape=(64, 64), scale_factor=(1.0, 1.0)))
    sample.set_metainfo(dict(ori_shape=(64, 64)))
    data = dict(inputs=[torch.from_numpy(inputs.copy()).permute(2, 0, 1)], data_samples=[sample])
    with torch.no_grad():
        (expected,) = infer.model.test_step(data)
    expected = (expected.pred_instances.bboxes + 16) * torch.tensor([4.0, 2, 4, 2])
    expected = expected.clamp(min=0).minimum(torch.tensor([384.0, 192] * 2))
    found = torch.tensor(infer(big)['predictions'][0]['bboxes'])
    assert len(found) > 3
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-2)
    with pytest.raises(ValueError, match='proposals are given to a model that takes none'):
        infer(big, proposals=np.zeros((1, 4)))


def crop(cfg):
    steps = cfg.test_dataloader.dataset.pipeline
    steps.insert(2, dict(type='wsl_plugins.FixedCrop', crop_size=64))
    cfg.model.test_cfg.score_thr = 0.0


def test_colours_of_pictures(detector, image, image_file, boxes):
    """Red, blue and grey as they are, of files and of arrays."""
    infer, _ = detector
    for source in (image, str(image_file)):
        found = infer(source, proposals=[boxes], return_vis=True, pred_score_thr=1.0)
        (picture,) = found['visualization']
        np.testing.assert_array_equal(picture, image[..., ::-1])
    found = infer(image, proposals=[boxes], return_vis=True, pred_score_thr=0.0)
    assert (found['visualization'][0] != image[..., ::-1]).any()


def test_pseudo_boxes(detector, image, boxes):
    """The first branch of OICR: best proposal of each label by the MIL head, none taken twice."""
    infer, model = detector
    kept = boxes[:4]
    branches = infer.pseudo_boxes(image, ['wedge', 'star'], [boxes])
    assert len(branches) == 3
    scores = mil_scores(model, image, kept)
    star = int(scores[:, 1].argmax())
    wedge = max((n for n in range(4) if n != star), key=lambda n: float(scores[n, 4]))
    assert branches[0].labels.tolist() == [1, 4]
    np.testing.assert_array_equal(branches[0].bboxes, kept[[star, wedge]])
    torch.testing.assert_close(branches[0].scores, torch.stack([scores[star, 1], scores[wedge, 4]]))


def test_pseudo_boxes_of_sdcn_follow_its_prior(trained, image, boxes, monkeypatch):
    pytest.importorskip('mmpretrain')
    cfg, path, _ = trained('sdcn/sdcn_demo.py')
    infer = WSODInferencer(cfg, path, device='cpu', show_progress=False)
    prior = torch.full((4, 5), 1e-6)
    prior[2] = 1
    monkeypatch.setattr(infer.model, 'prior_of', lambda images, samples: prior)
    branches = infer.pseudo_boxes(image, ['star'], [boxes])
    np.testing.assert_array_equal(branches[0].bboxes, boxes[[2]])


def mil_scores(model, image, boxes):
    inputs = torch.from_numpy(cv2.resize(image, (192, 128))).permute(2, 0, 1)
    data = model.data_preprocessor(dict(inputs=[inputs], data_samples=None), False)
    rois = torch.cat([torch.zeros(len(boxes), 1), torch.from_numpy(boxes) * 2], dim=1)
    with torch.no_grad():
        feats = model.roi_head.roi_features(model.extract_feat(data['inputs']), rois)
        return model.roi_head.mil_head(feats, [len(boxes)])


def test_pseudo_boxes_that_cannot_be(detector, trained, image):
    with pytest.raises(ValueError, match=r"among the classes \['ring', .*\], got \['car'\]"):
        detector[0].pseudo_boxes(image, ['car'])
    with pytest.raises(ValueError, match=r'got \[\]'):
        detector[0].pseudo_boxes(image, [])
    cfg, path, _ = trained(FCOS)
    with pytest.raises(ValueError, match='need a detector with refinement branches'):
        WSODInferencer(cfg, path, device='cpu').pseudo_boxes(image, ['object'])


def test_unreadable_image_is_named(detector, tmp_path):
    (tmp_path / 'bad.jpg').write_text('no image')
    with pytest.raises(ValueError, match=r'bad\.jpg: cannot be read as an image'):
        detector[0](tmp_path / 'bad.jpg')
