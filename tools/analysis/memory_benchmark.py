"""Time and memory of training steps with all proposals at once and in sub-batches.

Figure 11 of Ren et al., "Instance-aware, Context-focused, and Memory-efficient Weakly Supervised
Object Detection", CVPR 2020, on this machine: one image, R random proposals, for each R all ways:
``vanilla``; ``sequential``, which is ``SequentialBatchHook`` with ``--sub-batch-size``; and for
each of ``--budgets`` the hook with ``'auto'`` and this share of the bytes that one call keeps for
the backward pass. A point is a process of its own, without pretrained weights: one step to warm up,
then ``--repeats`` timed ones, each the forward pass, the backward pass and a step of SGD with
momentum.

Columns of ``memory_benchmark.csv``, in order after the settings:

- status: ``ok``, ``out of memory``, or ``killed`` when the system ended the process;
- seconds: median time of a step;
- before_mib: memory right before the first step. CUDA: what the allocator has handed out; CPU: the
  resident size of the process, libraries included (Linux only);
- peak_mib: the highest value of the same quantity up to the end of the last step;
- loss, loss_after: total loss of the first step, and of the second, on the same image, which the
  gradients of the first have changed; equal in all ways in models without dropout;
- kept: proposals that keep their activations.

The table and ``memory_benchmark.png`` show peak - before: activations, gradients, the optimiser's
momentum and scratch space, without the weights. On a CPU with glibc set
``MALLOC_MMAP_THRESHOLD_=1048576`` in the environment: otherwise freed blocks of up to 32 MiB may
stay resident and count.
"""

import argparse
import csv
import io
import resource
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from terminaltables import GithubFlavoredMarkdownTable

import wsl_plugins.engine.quiet_imports  # noqa: F401  (first: the hosts print when imported)
from wsl_plugins.config_names import find_config
from wsl_plugins.engine.hooks import SequentialBatchHook
from wsl_plugins.engine.memory_probe import measure as measure_memory
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.models.roi_heads import WSODRoIHead

from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi

EXAMPLE = """example:
  python tools/analysis/memory_benchmark.py --config configs/_base_/models/wsddn_r18-c4.py \\
      --num-proposals 200 400 800 --sub-batch-size 100 --out work_dirs/memory"""
ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--config',
        type=Path,
        default=ROOT / 'configs/_base_/models/wsddn_r101-c4.py',
        help="config whose 'model' has our RoI head; default: %(default)s",
    )
    parser.add_argument(
        '--num-proposals',
        type=int,
        nargs='+',
        default=[1000, 2000, 3000, 4000, 5000],
        metavar='R',
        help='default: 1000 2000 3000 4000 5000',
    )
    parser.add_argument('--sub-batch-size', type=int, default=500, help='default: 500')
    parser.add_argument(
        '--budgets',
        type=float,
        nargs='+',
        default=[],
        metavar='SHARE',
        help='memory budgets, shares of what one call keeps, e.g. 0.75 0.5; default: none',
    )
    parser.add_argument(
        '--image-size',
        type=int,
        nargs=2,
        default=[600, 600],
        metavar=('HEIGHT', 'WIDTH'),
        help='pixels, default: 600 600',
    )
    parser.add_argument('--device', default='cpu', help="'cpu' (default), 'cuda' or 'cuda:1'")
    parser.add_argument('--repeats', type=int, default=5, help='timed steps, default: 5')
    parser.add_argument(
        '--memory-limit',
        type=float,
        metavar='GIB',
        help='a point that needs more is out of memory; CUDA: of the allocator, CPU: data segment '
        'of the process; default: what the machine has',
    )
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/memory_benchmark'), help='default: %(default)s'
    )
    args = parser.parse_args()
    numbers = dict(
        num_proposals=min(args.num_proposals),
        sub_batch_size=args.sub_batch_size,
        image_size=min(args.image_size),
        repeats=args.repeats,
    )
    for name, value in numbers.items():
        if value < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, got {value}')
    if min(args.budgets, default=1) <= 0:
        parser.error(f'--budgets must be greater than 0, got {min(args.budgets):g}')
    if args.memory_limit is not None and args.memory_limit <= 0:
        parser.error(f'--memory-limit must be greater than 0, got {args.memory_limit}')
    try:
        args.config = Path(find_config(args.config))
    except FileNotFoundError as error:
        parser.error(f'--config: {error}')
    check_device(parser, args.device)
    return args


