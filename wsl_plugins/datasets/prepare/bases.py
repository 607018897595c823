"""Configs that a prepared one inherits from."""

from typing import NamedTuple

SCRATCH = 'none'
LITE0 = 'efficientnet-lite0'
OWN_BASE = (SCRATCH, LITE0)  # other weights are those of a ResNet-18


class Base(NamedTuple):
    """A config to inherit from.

    Attributes:
        config (str): Its name.
        seen (int): Images that its training sees: epochs x images.
        epochs (int): Its epochs, the fewest.
        scale (int): Shorter side of its test images; those of training are 0.7 to 1.15 of it.
        most (int): The largest such scale that is chosen.
        object_side (int): Least side of an object at the input, in pixels, that it can use.
        cell (int): Least side of a proposal at the input, in pixels, where no boxes are known.
        one_view (bool): Training images have one scale, that of the test images.
        proposals (int): Proposals of highest score that its training takes. With more of them, or
            only larger ones than ``cell``, it detects worse, whatever the objects are
            (docs/own_data.md). 0: no such limit is known.
    """

    config: str
    seen: int
    epochs: int
    scale: int = 0
    most: int = 0
    object_side: int = 0
    cell: int = 0
    one_view: bool = False
    proposals: int = 0


# by method and weights; None: those of a ResNet-18
BASES = {
    ('oicr', None): Base('oicr/oicr_r18_voc07-train600.py', 6000, 10, 320, 512, 24, 16),
    ('oicr', LITE0): Base(
        'oicr/oicr_lite0-context_voc07-train.py', 4800, 8, 480, 768, 48, 48, True, 200
    ),
    ('oicr', SCRATCH): Base('oicr/oicr_demo.py', 2400, 12, 128, 320, 16, 4),
    ('mist', None): Base('mist/mist_r18_voc07-train600_no-drop.py', 6000, 10, 320, 512, 24, 16),
    ('mist', LITE0): Base(
        'mist/mist_lite0-levels_voc07-train_no-drop.py', 4800, 4, 480, 768, 24, 24, one_view=True
    ),
    ('mist', SCRATCH): Base('mist/mist_demo_no-drop.py', 2400, 12, 128, 320, 16, 4),
    ('cam', None): Base('wsol/cam/cam_resnet18_cub27.py', 6750, 10),
    ('cam', LITE0): Base('wsol/cam/cam_lite0_cub27.py', 3375, 5),
    ('cam', SCRATCH): Base('wsol/cam/cam_demo.py', 3000, 10),
}
