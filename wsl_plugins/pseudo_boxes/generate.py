"""Pseudo boxes of many images by DDT: resumable, in one or several processes."""

import shutil
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from mmengine.dist import barrier, is_main_process

from wsl_plugins.files import read_json
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.files.jobs import check_same_job
from wsl_plugins.files.writing import write_json
from wsl_plugins.pseudo_boxes.ddt import DDTStatistics
from wsl_plugins.pseudo_boxes.image_batches import BrokenImagesError, read_batches, with_progress
from wsl_plugins.pseudo_boxes.layer_features import LayerFeatures
from wsl_plugins.pseudo_boxes.passes import find_boxes, image_groups, learn_statistics, own_batches
from wsl_plugins.pseudo_boxes.provenance import fingerprint, versions
from wsl_plugins.pseudo_boxes.statistics_files import (
    check_statistics_job,
    load_groups,
    save_statistics,
)


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
        threshold (float): Cells above this share of the maximum of their map count; in [0, 1).
            Default: 0, as published.
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
    threshold: float = 0.0
    batch_size: int = 8
    workers: int = 4
    skip_broken: bool = False
    parts: Path = field(init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise ValueError(f'threshold of DDT must be in [0, 1), got {self.threshold}')
        self.parts = Path(f'{self.out}.parts')
        self.paths = {i: Path(self.data_root, i) for i in self.metadata.image_ids}
        self.groups = image_groups(self.metadata, self.class_agnostic)
        self.statistics_job = dict(
            self.features.info, resize='pillow', class_agnostic=self.class_agnostic
        )
        self.job = dict(
            method='ddt',
            **self.statistics_job,
            connectivity=self.connectivity,
            threshold=self.threshold,
            images_sha256=fingerprint(self.paths, self.metadata.labels),
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
            self._check_boxes_job(self.out, result.info, 'choose another output, or delete it')
            self._check_broken(result.info['broken'])
            barrier()  # nobody deletes before everybody has looked
            if is_main_process():
                shutil.rmtree(self.parts, ignore_errors=True)  # of a run that was killed at its end
            return result if is_main_process() else None
        if is_main_process() and not (self.parts / 'job.json').exists():
            shutil.rmtree(self.parts, ignore_errors=True)  # of nobody knows what: removed by half
        barrier()
        todo = self._open(given)
        barrier()  # nobody writes before everybody has looked
        if is_main_process():
            write_json(self.parts / 'job.json', self.job)
            if self.use_statistics is None:
                write_json(self._statistics_folder() / 'job.json', self._own_statistics_job())
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
        return load_groups(self.use_statistics, self.groups, self.features.channels)

    def _open(self, given: dict[str, DDTStatistics]) -> list[str]:
        """Check what an earlier run left, add its statistics to ``given``; groups still to do."""
        path = self.parts / 'job.json'
        if path.exists():
            self._check_boxes_job(path, read_json(path), 'delete its folder to start again')
        path, job = self._statistics_folder() / 'job.json', self._own_statistics_job()
        if self.use_statistics is None and path.exists():
            check_same_job(path, job, read_json(path), 'choose another folder, or delete it')
            done = [group for group in self.groups if (path.parent / f'{group}.npz').exists()]
            given |= load_groups(path.parent, done, self.features.channels)
        return [group for group in self.groups if not self._part(group).exists()]

    def _check_boxes_job(self, path: Path, found: dict, remedy: str) -> None:
        """Files of before there were thresholds are those of threshold 0."""
        check_same_job(path, self.job, dict(threshold=0.0) | found, remedy)

    def _own_statistics_job(self) -> dict:
        """What statistics made here are of."""
        return dict(self.statistics_job, images_sha256=self.job['images_sha256'])

    def _statistics_folder(self) -> Path:
        return Path(self.statistics_dir or self.parts / 'statistics')

    def _part(self, group: str) -> Path:
        return self.parts / f'{group}.json'

    def _work(self, todo: list[str], given: dict[str, DDTStatistics]) -> None:
        """Both passes over all groups; one reader for all keeps reading ahead."""
        batches = {group: own_batches(self.groups[group], self.batch_size) for group in todo}
        schedule = [
            batch
            for group in todo
            for _ in range(1 if group in given else 2)
            for batch in batches[group]
        ]
        reader = read_batches(
            schedule, self.paths, self.features.input_size, self.metadata.sizes, self.workers
        )
        stream = with_progress(reader, sum(map(len, schedule)))
        with closing(stream):
            for group in todo:
                count = len(batches[group])
                statistics = given.get(group)
                if statistics is None:
                    statistics = learn_statistics(self.features, islice(stream, count))
                    if statistics is not None and is_main_process():
                        save_statistics(self._statistics_folder(), group, statistics)
                part = find_boxes(
                    self.features,
                    islice(stream, count),
                    statistics,
                    self.connectivity,
                    self.threshold,
                )
                if is_main_process():
                    write_json(self._part(group), part)
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
