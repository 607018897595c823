"""Make pseudo boxes: by DDT, from score maps or detections, or from files of other projects."""

import argparse
import os
import sys
from pathlib import Path

import torch
from pseudo_box_args import parse_args

import wsl_plugins.engine.quiet_imports  # noqa: F401  (first: the hosts print when imported)
from wsl_plugins.files.class_names import read_class_names
from wsl_plugins.files.formats.detection_files import (
    images_of_coco,
    images_of_metadata,
    read_results_json,
    read_results_pickle,
)
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.files.writing import write_json
from wsl_plugins.proposals.ground_truth import Objects, coco_objects, voc_objects
from wsl_plugins.pseudo_boxes.accuracy import box_accuracy
from wsl_plugins.pseudo_boxes.extract import from_config, from_torchvision
from wsl_plugins.pseudo_boxes.from_detections import boxes_from_detections
from wsl_plugins.pseudo_boxes.from_score_maps import boxes_from_score_maps
from wsl_plugins.pseudo_boxes.generate import DDTBoxes
from wsl_plugins.pseudo_boxes.image_batches import BrokenImagesError
from wsl_plugins.pseudo_boxes.imports import import_boxes
from wsl_plugins.pseudo_boxes.provenance import versions
from wsl_plugins.pseudo_boxes.selection import make_selection


def read_classes(path: str | Path, labels: set[int]) -> dict[int, str]:
    """Names of the classes; their numbers if there is no file."""
    path = Path(path)
    if not path.is_file():
        return {label: str(label) for label in labels}
    names = read_class_names(path)
    if labels and max(labels) >= len(names):
        raise ValueError(f'{path}: {len(names)} names, but there is a label {max(labels)}')
    return dict(enumerate(names))


def classes_of(args: argparse.Namespace, labels: set[int]) -> dict[int, str]:
    """Names of the classes by ``--classes``, else ``METADATA_ROOT/classes.txt``."""
    if args.classes is not None:
        if not Path(args.classes).is_file():
            raise FileNotFoundError(f'{args.classes}: no such file of class names')
        return read_classes(args.classes, labels)
    return read_classes(Path(args.metadata_root or '', 'classes.txt'), labels)


def ddt(args: argparse.Namespace, metadata: WSOLMetadata) -> PseudoBoxFile | None:
    if (args.config is None) == (args.backbone is None):
        raise ValueError('ddt needs either a config or --backbone')
    for name in ('input_size', 'batch_size', 'workers'):
        if getattr(args, name) < 1:
            option = name.replace('_', '-')
            raise ValueError(f'--{option} must be at least 1, got {getattr(args, name)}')
    if args.stats and args.use_stats:
        raise ValueError('--stats and --use-stats exclude each other')
    if not Path(args.data_root).is_dir():
        raise FileNotFoundError(f'{args.data_root}: no such folder of images')
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    if device == 'cuda':
        torch.cuda.set_device(int(os.environ.get('LOCAL_RANK', 0)))
    if int(os.environ.get('WORLD_SIZE', 1)) > 1:
        torch.distributed.init_process_group('nccl' if device == 'cuda' else 'gloo')
    if args.backbone is not None:
        if args.weights is None or args.layer is None:
            raise ValueError('--backbone needs --weights and --layer')
        features = from_torchvision(
            args.backbone, args.weights, args.layer, args.input_size, device
        )
    else:
        layer = args.layer or 'backbone'
        features = from_config(args.config, args.weights, layer, args.input_size, device)
    boxes = DDTBoxes(
        features=features,
        metadata=metadata,
        data_root=Path(args.data_root),
        out=Path(args.out),
        classes=classes_of(args, set(metadata.labels.values())),
        class_agnostic=args.class_agnostic,
        statistics_dir=args.stats,
        use_statistics=args.use_stats,
        connectivity=args.connectivity,
        threshold=args.threshold,
        batch_size=args.batch_size,
        workers=args.workers,
        skip_broken=args.skip_broken,
    )
    return boxes.run()


