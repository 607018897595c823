"""``wsl-plugins COMMAND ...``: the tools of this package from any folder, without a clone.

Stands beside the package, not in it, since ``import wsl_plugins`` imports torch and mmcv: the list
of commands and a misspelled one are answered without them. The scripts are those of ``tools/``,
which ``wsl_plugins/.mim`` holds; their configs are found by name (``mist/mist_vgg16_voc07.py``).
"""

import argparse
import difflib
import importlib.util
import re
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import NoReturn

NAME = 'wsl-plugins'
# heading -> command: (script below tools/, what it does)
COMMANDS = {
    'train and test': {
        'train': ('train.py', 'train a model from a config'),
        'test': ('test.py', 'test a checkpoint'),
        'retrain': ('retrain.py', 'from pseudo boxes to a detector of mmdet, in stages'),
        'cache-features': ('cache_features.py', 'features of frozen layers, for faster training'),
        'infer': ('infer.py', "detections or heat maps of one's own images"),
        'export': ('export.py', 'a trained model as an ONNX file'),
        'visualize': ('visualize.py', 'ground truth, pseudo boxes and detections side by side'),
        'report': ('report.py', 'one HTML page about a training'),
        'search': ('wsol_search.py', 'search of hyperparameters of a localizer'),
    },
    'data': {
        'prepare': ('prepare_dataset.py', "one's own images: data, proposals and a config"),
        'proposals': (
            'make_proposals.py',
            'selective search, edge boxes, dlib, a detector, SAM',
        ),
        'convert-proposals': ('convert_proposals.py', 'proposals from and to other formats'),
        'proposal-stats': ('proposal_stats.py', 'number and recall of proposals'),
        'convert-wsol-metadata': ('convert_wsol_metadata.py', 'metadata of CUB, ImageNet, ...'),
        'pseudo-boxes': ('make_pseudo_boxes.py', 'boxes by DDT, from score maps or detections'),
        'convert-boxes': ('convert_boxes.py', 'boxes to and from annotation tools'),
        'doubtful': ('rank_images.py', 'which images a person should look at first'),
        'split-images': (
            'split_images.py',
            'images by how well a detector fits their boxes',
        ),
        'noisy-boxes': ('make_noisy_boxes.py', 'boxes of which a known share is wrong'),
    },
    'weights': {
        'convert-weights': ('model_converters/convert.py', 'published weights for a config'),
        'publish': ('model_converters/publish.py', 'reduce a checkpoint to its model'),
    },
    'results': {
        'combine': ('combine_predictions.py', "one model's boxes with another one's classes"),
        'eval-score-maps': ('eval_score_maps.py', 'score a folder of score maps'),
        'error-modes': ('analysis/error_modes.py', 'where the boxes of detectors lie'),
        'annotator': ('analysis/annotator.py', 'what a person who corrects boxes gains'),
        'model-cost': ('analysis/model_cost.py', 'parameters and time per batch of models'),
        'memory': ('analysis/memory_benchmark.py', 'time and memory of sequential batches'),
        'label-noise': ('analysis/label_noise.py', 'what wrong pseudo boxes do'),
    },
    'generated images': {
        'demo': ('demo.py', 'data, proposals, training, test and pictures in this folder'),
        'demo-methods': ('demo_methods.py', 'a table of methods, several seeds'),
        'demo-sdcn': ('demo_sdcn.py', 'the stages of SDCN, several seeds'),
        'demo-data': ('make_demo_dataset.py', 'draw the data set of detection'),
        'wsol-demo-data': ('make_wsol_demo.py', 'draw the data set of localization'),
    },
    'help': {
        'env': ('collect_env.py', 'versions, for a bug report'),
        'run': ('', 'run SCRIPT ...: any script, such as that of mmdet, after import wsl_plugins'),
    },
}
SCRIPTS = {name: script for group in COMMANDS.values() for name, (script, _) in group.items()}


def overview() -> str:
    """The commands, a line each, with their scripts."""
    lines = [f'usage: {NAME} COMMAND ...    ({NAME} COMMAND --help tells more)', '']
    for heading, commands in COMMANDS.items():
        lines.append(f'{heading}:')
        for name, (script, text) in commands.items():
            lines.append(f'  {name:<22} {text}{f"  [{script}]" if script else ""}')
    lines += [
        '',
        'Configs are files, or names of packaged ones: mist/mist_demo.py. Where a document or a',
        f'message says tools/SCRIPT, here it is {NAME} COMMAND. Several processes:',
        'torchrun --nproc-per-node 2 -m wsl_plugins train CONFIG --launcher pytorch',
    ]
    return '\n'.join(lines)


