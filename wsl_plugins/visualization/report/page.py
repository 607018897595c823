"""One HTML page about a work folder."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from wsl_plugins.files.writing import atomic_write

from .curves import SKIPPED, charts_of, draw
from .detections import Comparison, compare, error_mode_table, guess_table
from .detections import draw as draw_boxes
from .logs import Folder, read_folders
from .pictures import Picture, embed, embed_files, embed_png, picture_folders
from .prepared import assessments, results_of_corloc
from .tables import Table, number
from .template import render


def build_report(
    work_dir: Path,
    results: str | None = None,
    config: str | None = None,
    pictures: Sequence[Path] = (),
    num: int = 12,
    data_root: str | None = None,
) -> tuple[str, list[str]]:
    """The page about trainings and tests in a folder, of detectors, localizers and regressors.

    It shows what is there: metrics, tables per class that the logs hold, curves, configs and the
    pictures below ``work_dir``; with ``results`` also error modes and the best and worst images; of
    data that ``tools/prepare_dataset.py`` prepared its assessment.
    What is not there is named at its end. The page needs no other file and no network.

    Args:
        work_dir (Path): Folder of ``tools/train.py`` or ``tools/test.py``, or one above several.
        results (str, optional): Pickle of ``tools/test.py --out`` of a detector. Defaults to None:
            that of the CorLoc config of a prepared data set, if it was tested.
        config (str, optional): Config of that test run. Defaults to None.
        pictures (Sequence[Path]): More folders of pictures, such as those of
            ``tools/visualize.py`` and ``tools/infer.py``. Defaults to ().
        num (int): Number of pictures of each folder; half as many best and worst images. Defaults
            to 12.
        data_root (str, optional): See
            :func:`~wsl_plugins.visualization.report.detections.compare`.

    Returns:
        tuple[str, list[str]]: The page, and what is not in it.

    Raises:
        FileNotFoundError: A file or folder does not exist.
        ValueError: ``work_dir`` holds no run; ``results`` or ``config`` are not of a detector, not
            for the same images, or only one is given; ``num`` is below 1.

    Example:
        >>> html, missing = build_report(Path('work_dirs/demo'))
    """
    if (results is None) != (config is None):
        raise ValueError('results and config go together: the config has the objects of the images')
    if num < 1:
        raise ValueError(f'num must be at least 1, got {num}')
    notes: list[str] = []
    folders = read_folders(work_dir, notes)
    compared = compare(results, config, data_root) if results and config else None
    if compared is None and (corloc := results_of_corloc(work_dir)) is not None:
        try:
            compared = compare(*corloc)
        except (ValueError, OSError) as error:
            notes.append(f'error modes, best and worst images: {error}')
    ious = {Path(image.path).stem: image.iou for image in compared.images} if compared else {}
    guesses = [guess_table(compared)] if compared and compared.guesses else []
    best, worst = _extremes(compared, max(num // 2, 1)) if compared else ([], [])
    content = dict(
        title=work_dir.resolve().name,
        runs=_runs(folders),
        prepared=assessments(folders, notes),
        metrics=[*guesses, *(table for folder in folders for table in _metrics(folder))],
        per_class=[
            table._replace(title=f'{folder.name}: {table.title}')
            for folder in folders
            for table in folder.tables
        ],
        charts=[
            (folder.name, charts)
            for folder in folders
            if (charts := [_chart(chart) for chart in charts_of(folder.train, folder.val, notes)])
        ],
        modes=error_mode_table(compared) if compared else None,
        best=best,
        worst=worst,
        pictures=_pictures(work_dir, pictures, ious, num, notes),
        configs=[(folder.name, folder.config) for folder in folders if folder.config],
    )
    notes += [reason for part, reason in _ABSENT.items() if not content[part]]
    return render(**content, notes=notes), notes


def write_report(work_dir: Path, **options) -> tuple[Path, list[str]]:
    """Write :func:`build_report`'s page to ``work_dir/report.html``, whole or not at all.

    Args:
        work_dir (Path): See :func:`build_report`.
        **options: Its other arguments.

    Returns:
        tuple[Path, list[str]]: The file, and what is not in it.
    """
    html, notes = build_report(work_dir, **options)
    path = work_dir / 'report.html'
    with atomic_write(path) as file:
        file.write(html.encode('utf-8', errors='replace'))
    return path, notes


_ABSENT = dict(
    metrics='metrics: no validation and no test in the logs',
    per_class='metrics per class: no table in the logs (pascal_voc, CorLoc and COCO with '
    'classwise=True print one)',
    charts='curves: no training in the logs',
    modes='error modes, best and worst images: need --results and --config of a detector',
    pictures='pictures of pseudo boxes and score maps: none found (tools/visualize.py and '
    'tools/infer.py draw them)',
    configs='configuration: no vis_data/config.py',
)


def _runs(folders: list[Folder]) -> Table:
    rows = [
        [
            folder.name,
            f'{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]} {stamp[9:11]}:{stamp[11:13]}',
            str(len(folder.started)),
            str(folder.train[-1].get('epoch', '')) if folder.train else '',
            str(folder.train[-1]['step']) if folder.train else '',
        ]
        for folder in folders
        for stamp in folder.started[-1:]
    ]
    return Table('', ['folder', 'newest run', 'runs', 'epochs', 'iterations'], rows)


def _metrics(folder: Folder) -> list[Table]:
    """Metrics of the validations, and those of the test."""
    tables = []
    keys = dict.fromkeys(key for record in folder.val for key in record if key not in SKIPPED)
    rows = []
    for key in keys:
        values = [(record[key], record['step']) for record in folder.val if key in record]
        highest, step = max(values, key=lambda value: value[0])
        rows.append([key, *map(number, (values[0][0], values[-1][0], highest, step))])
    if rows:
        head = ['metric', 'first', 'last', 'highest', 'highest at']
        tables.append(Table(f'{folder.name}: validation', head, rows))
    rows = [[key, number(value)] for key, value in folder.test.items() if key not in SKIPPED]
    if rows:
        tables.append(Table(f'{folder.name}: test run', ['metric', 'value'], rows))
    return tables


def _chart(chart) -> Picture:
    last = ', '.join(f'{name} {number(y[-1])}' for name, (_, y) in chart.curves.items() if y)
    return embed_png(draw(chart), f'{chart.title}; last: {last}', zoom=0.5)


def _extremes(compared: Comparison, num: int) -> tuple[list[Picture], list[Picture]]:
    """The best images, best first, and the worst of the others, worst first."""
    images = compared.images
    best, worst = (
        [
            embed(
                Image.fromarray(draw_boxes(image, compared.classes)),
                f'{Path(image.path).name}: IoU {image.iou:.2f}',
            )
            for image in chosen
        ]
        for chosen in (images[:num], images[num:][: -num - 1 : -1])
    )
    return best, worst


def _pictures(
    work_dir: Path, more: Sequence[Path], ious: dict[str, float], num: int, notes: list[str]
) -> list[tuple[str, list[Picture]]]:
    """The pictures of each folder, with how many of them are shown."""
    shown = []
    top = work_dir.resolve()
    for folder, paths in picture_folders([top, *(path.resolve() for path in more)]).items():
        own = embed_files(paths, ious, num, notes)
        if own:
            name = folder.relative_to(top.parent) if folder.is_relative_to(top) else folder
            shown.append((f'{name}: {len(own)} of {len(paths)}', own))
    return shown
