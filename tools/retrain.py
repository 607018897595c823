"""From a weakly supervised detector to one that is deployed: stages, each an ordinary command.

The config names them: detections of the training images, pseudo boxes, a detector of mmdet trained
on them, images split, a semi-supervised training, tests in between. A complete stage is skipped,
one that was begun goes on: the same command continues. Ends with a table of the stages and, where
the config compares test stages, a page with their pictures (WORK_DIR/report.html).

Example:
    python tools/retrain.py projects/retraining/stages_voc07.py --dry-run
    python tools/retrain.py CONFIG --launch 'torchrun --nproc-per-node 8'
"""

import argparse
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from terminaltables import AsciiTable

import wsl_plugins.engine.quiet_imports  # noqa: F401  (first: the hosts print when imported)
from wsl_plugins.engine.stage_config import read_stages
from wsl_plugins.engine.stages import SCRIPTS, Stage
from wsl_plugins.files.locks import lock_folder
from wsl_plugins.files.writing import write_json
from wsl_plugins.visualization.report import write_report
from wsl_plugins.visualization.report.stages import compare_stages, stage_table
from wsl_plugins_cli import spelled

TOOLS = Path(__file__).absolute().parent


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of the stages')
    parser.add_argument('--work-dir', help="default: the config's, else work_dirs/CONFIG_NAME")
    parser.add_argument(
        '--only', nargs='+', metavar='NAME', help='run these stages; what they need must be there'
    )
    parser.add_argument(
        '--launch',
        metavar='COMMAND',
        help="what starts trainings and tests: 'torchrun --nproc-per-node 8', 'srun --gres gpu:8 "
        "--ntasks 8' (default: one process)",
    )
    parser.add_argument('--dry-run', action='store_true', help='print the commands, run nothing')
    return parser.parse_args()


def command_of(stage: Stage, results: dict[str, str], launch: str | None) -> list[str]:
    """The whole command of a stage.

    Raises:
        ValueError: ``launch`` starts with neither torchrun nor srun.
    """
    script = [str(TOOLS / SCRIPTS[stage.tool]), *stage.command(results)]
    if not launch or stage.tool not in ('train', 'test'):
        return [sys.executable, *script]
    first, *rest = shlex.split(launch)
    if first == 'torchrun':
        return [sys.executable, str(TOOLS / 'launch.py'), *rest, *script, '--launcher', 'pytorch']
    if first == 'srun':
        return [first, *rest, sys.executable, '-u', *script, '--launcher', 'slurm']
    raise ValueError(f'--launch must start with torchrun or srun, got {launch!r}')


def show(command: list[str]) -> None:
    """Print a command so that it can be given by hand."""
    shown = ['python' if part == sys.executable else part for part in command]
    print(f'$ {shlex.join(shown)}', flush=True)


def run(args: argparse.Namespace) -> int:
    """Run what is to be run; the exit status of the command that failed, or 0."""
    stages, compared = read_stages(args.config, args.work_dir)
    work_dir = stages[0].folder.parent
    names = [stage.name for stage in stages]
    for name in args.only or ():
        if name not in names:
            raise ValueError(f'--only: no stage {name!r}; there are {names}')
    if args.dry_run:
        for stage in stages:
            results = {name: f'{{{name}}}' for name in names}
            print(f'\n{stage.name}: {"complete" if stage.done() else "to do"}')
            show(command_of(stage, results, args.launch))
        return 0
    with lock_folder(work_dir, 'runs the stages') as lock:
        results: dict[str, str] = {}
        digests: dict[str, str] = {}
        for stage in stages:
            status = run_stage(stage, results, digests, args, lock.fileno())
            if status:
                return status
        finish(stages, compared, work_dir)
    return 0


def run_stage(
    stage: Stage,
    results: dict[str, str],
    digests: dict[str, str],
    args: argparse.Namespace,
    lock: int,
) -> int:
    """Run a stage unless it is complete or not asked for; the exit status of its command."""
    asked = not args.only or stage.name in args.only
    lacking = [name for name in stage.inputs if name not in results]
    if asked and lacking:
        raise ValueError(f'the stage {stage.name} needs {lacking}, which are not complete')
    if lacking:
        return 0
    done = stage.done()
    if asked or done:
        stage.begin(stage.job(digests))
    if done:
        print(f'{stage.name}: complete ({stage.folder})', flush=True)
    elif asked:
        print(f'\n{stage.name}:', flush=True)
        command = command_of(stage, results, args.launch)
        show(command)
        status = wait_for(subprocess.Popen(command, pass_fds=(lock,)))
        if status:
            again = spelled('python tools/retrain.py')
            print(
                f'retrain: the stage {stage.name} ended with status {status}; '
                f'{again} {shlex.join(sys.argv[1:])} continues here',
                file=sys.stderr,
            )
            return status if status > 0 else 128 - status
        stage.finish()
        done = stage.done()
    if done:
        results[stage.name], digests[stage.name] = done['result'], done['sha256']
    return 0


def wait_for(process: subprocess.Popen) -> int:
    """Exit status of a command, which has the lock too: one that outlives this process keeps it.

    Ctrl-C reaches it by itself, SIGTERM is passed on; it may write its checkpoint to the end.
    """
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def finish(stages: list[Stage], compared: list[str], work_dir: Path) -> None:
    """The table, and the page if pictures are compared."""
    complete = {stage.name: stage.folder for stage in stages if stage.done()}
    head, rows = stage_table(complete)
    print('\n' + AsciiTable([head, *rows]).table)
    write_json(work_dir / 'stages.json', [dict(zip(head, row, strict=True)) for row in rows])
    chosen = {name: complete[name] for name in compared if name in complete}
    if chosen:
        count = compare_stages(chosen, work_dir / 'compared')
        path, _ = write_report(work_dir)
        print(f'{count} images with the boxes of {len(chosen)} stages: {path}')


def main() -> int:
    args = parse_args()
    try:
        return run(args)
    except (ValueError, OSError) as error:
        print(f'retrain: error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f'stopped; the same command continues: {shlex.join(sys.argv)}', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main())
