"""Edge boxes (Zitnick and Dollar, ECCV 2014) of OpenCV."""

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from wsl_plugins.proposals.gradient_edges import gradient_edges
from wsl_plugins.proposals.opencv import require_ximgproc


class EdgeBoxes:
    """Boxes that wholly contain many contours, with a score each.

    Edges are gradients of the colours (:func:`.gradient_edges`), or come from a structured forest
    (Dollar and Zitnick, ICCV 2013) read from a model file, for example
    ``testdata/cv/ximgproc/model.yml.gz`` of github.com/opencv/opencv_extra. Other settings are
    OpenCV's defaults.

    Args:
        model: The model file. Default: none, gradients.
        max_boxes: At most this many boxes an image. Default: 2000.

    Raises:
        FileNotFoundError: No such model file.
        ValueError: The file is no edge model, or max_boxes < 1.
        ImportError: OpenCV has no contrib modules.

    Example:
        >>> boxes, scores = EdgeBoxes()(cv2.imread('photos/d0/a.jpg'))
    """

    def __init__(self, model: str | Path | None = None, max_boxes: int = 2000) -> None:
        if max_boxes < 1:
            raise ValueError(f'max_boxes must be at least 1, got {max_boxes}')
        ximgproc = require_ximgproc()
        self._forest: Any = None  # of OpenCV
        self.max_boxes = max_boxes
        if model is None:
            self.parameters = {'max_boxes': max_boxes, 'edges': 'gradient'}
            return
        model = Path(model)
        if not model.is_file():
            raise FileNotFoundError(f'{model}: no such edge model')
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
        self.parameters = {'max_boxes': max_boxes, 'model_sha256': digest}
        _check_model(model)
        self._forest = ximgproc.createStructuredEdgeDetection(str(model))

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes of an image.

        Args:
            image: (H, W, 3) uint8, BGR.

        Returns:
            (R, 4) int32 xyxy pixels (x2, y2 exclusive) and (R,) float32 scores.
        """
        if self._forest is None:
            thin, orientation = gradient_edges(image)
        else:
            rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.float32) / 255
            edges = self._forest.detectEdges(rgb)
            orientation = self._forest.computeOrientation(edges)
            thin = self._forest.edgesNms(edges, orientation)
        return boxes_from_edges(thin, orientation, self.max_boxes)


def _check_model(model: Path) -> None:
    """OpenCV divides by the number of trees it reads: on any other file it would crash."""
    try:
        storage = cv2.FileStorage(str(model), cv2.FileStorage_READ)
        trees = storage.getNode('options').getNode('numberOfTrees')
        valid = trees.isInt() and trees.real() > 0
    except (cv2.error, SystemError):
        valid = False
    if not valid:
        raise ValueError(f'{model}: not a structured edge model of OpenCV (.yml or .yml.gz)')


def boxes_from_edges(
    edges: np.ndarray, orientation: np.ndarray, max_boxes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Edge boxes of a thinned edge map.

    Args:
        edges: (H, W) float32 edge strength in [0, 1], thinned.
        orientation: (H, W) float32 edge orientation, radians in [0, pi).
        max_boxes: At most this many boxes.

    Returns:
        (R, 4) int32 xyxy pixels (x2, y2 exclusive) and (R,) float32 scores.
    """
    finder = require_ximgproc().createEdgeBoxes()
    finder.setMaxBoxes(max_boxes)
    boxes, scores = finder.getBoundingBoxes(edges, orientation)
    boxes = np.asarray(boxes, dtype=np.int32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    # Without boxes OpenCV still gives one score, NaN, or none at all.
    scores = np.zeros(0) if scores is None else np.asarray(scores)
    return boxes, scores.astype(np.float32).reshape(-1)[: len(boxes)]
