"""The two passes of DDT over the images of a class, in one or several processes."""

from collections.abc import Iterable

from mmengine.dist import (
    all_gather_object,
    broadcast_object_list,
    get_rank,
    get_world_size,
    is_main_process,
)

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.pseudo_boxes.components import component_box
from wsl_plugins.pseudo_boxes.ddt import DDTStatistics, FeatureSums, heat_maps
from wsl_plugins.pseudo_boxes.image_batches import ImageBatch
from wsl_plugins.pseudo_boxes.layer_features import LayerFeatures


def image_groups(metadata: WSOLMetadata, class_agnostic: bool) -> dict[str, list[str]]:
    """Image ids of each set of images that gets statistics of its own, by the set's name."""
    groups: dict[str, list[str]] = {}
    for image_id in metadata.image_ids:
        group = 'all' if class_agnostic else f'class_{metadata.labels[image_id]}'
        groups.setdefault(group, []).append(image_id)
    return groups


def own_batches(image_ids: list[str], batch_size: int) -> list[list[str]]:
    """Batches of this process: every n-th of those that one process would have."""
    batches = [image_ids[i : i + batch_size] for i in range(0, len(image_ids), batch_size)]
    return batches[get_rank() :: get_world_size()]


def learn_statistics(
    features: LayerFeatures, batches: Iterable[ImageBatch]
) -> DDTStatistics | None:
    """First pass: statistics over the images of all processes; None if none can be read."""
    sums = FeatureSums(features.channels, features.device)
    for batch in batches:
        if batch.images is not None:
            sums.update(features(batch.images))
    sums.all_reduce()
    if int(sums.cells) == 0:
        return None
    found = [sums.statistics() if is_main_process() else None]
    broadcast_object_list(found)
    return found[0]


def find_boxes(
    features: LayerFeatures,
    batches: Iterable[ImageBatch],
    statistics: DDTStatistics | None,
    connectivity: int,
    threshold: float,
) -> dict[str, dict]:
    """Second pass: what there is to write about the images of all processes.

    Args:
        features (LayerFeatures): Network and layer.
        batches (Iterable[ImageBatch]): Images of this process.
        statistics (DDTStatistics | None): None if no image can be read.
        connectivity (int): See :func:`.components.largest_component`.
        threshold (float): Cells above this share of the maximum of their map count; in [0, 1). If
            the maximum is not above 0, none does.

    Returns:
        dict[str, dict]: ``images``: id to ``size`` (width, height), ``box`` xyxy and ``empty``
            (the box is the whole image); ``broken``: id to what is wrong with the image.
    """
    own: dict = dict(images={}, broken={})
    for batch in batches:
        own['broken'].update(batch.broken)
        if batch.images is None or statistics is None:
            continue
        heat = heat_maps(features(batch.images), statistics).cpu().numpy()
        masks = heat > threshold * heat.max(axis=(1, 2), keepdims=True)
        for image_id, size, mask in zip(batch.ids, batch.sizes, masks, strict=True):
            box, empty = component_box(mask, size, connectivity)
            own['images'][image_id] = dict(size=size, box=box.tolist(), empty=empty)
    everybody = all_gather_object(own)
    return {key: {k: v for part in everybody for k, v in part[key].items()} for key in own}
