"""From the data sample of a localizer to plain numbers, and to a picture."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from wsl_plugins.evaluation.functional.score_maps import resize_score_map
from wsl_plugins.pseudo_boxes.components import (
    above_threshold,
    check_threshold,
    component_box,
)

from mmpretrain.structures import DataSample

_BAR = 22  # height of the line of text, pixels
_MIN_WIDTH = 240


def localization(
    sample: DataSample,
    image_size: tuple[int, int],
    threshold: float | None = None,
    classes: Sequence[str] | None = None,
) -> dict:
    """What a localizer says about an image.

    Args:
        sample: Prediction with any of ``pred_score`` (C,), ``score_map`` (h, w) and ``pred_box``
            (4,) xyxy pixels of the original image.
        image_size: (width, height) of the original image.
        threshold: Pixels of the heat map above it belong to the object; in [0, 1). Default None:
            the mean of the map.
        classes: Names of the classes.

    Returns:
        As far as the sample knows: ``pred_label``, ``pred_score``, ``pred_scores`` (list of C) and
        ``pred_class``; ``heat_map`` (224, 224) float64 in [0, 1] over the whole image, as the
        metrics see it; ``bbox``, list xyxy pixels of the original image, exclusive ends: that of a
        box regression, else around the largest part of the heat map above the threshold, as
        ``tools/make_pseudo_boxes.py cam`` does it (the whole image if the map is constant).

    Raises:
        ValueError: ``threshold`` is out of range or without effect (regressed boxes, no heat map),
            or a score map is that of a crop.

    Example:
        >>> sample = DataSample().set_pred_score(torch.tensor([0.1, 0.9]))
        >>> localization(sample, (64, 48), classes=('cat', 'dog'))['pred_class']
        'dog'
    """
    check_threshold(threshold)
    if threshold is not None and 'pred_box' in sample:
        raise ValueError(f'threshold {threshold} has no effect: boxes of this model are regressed')
    if threshold is not None and 'score_map' not in sample:
        raise ValueError(f'threshold {threshold} has no effect: this model gives no heat map')
    found: dict = {}
    if 'pred_score' in sample:
        scores = sample.pred_score.tolist()
        label = int(np.argmax(scores))
        found |= dict(pred_label=label, pred_score=scores[label], pred_scores=scores)
        if classes is not None:
            found['pred_class'] = classes[label]
    if 'score_map' in sample:
        if sample.get('crop_offset') is not None:
            raise ValueError('the score map is that of a crop: let the test pipeline only resize')
        found['heat_map'] = resize_score_map(sample.score_map.detach().double().cpu().numpy())
    if 'pred_box' in sample:
        found['bbox'] = torch.as_tensor(sample.pred_box).double().tolist()
    elif 'heat_map' in found:
        box, _ = component_box(above_threshold(found['heat_map'], threshold), image_size)
        found['bbox'] = box.tolist()
    return found


def draw_localization(image: np.ndarray, found: dict) -> np.ndarray:
    """Picture of a result: heat map over the image, box, and above it class and score, if known.

    Args:
        image: (H, W, 3) uint8 RGB. Narrow ones are enlarged by a whole number, to 240 pixels.
        found: See :func:`localization`.

    Returns:
        (H' + 22, W', 3) uint8 RGB, without a class (H', W', 3).
    """
    zoom = -(-_MIN_WIDTH // image.shape[1])
    picture = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    height, width = picture.shape[:2]
    if 'heat_map' in found:
        heat = cv2.resize(found['heat_map'], (width, height), interpolation=cv2.INTER_LINEAR)
        colours = cv2.applyColorMap((heat * 255).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
        picture = cv2.addWeighted(picture, 0.5, np.ascontiguousarray(colours), 0.5, 0)
    if 'bbox' in found:
        x1, y1, x2, y2 = (round(zoom * c) for c in found['bbox'])
        thick = max(2, round(max(height, width) / 250))
        for colour, line in (((0, 0, 0), thick + 2), ((255, 255, 255), thick)):
            cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), colour, line)
    if 'pred_label' not in found:
        return picture
    bar = np.full((_BAR, width, 3), 255, np.uint8)
    name = found.get('pred_class', f'class {found["pred_label"]}')
    text, where = f'{name}: {100 * found["pred_score"]:.1f}', (6, _BAR - 7)
    cv2.putText(bar, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([bar, picture])
