"""Export a trained detector or localizer to ONNX."""

import argparse
import sys
from pathlib import Path

from mmengine.registry import init_default_scope

import wsl_plugins.engine.quiet_imports  # noqa: F401  (first: the hosts print when imported)
from wsl_plugins.apis.models import build_model, read_config
from wsl_plugins.export import export, graph_of
from wsl_plugins.export.onnx_file import runtime
from wsl_plugins.export.properties import example_size, properties

EXAMPLE = """example:
  python tools/export.py configs/oicr/oicr_demo.py work_dirs/oicr_demo/epoch_12.pth --out oicr.onnx

inputs   image  (N, 3, H, W) uint8, RGB; normalisation and padding are in the graph
         rois   (R, 4) float32, xyxy pixels of image; weakly supervised detectors, which take N = 1
outputs  localizers  scores (N, C), score_map (N, h, w) of the best class; PSOL: box (N, 4)
         detectors   boxes (R, C, 4), scores (R, C), of one stage (N, P, 4), (N, P, C); NMS is left
                     to you
N, R, H and W are dynamic; H and W as far as the model takes other sizes. Written after onnxruntime
has given what PyTorch gives, within 1e-4. See docs/export.md."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', metavar='CONFIG')
    parser.add_argument('checkpoint', metavar='CKPT')
    parser.add_argument('--out', required=True, metavar='FILE.onnx', help='file to write')
    parser.add_argument(
        '--size',
        nargs=2,
        type=int,
        metavar=('H', 'W'),
        help='of the images it is traced with, and of all if the model takes no other; default: '
        'that of the test pipeline, if it makes one size of all images, else 320 416',
    )
    args = parser.parse_args()
    if not args.out.endswith('.onnx'):
        parser.error(f'--out must end in .onnx, got {args.out}')
    if args.size and min(args.size) < 32:
        parser.error(f'--size must be at least 32 32, got {" ".join(map(str, args.size))}')
    return args


def run(args: argparse.Namespace) -> None:
    runtime()  # before the model is built
    cfg = read_config(args.config)
    size = tuple(args.size) if args.size else example_size(cfg)
    init_default_scope(cfg.get('default_scope') or 'mmdet')
    model = build_model(cfg, args.checkpoint)
    graph = graph_of(model)
    texts = properties(cfg, graph)
    texts |= dict(config=args.config, checkpoint=args.checkpoint)
    reason = export(graph, args.out, size, texts)
    megabytes = Path(args.out).stat().st_size / 1e6
    print(f'{args.out}: {megabytes:.1f} MB, equal to PyTorch within 1e-4')
    for heading, shapes in (('inputs', graph.inputs), ('outputs', graph.outputs)):
        listed = ', '.join(f'{n} ({", ".join(map(str, s))})' for n, s in shapes.items())
        print(f'{heading}: {listed}')
    if reason:
        print(reason)


def main() -> int:
    args = parse_args()
    try:
        run(args)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        print(f'export: error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
