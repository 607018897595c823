"""What was written of a prepared data set."""

from collections import Counter
from dataclasses import dataclass, field

from wsl_plugins.datasets.prepare.assessment import Assessment


@dataclass
class Prepared:
    """What was written.

    Attributes:
        classes (dict[str, tuple[int, int]]): Training and test images of each class.
        images (tuple[int, int]): Training and test images.
        assessment (Assessment): What to expect and what to do.
        proposals (int): Boxes of the proposals, 0 for a localizer.
        without (tuple[int, int]): Training and test images without a proposal.
        corloc (bool): Whether a config measures CorLoc: training images have boxes.
        left_out (Counter): What was left out, and how often.
        noted (Counter): What else was seen in the annotations, and how often.
    """

    classes: dict[str, tuple[int, int]]
    images: tuple[int, int]
    assessment: Assessment
    proposals: int = 0
    without: tuple[int, int] = (0, 0)
    corloc: bool = False
    left_out: Counter = field(default_factory=Counter)
    noted: Counter = field(default_factory=Counter)
