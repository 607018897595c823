"""The sections of the page of benchmarks, in its order."""

from typing import NamedTuple


class Benchmark(NamedTuple):
    """A section of the page.

    Attributes:
        title: heading.
        note: what is compared; no numbers, they would outlive the run.
        command: as in a shell, with settings of the environment before it if need be.
        quick: other arguments of the script, which reduce it to seconds.
    """

    title: str
    note: str
    command: str
    quick: str


BENCHMARKS = (
    Benchmark(
        'Training step of MIST',
        'Where the time of a step of `mist_vgg16_voc07` goes, for three numbers of proposals. '
        '`wsl_plugins` marks the parts that are code of this project; `rest` is what lies between '
        'the parts.',
        'python benchmarks/mist_step.py --proposals 500 1000 2000 --repeats 2',
        'configs/mist/mist_demo.py --proposals 20 40 --size 96 128 --repeats 1',
    ),
    Benchmark(
        'Concrete DropBlock in one pass',
        'A step of `mist_vgg16_voc07` without the drop layer, with its gradient reversed in the '
        "detector's own backward pass (the default here), and with a second forward and backward "
        'pass for the drop layer (`AlternatingFastRCNN`, as the published code trains).',
        'python benchmarks/concrete_drop_block.py --proposals 125 250 500 --repeats 2',
        'configs/mist/mist_demo.py --proposals 20 40 --size 96 128 --repeats 1',
    ),
    Benchmark(
        'SDCN',
        'A step of both players of SDCN against one of OICR on equal input. SDCN tests with its '
        'detector alone, which has the parameters of OICR.',
        'python benchmarks/sdcn_step.py --proposals 1000 --size 320 448 --repeats 2',
        '--proposals 20 --size 96 128 --repeats 1',
    ),
    Benchmark(
        'Sequential batches',
        'A step with all proposals at once (vanilla) and in sub-batches (sequential), one process '
        'each; memory is what steps add to the loaded model. [How it works](sequential_batch.md).',
        'MALLOC_MMAP_THRESHOLD_=1048576 python tools/analysis/memory_benchmark.py '
        '--config configs/_base_/models/wsddn_r18-c4.py '
        '--num-proposals 250 500 1000 --sub-batch-size 125 --repeats 1 '
        '--out work_dirs/benchmarks/memory',
        '--config configs/_base_/models/wsddn_r18-c4.py --num-proposals 40 --sub-batch-size 20 '
        '--image-size 64 96 --repeats 1 --out work_dirs/benchmarks/memory-quick',
    ),
    Benchmark(
        'Sequential batches with a memory budget',
        'Forward and backward pass of the layers per proposal (C5 of ResNet-50), all ways in turns '
        'in one process, gradients that are checked to be equal: one call, budgets that are shares '
        'of what one call keeps, and sub-batches of which one is kept.',
        'python benchmarks/sequential_batches.py --proposals 96 --sub-batch-size 24 --repeats 3',
        'configs/wsddn/wsddn_r18-c4_voc07.py --proposals 8 --size 6 8 --sub-batch-size 2 '
        '--repeats 1',
    ),
    Benchmark(
        'Cached features',
        'An epoch of OICR through the runner, data loading included: on images as '
        '`oicr_r18_voc07-train600` trains, and on cached features of the same network with C5 '
        'frozen too. [How it works](cached_features.md).',
        'python benchmarks/cached_features.py --images 16 --repeat 20 --epochs 3',
        '--images 2 --proposals 30 --repeat 2 --epochs 2',
    ),
    Benchmark(
        'Pseudo-label samplers',
        'One image. `MISTSampler` selects, assigns and encodes what a plain loop over the '
        'candidates does, in both forms, with results that are checked to be equal.',
        'python benchmarks/pseudo_label_samplers.py --proposals 500 1000 2000 4000 --repeats 60',
        '--proposals 100 --repeats 1',
    ),
    Benchmark(
        'MaxBoxAcc',
        'Both versions in one pass over the levels of a map, against contours at every threshold: '
        'with a vectorised IoU (plain) and as the published evaluator does it (published).',
        'python benchmarks/max_box_acc.py --sizes 112 224 448 --maps 200 --plain-maps 20',
        '--sizes 56 --maps 2 --plain-maps 1',
    ),
    Benchmark(
        'PxAP',
        'Scores counted once in bins against a loop over the thresholds, beside the time to read '
        'the files that it needs.',
        'python benchmarks/pixel_ap.py --sizes 112 224 448 --images 20',
        '--sizes 56 --images 2',
    ),
    Benchmark(
        'DDT: speed',
        'All of DDT, in two passes over the images, against the bare forward pass of its network '
        'over as many random images; classes of 30 images.',
        'python benchmarks/ddt.py speed --backbone resnet18 --images 30 60 120',
        'speed --backbone resnet18 --layer layer2 --input-size 64 --images 8',
    ),
    Benchmark(
        'DDT: memory',
        'What DDT adds to the memory of its process, against the size of the features of all '
        'images of a class; one class.',
        'MALLOC_MMAP_THRESHOLD_=1048576 python benchmarks/ddt.py memory --images 200 800',
        'memory --images 8',
    ),
    Benchmark(
        'Selective search',
        'Proposal files against a bare loop over the search of OpenCV; the start of the processes '
        'counts.',
        'python benchmarks/selective_search.py --images 8 32 --processes 1 2',
        '--images 2 --processes 1 --size 64',
    ),
    Benchmark(
        'Proposals',
        'Recall and time of the ways to make proposals, on generated images: large objects of even '
        'colour, easier than photographs. [On VOC, CUB and ImageNet](data.md#which-proposals).',
        'python benchmarks/proposals.py --images 24',
        '--images 2 --size 128',
    ),
    Benchmark(
        'Data loading',
        'An epoch of the training loader against training steps, each alone on the machine. A '
        'ratio above one: the loader is faster than training on this machine; an accelerator '
        'trains faster and needs more workers.',
        'python benchmarks/data_loading.py --images 96 --workers 0 1 2',
        '--wsod configs/mist/mist_demo.py --wsol configs/wsol/cam/cam_demo.py --images 4 '
        '--proposals 20 --size 96 128 --workers 0 1',
    ),
    Benchmark(
        'Large data sets',
        'This build beside an older commit, on synthetic files, each in a process of its own. '
        'Resident memory includes the libraries; what is added does not. The last row of a '
        'workload is of several processes, which share the work.',
        'python benchmarks/scale.py --images 20000',
        '--images 100 --processes 2',
    ),
)