def tools_folder() -> Path:
    """Where the scripts lie; nothing is imported.

    Raises:
        FileNotFoundError: The package is incomplete, as in a clone without symbolic links.
    """
    spec = importlib.util.find_spec('wsl_plugins')
    folder = Path(spec.origin).parent / '.mim' / 'tools' if spec and spec.origin else None
    if folder is None or not (folder / 'train.py').is_file():
        raise FileNotFoundError(f'{folder or "wsl_plugins"} has no tools: install the package anew')
    return folder.resolve()


def spelled(text: str) -> str:
    """``python tools/train.py`` and ``tools/train.py`` as they are called here.

    Example:
        >>> sys.argv[0] = 'wsl-plugins report'
        >>> spelled('python tools/train.py CONFIG, then tools/list.py')
        'wsl-plugins train CONFIG, then tools/list.py'
    """
    if not sys.argv[0].startswith(f'{NAME} '):
        return text
    names = {script: name for name, script in SCRIPTS.items()}

    def command(match: re.Match) -> str:
        name = names.get(match[1])
        return match[0] if name is None else f'{NAME} {name}'

    return re.sub(r'(?:python )?(?<![\w/.-])tools/((?:\w+/)?\w+\.py)', command, text)


def run_script(path: Path, name: str, args: list[str]) -> None:
    """Run a script as ``python path *args`` does, but for its name in usage lines.

    It becomes ``__main__``, so that processes it starts find it, and its folder comes first where
    modules are looked for. (runpy.run_path would set ``sys.argv[0]`` to the path.)
    """
    sys.argv = [name, *args]
    path = path.absolute()
    sys.path.insert(0, str(path.parent))
    main = sys.modules['__main__'] = ModuleType('__main__')
    main.__file__ = str(path)
    exec(compile(path.read_bytes(), str(path), 'exec'), main.__dict__)


def fail(message: str) -> NoReturn:
    """End with status 2 and one line."""
    print(f'{NAME}: error: {message}', file=sys.stderr)
    raise SystemExit(2)


def unknown(name: str) -> NoReturn:
    """End and say which commands are spelled like ``name``, also by their scripts."""
    spellings = {name: name for name in SCRIPTS}
    spellings |= {Path(script).stem.replace('_', '-'): name for name, script in SCRIPTS.items()}
    close = difflib.get_close_matches(name.replace('_', '-'), spellings, n=3)
    likely = ', '.join(dict.fromkeys(spellings[word] for word in close))
    fail(f'no command {name!r}' + (f'; like it: {likely}' if likely else f' ({NAME} --help)'))


def run_any(args: list[str]) -> None:
    """``wsl-plugins run SCRIPT ...``: ``python SCRIPT ...`` after ``import wsl_plugins``."""
    if not args or not Path(args[0]).is_file():
        fail(f'no script {args[0]!r}' if args else f'usage: {NAME} run SCRIPT ...')
    import wsl_plugins  # noqa: F401

    run_script(Path(args[0]), args[0], args[1:])


def run_tool(name: str, args: list[str]) -> None:
    """A script of ``tools/``; its help spells commands as they are called here."""
    try:
        script = tools_folder() / SCRIPTS[name]
    except FileNotFoundError as error:
        fail(str(error))
    written = argparse.HelpFormatter.format_help
    argparse.HelpFormatter.format_help = lambda self: spelled(written(self))  # type: ignore[method-assign]
    run_script(script, f'{NAME} {name}', args)


def main() -> None:
    started = sys.modules['__main__']  # noqa: F841 (a module that is let go loses its names)
    name, *args = sys.argv[1:] or ['--help']
    if name in ('-h', '--help'):
        print(overview())
    elif name == '--version':
        print(f'wsl_plugins {metadata.version("wsl_plugins")}')
    elif name not in SCRIPTS:
        unknown(name)
    elif name == 'run':
        run_any(args)
    else:
        run_tool(name, args)


if __name__ == '__main__':
    main()
