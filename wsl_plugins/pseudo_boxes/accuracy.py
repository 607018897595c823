"""How right pseudo boxes are, where the objects are known."""

from collections import defaultdict
from os.path import splitext
from typing import NamedTuple

from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.proposals.ground_truth import Objects
from wsl_plugins.structures.box_iou import box_ious


class BoxAccuracy(NamedTuple):
    """Numbers of boxes, of those that find an object, and of objects, over all classes.

    Example:
        >>> found = BoxAccuracy(boxes=8, right=6, objects=12)
        >>> found.precision, found.recall
        (0.75, 0.5)
    """

    boxes: int
    right: int
    objects: int

    @property
    def precision(self) -> float:
        """Share of the boxes that find an object, NaN without boxes."""
        return self.right / self.boxes if self.boxes else float('nan')

    @property
    def recall(self) -> float:
        """Share of the objects that are found."""
        return self.right / self.objects


def box_accuracy(
    pseudo: PseudoBoxFile, objects: dict[str, Objects], iou_thr: float = 0.5
) -> BoxAccuracy:
    """Boxes against objects of their class, as VOC's evaluation matches detections.

    A box is right if the object of its class with which its IoU is highest has at least
    ``iou_thr``; of several boxes of one object one is right.

    Args:
        pseudo: Boxes in pixels of the original images.
        objects: By image id without suffix; difficult objects count like others where they are
            among them. Only the images of ``pseudo`` are looked at.
        iou_thr: Default 0.5.

    Raises:
        ValueError: An image of the pseudo boxes is not among the objects, their images have no
            object, or no object has one of their classes.

    Example:
        >>> objects = {'1': Objects(np.array([[0, 0, 9, 9], [20, 0, 29, 9]]), ['cat', 'cat'])}
        >>> rows = {'1.jpg': [(np.array([0, 0, 9, 8]), 0, 0.5)]}
        >>> pseudo = PseudoBoxFile.from_rows({'1.jpg': (40, 40)}, rows, {0: 'cat'}, {})
        >>> found = box_accuracy(pseudo, objects)
        >>> found.precision, found.recall
        (1.0, 0.5)
    """
    boxes = right = wanted = 0
    for image_id in pseudo.boxes:
        image = objects.get(splitext(image_id)[0])
        if image is None:
            raise ValueError(f'image {image_id!r} is not among the {len(objects)} with objects')
        own = defaultdict(list)
        for place, name in enumerate(image.classes):
            own[name].append(place)
        names = [pseudo.classes[label] for label in pseudo.labels[image_id].tolist()]
        for name in own.keys() | set(names):
            mine = [place for place, other in enumerate(names) if other == name]
            boxes, wanted = boxes + len(mine), wanted + len(own[name])
            if mine and own[name]:
                ious = box_ious(pseudo.boxes[image_id][mine], image.boxes[own[name]])
                right += len(set(ious.argmax(axis=1)[ious.max(axis=1) >= iou_thr].tolist()))
    if not wanted:
        raise ValueError('the images of the pseudo boxes have no object')
    if not {name for image in objects.values() for name in image.classes} & set(
        pseudo.classes.values()
    ):
        raise ValueError(f'no object is of one of the classes {sorted(pseudo.classes.values())}')
    return BoxAccuracy(boxes, right, wanted)
