"""The config of a prepared data set: a short file that inherits from those of this repository."""

import os
from pathlib import Path
from pprint import pformat

from wsl_plugins.config_names import PREFIX
from wsl_plugins.datasets.prepare.bases import OWN_BASE, SCRATCH
from wsl_plugins.datasets.prepare.choices import Choices
from wsl_plugins.datasets.prepare.templates import (
    ACCURACY,
    BOX_METRICS,
    CORLOC,
    COSINE,
    DETECTOR,
    DETECTOR_CLASSES,
    DETECTOR_PRETRAINED,
    EVALUATION_BOXES,
    EVALUATION_LABELS,
    HEAD,
    LOCALIZER,
    SCALE,
    SCALES,
    STEPS,
    TEST_BOXES,
    TEST_LABELS,
)


def config_text(
    choices: Choices,
    folder: Path,
    configs: Path,
    classes: list[str],
    images: tuple[int, int],
    boxes: bool,
    weights: str,
) -> str:
    """Text of the config.

    Args:
        choices (Choices): Method, input and epochs.
        folder (Path): Where the config will lie, beside the prepared data.
        configs (Path): Folder of the configs of this repository. The base is named by a relative
            path if ``folder`` lies in the repository, by ``wsl_plugins::`` if they are those of an
            installed wheel, else by an absolute path.
        classes (list[str]): Names of the classes.
        images (tuple[int, int]): Number of training and of test images.
        boxes (bool): Whether the test images have boxes.
        weights (str): 'efficientnet-lite0'; or checkpoint of a ResNet-18 with torchvision's names,
            a path or address; or 'none': the small network for generated images, from scratch.
    """
    named = weights in OWN_BASE  # the base has these weights
    name = choices.base.config
    base = (configs / name).resolve()
    if configs.resolve().parent.name == '.mim':
        base = PREFIX + name
    elif folder.resolve().is_relative_to(base.parents[len(Path(name).parts)]):
        base = os.path.relpath(base, folder.resolve())
    text = HEAD.substitute(
        train=images[0],
        test=images[1],
        count=len(classes),
        base=repr(str(base)),
        classes=pformat(tuple(classes), width=90, compact=True),
        epochs=choices.epochs,
    )
    if choices.method != 'cam':
        tiles = choices.test_scale // choices.scale
        one_view = choices.base.one_view
        text += (SCALE if one_view else SCALES).substitute(
            scales=choices.scale if one_view else list(choices.scales),
            test_scale=choices.test_scale,
            min_side=choices.min_side,
            max_num=choices.max_num or 'None  # tests take all, the training as many as the base',
            train_num=', max_num=max_num' if choices.max_num else '',
            test_num=f'{tiles**2} * max_num' if tiles > 1 and choices.max_num else 'max_num',
            tta_scales=f'[{tiles} * side for side in scales]' if tiles > 1 else 'scales',
        )
        return text + DETECTOR.substitute(
            test_mode=TEST_BOXES if boxes else TEST_LABELS,
            evaluation=EVALUATION_BOXES if boxes else EVALUATION_LABELS,
            model=DETECTOR_CLASSES
            if named
            else DETECTOR_PRETRAINED.substitute(weights=repr(weights)),
            schedule=COSINE if weights == SCRATCH else STEPS,
        )
    pretrained = f'dict(type="Pretrained", checkpoint={weights!r})'.replace('"', "'")
    return text + LOCALIZER.substitute(
        require=repr('boxes' if boxes else None),
        metrics=BOX_METRICS * boxes + ACCURACY,
        backbone='' if named else f'\n    backbone=dict(init_cfg={pretrained}),\n    ',
    )


def corloc_text(name: str, choices: Choices) -> str:
    """Text of the config that measures CorLoc; ``name`` is that of the detector's config."""
    return CORLOC.substitute(name=name, scale=choices.scale)
