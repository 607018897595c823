"""Predictions of a test run as one pickle, written as they come."""

import pickle
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from mmengine.dist import barrier, get_dist_info, is_main_process
from mmengine.logging import MMLogger

from wsl_plugins.files.writing import atomic_write
from wsl_plugins.registry import METRICS

from mmdet.evaluation import DumpDetResults


@METRICS.register_module()
class DumpPredictions(DumpDetResults):
    """The file of mmdet's ``DumpDetResults``, of any size; reports no number.

    A weakly supervised detector that is run for CorLoc (Deselaers et al., IJCV 2012) keeps every
    box of every class: 55 GB on COCO. Each process writes its predictions to a file of its own
    beside ``out_file_path`` (``.NAME.RANK.part``); at the end the first one joins them in the order
    of the data set, without the copies that fill up the last batches, and the file appears whole or
    not at all. It is a pickled list of dicts, as that of mmdet: ``pred_instances`` has ``bboxes``
    (N, 4) xyxy pixels of the image file, exclusive ends, ``scores`` (N,) and ``labels`` (N,). The
    processes need a common folder.

    Args:
        out_file_path (str): The file, ending in .pkl or .pickle; one that is there is replaced.
        topk (int, optional): Boxes of ``pred_instances`` to keep per image and class, those of
            highest score, the first among equals. Defaults to None: all.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`. Defaults to 'cpu'.

    Raises:
        ValueError: An argument is wrong; or there are fewer predictions than images.

    Example:
        >>> test_evaluator = [
        ...     dict(type='wsl_plugins.CorLocMetric'),
        ...     dict(type='wsl_plugins.DumpPredictions', out_file_path='work_dirs/a.pkl', topk=1)]
    """

    default_prefix = 'dump'

    def __init__(
        self, out_file_path: str, topk: int | None = None, collect_device: str = 'cpu'
    ) -> None:
        super().__init__(out_file_path=out_file_path, collect_device=collect_device)
        if topk is not None and topk < 1:
            raise ValueError(f'topk must be at least 1, got {topk}')
        self.topk = topk
        self._part: BinaryIO | None = None

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Append the predictions to the file of this process."""
        super().process(data_batch, data_samples)
        for sample in self.results:
            if self.topk is not None and 'pred_instances' in sample:
                sample['pred_instances'] = best_of_classes(sample['pred_instances'], self.topk)
            pickle.dump(sample, self._open(), pickle.HIGHEST_PROTOCOL)
        self.results.clear()

    def evaluate(self, size: int) -> dict:
        """Join the files; no numbers.

        Args:
            size (int): Number of images of the data set.
        """
        self._open().close()
        barrier()
        if is_main_process():
            parts = [self._path(rank) for rank in range(get_dist_info()[1])]
            with atomic_write(self.out_file_path) as file:
                dump_list(_in_order(parts, size), file)
            message = f'predictions of {size} images in {self.out_file_path}'
            MMLogger.get_current_instance().info(message)
        barrier()
        self._remove()
        self._part = None
        return {}

    def _path(self, rank: int) -> Path:
        path = Path(self.out_file_path)
        return path.with_name(f'.{path.name}.{rank}.part')

    def _open(self) -> BinaryIO:
        """The file of this process, new at the first call of a run."""
        if self._part is None:
            path = self._path(get_dist_info()[0])
            path.parent.mkdir(parents=True, exist_ok=True)
            self._part = open(path, 'wb')
            self._remove = weakref.finalize(self, path.unlink, missing_ok=True)  # if the run fails
        return self._part


def best_of_classes(instances: dict[str, Any], topk: int) -> dict[str, Any]:
    """The instances of highest score of each class, in the order that they have.

    Args:
        instances: ``scores`` (N,) and ``labels`` (N,), and other tensors or lists over the N.
        topk: number to keep of each class; among equal scores the first ones.

    Example:
        >>> best_of_classes(dict(scores=torch.tensor([0.1, 0.3]), labels=torch.tensor([4, 4])), 1)
        {'scores': tensor([0.3000]), 'labels': tensor([4])}
    """
    scores, labels = (np.asarray(instances[key]) for key in ('scores', 'labels'))
    order = np.lexsort((-scores, labels))
    rank = np.arange(len(order)) - np.searchsorted(labels[order], labels[order])
    kept = np.sort(order[rank < topk])
    return {
        key: [value[i] for i in kept] if isinstance(value, list) else value[kept]
        for key, value in instances.items()
    }


def dump_list(items: Iterable[Any], file: BinaryIO) -> None:
    """Pickle a list of what an iterable gives, of which one is in memory at a time."""
    pickler = pickle.Pickler(file, pickle.HIGHEST_PROTOCOL)
    pickler.fast = True  # without a memo, which would keep every item
    pickler.dump(_AsList(iter(items)))


class _AsList:
    """Becomes a list in the pickle."""

    def __init__(self, items: Iterator[Any]) -> None:
        self.items = items

    def __reduce__(self) -> tuple:
        return list, (), None, self.items


def _in_order(parts: list[Path], size: int) -> Iterator[Any]:
    """Items of the files of all processes, one of each in turn: the order of the data set."""
    with ExitStack() as stack:
        files = deque(stack.enter_context(open(path, 'rb')) for path in parts)
        for number in range(size):
            while files:
                try:
                    item = pickle.load(files[0])
                    break
                except EOFError:
                    files.popleft()
            else:
                raise ValueError(f'predictions of {number} of {size} images')
            files.rotate(-1)
            yield item
