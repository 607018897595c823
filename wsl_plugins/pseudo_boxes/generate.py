"""Pseudo boxes of many images by DDT: resumable, in one or several processes."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import torch
from mmengine.dist import (
    all_gather_object,
    barrier,
    broadcast_object_list,
    get_rank,
    get_world_size,
    is_main_process,
)
from tqdm import tqdm

from wsl_plugins import __version__
from wsl_plugins.datasets.wsol_metadata import WSOLMetadata
from wsl_plugins.pseudo_boxes.box_file import PseudoBoxFile, read_json
from wsl_plugins.pseudo_boxes.components import component_box
from wsl_plugins.pseudo_boxes.ddt import DDTStatistics, FeatureSums, heat_maps
from wsl_plugins.pseudo_boxes.extract import LayerFeatures
from wsl_plugins.pseudo_boxes.reading import ImageBatch, read_batches
from wsl_plugins.pseudo_boxes.statistics_files import (
    check_same_job,
    check_statistics_job,
    load_statistics,
    save_statistics,
    write_json,
)

import mmpretrain


class BrokenImagesError(ValueError):
    """Images cannot be read and may not be left out; ``problems`` has a line for each."""

    def __init__(self, problems: list[str], images: int) -> None:
        super().__init__(
            f'{len(problems)} of {images} images cannot be used (--skip-broken leaves them out; '
            'what is done is kept)'
        )
        self.problems = problems


@dataclass
class DDTBoxes:
    """Makes the boxes of the images of one split.

    Two passes over the images of a class: the first adds up :class:`.ddt.FeatureSums`, the second
    makes boxes of the heat maps. Features of one batch are in memory at a time. In a distributed
    run each process takes every n-th batch; batches are the same however many processes there are,
    the sums of several processes differ from those of one by float64 rounding of the order of
    addition only.

    Attributes:
        features (LayerFeatures): Network and layer.
        metadata (WSOLMetadata): Images, classes and, if known, sizes (which are checked).
        data_root (Path): Folder of the images.
        out (Path): The ``.json`` to write. Finished classes are kept in ``<out>.parts`` until the
            end. If it is already complete, it is checked and returned.
        classes (dict[int, str]): Names of the classes.
        class_agnostic (bool): One set of statistics for all images rather than one per class.
        statistics_dir (Path | None): Where statistics are kept. Default: in the parts, and so
            deleted at the end.
        use_statistics (Path | None): Take the statistics of this folder (``statistics_dir`` of
            another split) and make none. Default: None.
        connectivity (int): See :func:`.components.largest_component`. Default: 8.
        batch_size (int): Images per forward pass. Default: 8.
        workers (int): Threads that read images. Default: 4.
        skip_broken (bool): Whether to leave out images that cannot be read. Default: False.
    """

    features: LayerFeatures
    metadata: WSOLMetadata
    data_root: Path
    out: Path
    classes: dict[int, str]
    class_agnostic: bool = False
    statistics_dir: Path | None = None
    use_statistics: Path | None = None
    connectivity: int = 8
    batch_size: int = 8
    workers: int = 4
    skip_broken: bool = False
    parts: Path = field(init=False)

    def __post_init__(self) -> None:
        self.parts = Path(f'{self.out}.parts')
        self.paths = {i: Path(self.data_root, i) for i in self.metadata.image_ids}
        self.groups: dict[str, list[str]] = {}
        for image_id in self.metadata.image_ids:
            label = self.metadata.labels[image_id]
            group = 'all' if self.class_agnostic else f'class_{label}'
            self.groups.setdefault(group, []).append(image_id)
        self.statistics_job = dict(self.features.info, class_agnostic=self.class_agnostic)
        self.job = dict(
            method='ddt',
            **self.statistics_job,
            connectivity=self.connectivity,
            images_sha256=_fingerprint(self.paths, self.metadata.labels),
            statistics=None,
        )

    def run(self) -> PseudoBoxFile | None:
        """Make the boxes and write the file.

        Returns:
            PseudoBoxFile | None: The file; None in processes other than the first.

        Raises:
            BrokenImagesError: Images cannot be read (and not ``skip_broken``); all are named.
            FileNotFoundError: Statistics to use are missing.
            ValueError: No image can be read; or ``out``, its parts or statistics were made with
                other settings or images.
        """
        given = self._given_statistics()
        if self.out.exists():
            result = PseudoBoxFile.load(self.out)
            check_same_job(self.out, self.job, result.info, 'choose another output, or delete it')
            self._check_broken(result.info['broken'])
            return result if is_main_process() else None
        todo = self._open(given)
        barrier()  # nobody writes before everybody has looked
        if is_main_process():
            write_json(self.parts / 'job.json', self.job)
            if self.use_statistics is None:
                job = dict(self.statistics_job, images_sha256=self.job['images_sha256'])
                write_json(self._statistics_folder() / 'job.json', job)
        self._work(todo, given)
        parts = {group: read_json(self._part(group)) for group in self.groups}
        broken = {i: why for part in parts.values() for i, why in part['broken'].items()}
        barrier()  # nobody deletes before everybody has read
        self._check_broken(broken)
        return self._join(parts, broken) if is_main_process() else None

    def _given_statistics(self) -> dict[str, DDTStatistics]:
        """Statistics of ``use_statistics``; sets what the job says of them."""
        if self.use_statistics is None:
            return {}
        check_statistics_job(self.use_statistics, self.statistics_job)
        self.job['statistics'] = read_json(Path(self.use_statistics, 'job.json'))['images_sha256']
        return {
            group: load_statistics(self.use_statistics, group, self.features.channels)
            for group in self.groups
        }

    def _open(self, given: dict[str, DDTStatistics]) -> list[str]:
        """Check what an earlier run left, add its statistics to ``given``; groups still to do."""
        path = self.parts / 'job.json'
        if path.exists():
            check_same_job(path, self.job, read_json(path), 'delete its folder to start again')
        path = self._statistics_folder() / 'job.json'
        if self.use_statistics is None and path.exists():
            job = dict(self.statistics_job, images_sha256=self.job['images_sha256'])
            check_same_job(path, job, read_json(path), 'choose another folder, or delete it')
            for group in self.groups:
                if (path.parent / f'{group}.npz').exists():
                    given[group] = load_statistics(path.parent, group, self.features.channels)
        return [group for group in self.groups if not self._part(group).exists()]

    def _statistics_folder(self) -> Path:
        return Path(self.statistics_dir or self.parts / 'statistics')

    def _part(self, group: str) -> Path:
        return self.parts / f'{group}.json'

    def _batches(self, group: str) -> list[list[str]]:
        """Batches of a group for this process."""
        ids, size = self.groups[group], self.batch_size
        batches = [ids[start : start + size] for start in range(0, len(ids), size)]
        return batches[get_rank() :: get_world_size()]

    def _work(self, todo: list[str], given: dict[str, DDTStatistics]) -> None:
        """Both passes over all groups; one reader for all keeps reading ahead."""
        schedule = [
            batch
            for group in todo
            for _ in range(1 if group in given else 2)
            for batch in self._batches(group)
        ]
        reader = read_batches(
            schedule, self.paths, self.features.input_size, self.metadata.sizes, self.workers
        )
        world = get_world_size()
        with tqdm(
            total=sum(map(len, schedule)),
            unit='image',
            desc='DDT' if world == 1 else f'DDT, process 1 of {world}',
            mininterval=0.2 if sys.stderr.isatty() else 10,
            disable=not is_main_process(),
        ) as bar:
            stream = _count(reader, bar)
            for group in todo:
                statistics = given.get(group) or self._statistics(group, stream)
                self._boxes(group, statistics, stream)

    def _statistics(self, group: str, stream: Iterator[ImageBatch]) -> DDTStatistics | None:
        """First pass; None if no image of the group can be read."""
        sums = FeatureSums(self.features.channels, self.features.device)
        for _ in self._batches(group):
            batch = next(stream)
            if batch.ids:
                sums.update(self.features(batch.images))
        sums.all_reduce()
        if int(sums.cells) == 0:
            return None
        found = [sums.statistics() if is_main_process() else None]
        broadcast_object_list(found)
        if is_main_process():
            save_statistics(self._statistics_folder(), group, found[0])
        return found[0]

    def _boxes(
        self, group: str, statistics: DDTStatistics | None, stream: Iterator[ImageBatch]
    ) -> None:
        """Second pass: write the part of a group."""
        part: dict = dict(images={}, broken={})
        for _ in self._batches(group):
            batch = next(stream)
            part['broken'].update(batch.broken)
            if not batch.ids:
                continue
            heat = heat_maps(self.features(batch.images), statistics).cpu().numpy()
            for image_id, size, mask in zip(batch.ids, batch.sizes, heat > 0, strict=True):
                box, empty = component_box(mask, size, self.connectivity)
                part['images'][image_id] = dict(size=size, box=box.tolist(), empty=empty)
        parts = all_gather_object(part)
        if is_main_process():
            merged = {key: {k: v for p in parts for k, v in p[key].items()} for key in part}
            write_json(self._part(group), merged)
        barrier()

    def _join(self, parts: dict[str, dict], broken: dict[str, str]) -> PseudoBoxFile:
        found = {i: image for part in parts.values() for i, image in part['images'].items()}
        if not found:
            raise ValueError(f'{self.out}: not one image could be read')
        found = {i: found[i] for i in self.metadata.image_ids if i in found}
        labels = self.metadata.labels
        info = dict(
            self.job,
            whole_image=sum(image['empty'] for image in found.values()),
            broken=broken,
            versions=versions(),
        )
        result = PseudoBoxFile.from_rows(
            {i: tuple(image['size']) for i, image in found.items()},
            {i: [(image['box'], labels[i], float('nan'))] for i, image in found.items()},
            self.classes,
            info,
        )
        result.save(self.out)
        shutil.rmtree(self.parts)
        return result

    def _check_broken(self, broken: dict[str, str]) -> None:
        if broken and not self.skip_broken:
            problems = [f'{self.paths[i]}: {why}' for i, why in broken.items()]
            raise BrokenImagesError(problems, len(self.paths))


def versions() -> dict[str, str]:
    """Versions of what boxes depend on."""
    return dict(
        wsl_plugins=__version__,
        torch=torch.__version__,
        mmpretrain=mmpretrain.__version__,
        opencv=cv2.__version__,
    )


def _count(reader: Iterator[ImageBatch], bar: tqdm) -> Iterator[ImageBatch]:
    for batch in reader:
        bar.update(len(batch.ids) + len(batch.broken))
        yield batch


def _fingerprint(paths: dict[str, Path], labels: dict[str, int]) -> str:
    """SHA-256 over ids, labels and file sizes: the same wherever the images lie."""
    digest = hashlib.sha256()
    for image_id, path in paths.items():
        size = os.path.getsize(path) if path.is_file() else -1
        digest.update(f'{image_id}\t{labels[image_id]}\t{size}\n'.encode())
    return digest.hexdigest()
