"""Proposals of a SAM with random weights, and the command."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from wsl_plugins.files.masks import boxes_of_masks
from wsl_plugins.proposals import ProposalFile
from wsl_plugins.proposals.recipe import Recipe

pytest.importorskip('transformers', reason='make test-sam runs these')
TOOL = Path(__file__).parents[2] / 'tools' / 'make_proposals.py'


def make_sam(folder: Path) -> Path:
    """A folder of ``save_pretrained``."""
    from transformers import (
        SamConfig,
        SamMaskDecoderConfig,
        SamModel,
        SamPromptEncoderConfig,
        SamVisionConfig,
    )

    side = dict(image_size=64, patch_size=8)
    vision = SamVisionConfig(
        hidden_size=16, output_channels=32, num_pos_feats=16, num_hidden_layers=2,
        num_attention_heads=2, mlp_dim=32, window_size=4, global_attn_indexes=[1], **side,
    )  # fmt: skip
    config = SamConfig(
        vision_config=vision.to_dict(),
        prompt_encoder_config=SamPromptEncoderConfig(hidden_size=32, **side).to_dict(),
        mask_decoder_config=SamMaskDecoderConfig(
            hidden_size=32, num_attention_heads=2, mlp_dim=32, iou_head_hidden_dim=16
        ).to_dict(),
    )
    torch.manual_seed(0)
    model = SamModel(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.8)
    model.save_pretrained(folder)
    return folder


def draw(seed):
    noise = np.random.default_rng(seed).integers(0, 255, (5, 6, 3), dtype=np.uint8)
    return cv2.resize(noise, (48, 40))


@pytest.fixture(scope='module')
def sam_folder(tmp_path_factory):
    return make_sam(tmp_path_factory.mktemp('sam'))


@pytest.fixture(scope='module')
def sam(sam_folder):
    options = dict(checkpoint=sam_folder, device='cpu', min_iou=0, min_stability=0.5)
    return Recipe('sam', options).proposer()


def test_sam_boxes_are_those_of_the_masks(sam, sam_folder):
    """Against the boxes of transformers, which end on the last pixel."""
    from transformers import SamImageProcessor, SamModel, pipeline

    model = SamModel.from_pretrained(sam_folder, local_files_only=True)
    processor = SamImageProcessor(size=dict(longest_edge=64), pad_size=dict(height=64, width=64))
    generate = pipeline('mask-generation', model=model, image_processor=processor, device='cpu')
    image = Image.fromarray(draw(0)[..., ::-1])
    options = dict(pred_iou_thresh=0, stability_score_thresh=0.5, output_bboxes_mask=True)
    found = generate(image, **options)
    boxes, scores = sam(draw(0))
    assert len(boxes) and boxes.tolist() == boxes_of_masks(found['masks']).tolist()
    ends = found['bounding_boxes'].numpy() + [0, 0, 1, 1]
    real = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    assert real.any() and boxes[real].tolist() == ends[real].tolist()
    assert scores.tolist() == found['scores'].tolist() and scores.dtype == np.float32


@pytest.mark.parametrize('size', [(1, 300), (300, 1), (3, 40), (4, 900), (1, 1)])
def test_sam_of_images_that_are_too_thin(sam, size):
    boxes, scores = sam(np.zeros((*size, 3), np.uint8))
    assert boxes.shape == (0, 4) and scores.shape == (0,)


def test_sam_command_without_a_network(sam_folder, tmp_path):
    """Nothing may be asked of the network; with a preprocessor's config the same boxes."""
    (tmp_path / 'images').mkdir()
    cv2.imwrite(str(tmp_path / 'images/0.png'), draw(0))
    (tmp_path / 'sitecustomize.py').write_text(
        'import socket\n'
        'def refuse(*args): raise SystemExit("the network was asked")\n'
        'socket.socket.connect = socket.getaddrinfo = refuse\n'
    )
    options = ['--device', 'cpu', '--min-iou', '0', '--min-stability', '0.5', '--workers', '1']
    command = [sys.executable, TOOL, tmp_path / 'images', '--method', 'sam', *options]
    out = tmp_path / 'sam.npz'
    done = subprocess.run(
        [*command, '--checkpoint', sam_folder / 'model.safetensors', '--out', out],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': f'{tmp_path}:{TOOL.parents[1]}'},
    )
    assert done.returncode == 0, done.stderr
    meta = ProposalFile.load(out).meta
    assert meta['images'] == 1 and meta['transformers'] and len(meta['model_sha256']) == 64


def test_sam_that_is_none(sam_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    def make(**options):
        return Recipe('sam', dict(device='cpu', **options)).proposer()

    with pytest.raises(FileNotFoundError, match='facebook/sam-vit-base: no such folder or file'):
        make(checkpoint='facebook/sam-vit-base')
    with pytest.raises(FileNotFoundError, match=r'needs config\.json and model\.safetensors or'):
        make(checkpoint=tmp_path)
    with pytest.raises(ValueError, match=r'min_iou must be in \[0, 1\), got 1'):
        make(checkpoint=sam_folder, min_iou=1)
    config = (sam_folder / 'config.json').read_text()
    (tmp_path / 'config.json').write_text(config)
    weights = load_file(sam_folder / 'model.safetensors')
    del weights['mask_decoder.iou_token.weight']
    save_file(weights, tmp_path / 'model.safetensors', metadata=dict(format='pt'))
    with pytest.raises(ValueError, match=r'safetensors: lacks 1 weight: mask_decoder\.iou_token'):
        make(checkpoint=tmp_path)
    weights = load_file(sam_folder / 'model.safetensors')
    weights['mask_decoder.iou_token.weight'][:] = torch.nan
    save_file(weights, tmp_path / 'model.safetensors', metadata=dict(format='pt'))
    with pytest.raises(ValueError, match=r'not finite: 1 weight: mask_decoder\.iou_token\.weight'):
        make(checkpoint=tmp_path)
    (tmp_path / 'model.safetensors').write_bytes(b'no weights')
    with pytest.raises(ValueError, match=r'model\.safetensors: no weights of SAM: '):
        make(checkpoint=tmp_path)
    (tmp_path / 'config.json').write_text(
        config.replace('"model_type": "sam"', '"model_type": "bert"')
    )
    with pytest.raises(ValueError, match="its config is of 'bert', not of sam"):
        make(checkpoint=tmp_path / 'model.safetensors')