def detections(args: argparse.Namespace, metadata: WSOLMetadata | None) -> PseudoBoxFile:
    classes = None
    if Path(args.source).suffix == '.json':
        if (args.ann is None) == (metadata is None):
            raise ValueError('detections of a .json need either --ann or --metadata-root')
        if metadata is None:
            images, classes = images_of_coco(args.ann)
        else:
            images = images_of_metadata(metadata)
            classes = classes_of(args, set(metadata.labels.values()))
        found = read_results_json(args.source, images, classes)
    else:
        if args.ann is not None or metadata is not None:
            raise ValueError('--ann and --metadata-root go with detections of a .json only')
        found = read_results_pickle(args.source, args.data_root)
    classes = classes or classes_of(args, {n for image in found.values() for n in image.labels})
    names = ('top', 'score_thr', 'top_ratio', 'ratio', 'nms_iou_thr', 'inside')
    select = make_selection(args.select, **{name: getattr(args, name) for name in names})
    return boxes_from_detections(found, classes, select)


def known_objects(args: argparse.Namespace) -> dict[str, Objects] | None:
    """Objects that boxes are compared with, if any are named."""
    if args.eval_split and not args.eval_voc:
        raise ValueError('--eval-split needs --eval-voc')
    if args.accuracy and not (args.eval_voc or args.eval_coco):
        raise ValueError('--accuracy needs --eval-voc or --eval-coco')
    if args.eval_voc and args.eval_coco:
        raise ValueError('--eval-voc and --eval-coco exclude each other')
    if args.eval_voc:
        return voc_objects(args.eval_voc, args.eval_split or 'trainval', use_difficult=True)
    return coco_objects(args.eval_coco) if args.eval_coco else None


def make(args: argparse.Namespace) -> PseudoBoxFile | None:
    """The boxes, written; None in processes other than the first."""
    if not args.out.endswith('.json'):
        raise ValueError(f'--out must end in .json, got {args.out}')
    metadata = args.metadata_root and WSOLMetadata.load(args.metadata_root, args.split)
    if args.command == 'ddt':
        return ddt(args, metadata)
    objects = None
    if args.command == 'detections':
        objects = known_objects(args)
        result = detections(args, metadata or None)
    else:
        classes = classes_of(args, set(metadata.labels.values()))
        if args.command == 'cam':
            result = boxes_from_score_maps(
                args.source, metadata, classes, args.threshold, args.connectivity
            )
        else:
            result = import_boxes(
                args.source, args.format, metadata, classes, args.end, args.clip, args.allow_missing
            )
    if not any(map(len, result.boxes.values())):
        raise ValueError(f'{args.source}: gives no box for any of {len(result.sizes)} images')
    result.info.update(source=Path(args.source).name, versions=versions())
    if metadata:
        result.info['split'] = args.split
    accuracy = objects and box_accuracy(result, objects)
    if accuracy and args.accuracy:
        shares = dict(precision=accuracy.precision, recall=accuracy.recall)
        write_json(args.accuracy, accuracy._asdict() | shares)
    result.save(args.out)
    if accuracy:
        print(
            f'IoU 0.5: precision {accuracy.precision:.1%} ({accuracy.right} of {accuracy.boxes} '
            f'boxes), recall {accuracy.recall:.1%} (of {accuracy.objects} objects)'
        )
    return result


def main() -> int:
    args = parse_args(__doc__)
    first = int(os.environ.get('RANK', 0)) == 0
    try:
        result = make(args)
    except BrokenImagesError as error:
        if first:
            print(*error.problems, sep='\n', file=sys.stderr)
            print(f'make_pseudo_boxes: error: {error}', file=sys.stderr)
        return 1
    except (ValueError, OSError, RuntimeError) as error:
        print(f'make_pseudo_boxes: error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('stopped; the same command of ddt continues here', file=sys.stderr)
        return 130
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    if result is not None:
        report(args.out, result.info)
    return 0


def report(out: str, info: dict) -> None:
    """Print the counts of a file, and how its source was read."""
    if info.get('read'):
        print(f'{info["source"]}: {info["read"]}')
    print(f'{out}: {info["boxes"]} boxes of {info["images"]} images')
    for key, text in (
        ('images_without_boxes', 'images have no box'),
        ('labels_without_box', 'image labels have no box'),
        ('whole_image', 'boxes are the whole image: nothing is above the threshold'),
        ('clipped', 'boxes were clipped to their image'),
    ):
        if info.get(key):
            print(f'{info[key]} {text}')
    for what, count in info.get('left_out', {}).items():
        print(f'left out: {count} {what}')
    for image_id, why in info.get('broken', {}).items():
        print(f'left out: {image_id}: {why}')


if __name__ == '__main__':
    sys.exit(main())
