"""What an ONNX file says about itself."""

import json
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS

import wsl_plugins
from wsl_plugins.export.graph import ExportError, Graph

DEFAULT_SIZE = 320, 416
GEOMETRY = 'Resize', 'Crop', 'Pad'
DISTRIBUTIONS = 'torch', 'torchvision', 'onnx', 'onnxruntime'


def steps_of(pipeline: Any) -> Iterator[tuple[str, dict]]:
    """Name, without scope, and config of every step of a pipeline, also inside of others."""
    if isinstance(pipeline, dict):
        kind = pipeline.get('type')
        if kind is not None:
            yield (kind if isinstance(kind, str) else kind.__name__).split('.')[-1], pipeline
        pipeline = list(pipeline.values())
    if isinstance(pipeline, (list, tuple)):
        for part in pipeline:
            yield from steps_of(part)


def example_size(cfg: Config) -> tuple[int, int]:
    """(height, width) that the test pipeline makes of all images, else 320 x 416.

    Raises:
        ExportError: the pipeline normalises, which then is not part of the model.
    """
    size = DEFAULT_SIZE
    for name, step in steps_of(cfg.test_dataloader.dataset.pipeline):
        if name == 'Normalize':
            raise ExportError(
                'the test pipeline has Normalize, so that the model would be exported without '
                'normalisation: mean and std belong into data_preprocessor'
            )
        given = step.get('crop_size') or step.get('scale')
        if name.endswith('Crop') and isinstance(given, int):
            size = given, given
        elif name in ('Resize', 'CenterCrop', 'FixedCrop') and not step.get('keep_ratio'):
            if isinstance(given, (list, tuple)):
                size = int(given[1]), int(given[0])
    return size


def class_names(cfg: Config, graph: Graph) -> list[str] | None:
    """Of the checkpoint, else of the config, else of the data set; None if nobody knows them."""
    dataset = cfg.test_dataloader.dataset
    known = (getattr(graph.model, 'dataset_meta', None) or {}).get('classes')
    known = known or (dataset.get('metainfo') or {}).get('classes')
    if not known:
        known = getattr(DATASETS.get(dataset.type), 'METAINFO', {}).get('classes')
    return list(known) if isinstance(known, (list, tuple)) else None


def properties(cfg: Config, graph: Graph) -> dict[str, str]:
    """``metadata_props`` of the file; values that are not plain text are JSON.

    Args:
        cfg: with a ``test_dataloader``.
        graph: of the model of the config.
    """
    geometry = [
        dict(type=name) | {k: v for k, v in step.items() if k != 'type'}
        for name, step in steps_of(cfg.test_dataloader.dataset.pipeline)
        if any(word in name for word in GEOMETRY)
    ]
    hosts = 'mmengine', 'mmcv', 'mmdet', 'mmpretrain'
    versions = dict(wsl_plugins=wsl_plugins.__version__)
    versions |= {name: metadata.version(name) for name in DISTRIBUTIONS}
    versions |= {name: __import__(name).__version__ for name in hosts[:3]}
    texts = dict(
        model=type(graph.model).__name__,
        classes=json.dumps(class_names(cfg, graph)),
        image='RGB, uint8, (N, 3, H, W), resized and cropped as test_pipeline says; normalisation, '
        'order of channels and padding are in the graph',
        normalisation=json.dumps(
            dict(
                mean=graph.mean.flatten().tolist(),
                std=graph.std.flatten().tolist(),
                channels='RGB' if graph.sees_rgb else 'BGR',
                pad_size_divisor=graph.divisor,
            )
        ),
        test_pipeline=json.dumps(geometry, default=str),
        versions=json.dumps(versions),
    )
    if 'rois' in graph.inputs:
        texts['rois'] = 'xyxy pixels of image, float32, (R, 4), R at least 1'
    return texts