def check_device(parser: argparse.ArgumentParser, name: str) -> None:
    """End the program when nothing can be measured on the device ``name``."""
    try:
        device = torch.device(name)
    except RuntimeError:
        parser.error(f"--device must be 'cpu', 'cuda' or 'cuda:N', got {name!r}")
    if device.type == 'cuda':
        if (device.index or 0) >= torch.cuda.device_count():
            parser.error(f'--device {name}: this machine has {torch.cuda.device_count()} CUDA GPUs')
    elif device.type != 'cpu':
        parser.error(f"--device must be 'cpu', 'cuda' or 'cuda:N', got {name!r}")
    elif not sys.platform.startswith('linux'):
        parser.error(f'--device cpu reads the resident size as Linux gives it, not {sys.platform}')


def build_model(config: Path, device: torch.device) -> torch.nn.Module:
    """The detector of ``config`` in training mode, untrained.

    Raises:
        ValueError: There is no model, or it is without our RoI head.
    """
    cfg = Config.fromfile(config)
    if 'model' not in cfg:
        raise ValueError(f"{config} has no 'model'")
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    if not isinstance(getattr(model, 'roi_head', None), WSODRoIHead):
        raise ValueError(f'{config}: model.roi_head must be a wsl_plugins.WSODRoIHead')
    return model.to(device).train()


def make_batch(num_proposals: int, height: int, width: int, num_classes: int) -> dict:
    """One random image with ``num_proposals`` random boxes, as the data loader gives it."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)
    corners = torch.rand(num_proposals, 2, 2, generator=generator) * torch.tensor([width, height])
    corners = corners.sort(dim=1).values
    boxes = torch.cat([corners[:, 0], corners[:, 1]], dim=1)
    shape = (height, width)
    sample = DetDataSample(
        metainfo=dict(img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0), img_id=0)
    )
    sample.proposals = InstanceData(bboxes=boxes, scores=torch.ones(num_proposals))
    sample.gt_instances = InstanceData()
    labels = torch.zeros(num_classes, dtype=torch.long)
    labels[0] = 1
    sample.set_field(labels, 'image_labels')
    return dict(inputs=[image], data_samples=[sample])


def ways(args: argparse.Namespace) -> dict[str, float | None]:
    """Name of each way, and the share of its budget."""
    return dict(vanilla=None, sequential=None) | {f'budget {b:.4g}': b for b in args.budgets}


def budget_bytes(model: torch.nn.Module, batch: dict, share: float) -> int:
    """``share`` of what one call of the RoI path keeps for the backward pass."""
    data = model.data_preprocessor(batch, training=True)
    rois = bbox2roi([sample.proposals.bboxes for sample in data['data_samples']])
    with torch.no_grad():
        feats = model.extract_feat(data['inputs'])
    kept, _ = measure_memory(model.roi_head.roi_features, feats, rois, model.roi_head)
    return int(share * kept(len(rois)))


def limit_memory(device: torch.device, gib: float) -> None:
    """Let allocations beyond ``gib`` GiB fail in this process."""
    if device.type == 'cuda':
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, gib * 2**30 / total), device)
    else:
        size = int(gib * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def memory_now(device: torch.device) -> float:
    """MiB: handed out by the CUDA allocator, or resident size of the process."""
    if device.type == 'cuda':
        return torch.cuda.memory_allocated(device) / MIB
    resident = int(Path('/proc/self/statm').read_text().split()[1])
    return resident * resource.getpagesize() / MIB


def memory_peak(device: torch.device) -> float:
    """The highest :func:`memory_now` of this process so far."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device) / MIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(mode: str, num_proposals: int, args: argparse.Namespace) -> dict[str, object]:
    """Measure one point; runs in a process of its own."""
    device = torch.device(args.device)
    MMLogger.get_current_instance().setLevel('ERROR')  # the table alone goes to stdout
    if args.memory_limit is not None:
        limit_memory(device, args.memory_limit)
    model = build_model(args.config, device)
    batch = partial(make_batch, num_proposals, *args.image_size, model.roi_head.num_classes)
    share = ways(args)[mode]
    if mode != 'vanilla':
        budget = None if share is None else budget_bytes(model, batch(), share)
        hook = SequentialBatchHook('auto' if budget else args.sub_batch_size, memory_budget=budget)
        hook.attach(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4)
    optim_wrapper = OptimWrapper(optimizer)
    before, losses, seconds = memory_now(device), [], []
    try:
        for _ in range(1 + args.repeats):
            data = batch()
            start = time.perf_counter()
            losses.append(model.train_step(data, optim_wrapper)['loss'].item())
            if device.type == 'cuda':
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - start)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        return dict(status='out of memory', before_mib=round(before, 1))
    return dict(
        status='ok',
        seconds=round(statistics.median(seconds[1:]), 4),
        before_mib=round(before, 1),
        peak_mib=round(memory_peak(device), 1),
        loss=losses[0],
        loss_after=losses[1],
        kept=num_proposals
        if mode == 'vanilla'
        else min(hook.method.kept or args.sub_batch_size, num_proposals),
    )


def out_of_memory(error: Exception) -> bool:
    """Whether an allocation failed: on CUDA, in Python or in torch's CPU allocator."""
    kinds = (MemoryError, torch.cuda.OutOfMemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == 'cuda' else 'cpu'


def run_point(mode: str, num_proposals: int, args: argparse.Namespace) -> dict[str, object]:
    """Row of one point, whatever becomes of its process."""
    row = dict(
        config=args.config.stem,
        device=device_name(torch.device(args.device)),
        height=args.image_size[0],
        width=args.image_size[1],
        mode=mode,
        num_proposals=num_proposals,
        sub_batch_size=args.sub_batch_size if mode == 'sequential' else '',
    )
    empty = dict.fromkeys(('seconds', 'before_mib', 'peak_mib', 'loss', 'loss_after', 'kept'), '')
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        try:
            found = pool.submit(measure, mode, num_proposals, args).result()
        except BrokenProcessPool:
            found = {}
    return row | dict(status='killed') | empty | found


def step_memory(row: dict[str, object]) -> float:
    """MiB that training steps add to what was there before them."""
    return row['peak_mib'] - row['before_mib']


def write_csv(rows: list[dict[str, object]], path: Path) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())


def draw(rows: list[dict[str, object]], path: Path) -> None:
    """Two panels over R: memory and time of a step; missing points are those out of memory."""
    figure = Figure(figsize=(9, 3.5), layout='constrained')
    memory, duration = figure.subplots(1, 2)
    for mode in dict.fromkeys(row['mode'] for row in rows):
        done = [row for row in rows if row['mode'] == mode and row['status'] == 'ok']
        counts = [row['num_proposals'] for row in done]
        memory.plot(counts, [step_memory(row) / 1024 for row in done], marker='o', label=mode)
        duration.plot(counts, [row['seconds'] for row in done], marker='o', label=mode)
    memory.set_ylabel('memory of a training step (GiB)')
    duration.set_ylabel('time of a training step (s)')
    for axes in (memory, duration):
        axes.set_xlabel('proposals')
        axes.set_ylim(bottom=0)
        axes.legend()
    figure.suptitle(f'{rows[0]["config"]}, {rows[0]["device"]}', fontsize=10)
    with atomic_write(path) as file:
        figure.savefig(file, format='png', dpi=120)


def table(rows: list[dict[str, object]]) -> str:
    """Markdown: one line per R, memory and time of each way, times against vanilla."""
    modes = list(dict.fromkeys(row['mode'] for row in rows))
    heads = [f'{mode} {what}' for what in ('MiB', 's') for mode in modes]
    lines = [['R', *heads, *(f'{mode} / vanilla' for mode in modes[1:])]]
    for count in dict.fromkeys(row['num_proposals'] for row in rows):
        points = [row for row in rows if row['num_proposals'] == count]
        fine = [row['status'] == 'ok' for row in points]
        line = [str(count)]
        for row, ok in zip(points, fine, strict=True):
            line.append(f'{step_memory(row):.0f}' if ok else row['status'])
        for row, ok in zip(points, fine, strict=True):
            line.append(f'{row["seconds"]:.2f}' if ok else '')
        for row, ok in zip(points[1:], fine[1:], strict=True):
            line.append(f'{row["seconds"] / points[0]["seconds"]:.2f}' if ok and fine[0] else '')
        lines.append(line)
    return GithubFlavoredMarkdownTable(lines).table


def main() -> int:
    args = parse_args()
    rows = []
    try:
        for count in dict.fromkeys(args.num_proposals):
            for mode in ways(args):
                rows.append(run_point(mode, count, args))
                write_csv(rows, args.out / 'memory_benchmark.csv')
                print(f'R = {count}, {mode}: {rows[-1]["status"]}', file=sys.stderr, flush=True)
        draw(rows, args.out / 'memory_benchmark.png')
    except (ValueError, OSError) as error:
        print(f'memory_benchmark: error: {error}', file=sys.stderr)
        return 1
    print(table(rows))
    return 0


if __name__ == '__main__':
    sys.exit(main())
