"""Random search of a WSOL method: train on train-weaksup, choose on train-fullsup, test once."""

import argparse
import signal
import sys
from pathlib import Path

import optuna

from wsl_plugins.config_options import SetOptions
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.search import (
    analyse_test,
    close_search,
    evaluate_once,
    read_space,
    run_trials,
    start_study,
    table5_space,
    training_config,
)
from wsl_plugins.search.figure import draw_report
from wsl_plugins.search.parameters import check_space
from wsl_plugins.search.protocol import read_config
from wsl_plugins.search.report import (
    HEADER,
    kendall_tau,
    markdown,
    read_scores,
    summarise_all,
    table_rows,
    write_csv,
    write_scores,
)
from wsl_plugins.search.trials import open_trials, status_line

TOOLS = Path(__file__).resolve().parent
TRAIN, TEST = TOOLS / 'train.py', TOOLS / 'test.py'
EXAMPLE = """example:
  python tools/wsol_search.py run configs/wsol/cam/cam_resnet50_cub.py --work-dir work_dirs/s_cam
  python tools/wsol_search.py close work_dirs/s_cam
  python tools/wsol_search.py test work_dirs/s_cam
  python tools/wsol_search.py report work_dirs/s_cam work_dirs/s_has --out work_dirs/report

A search that was stopped continues when the same command is given again; the same command on
several machines shares the trials, given one work folder for all."""


def run(args: argparse.Namespace) -> None:
    cfg = read_config(args.config, args.cfg_options)
    method, space = table5_space(cfg)
    if args.space:
        space = read_space(args.space)
    check_space(training_config(cfg, args.proxy), space)
    study = start_study(
        args.work_dir,
        cfg,
        method,
        space,
        trials=args.trials,
        storage=args.storage,
        seed=args.seed,
        proxy=args.proxy,
        metric=args.metric,
    )
    print(f'{method}: {len(space)} parameters: {", ".join(p.name for p in space)}', flush=True)
    run_trials(
        study,
        cfg,
        space,
        TRAIN,
        args.launcher,
        args.timeout,
        echo=lambda line: print(line, flush=True),
    )
    print('\n'.join([status_line(study), *open_trials(study)]))
    failed = study.trials(optuna.trial.TrialState.FAIL)
    if len(failed) == study.info['trials']:
        raise RuntimeError(f'all trials failed; the first: {failed[0].user_attrs["error"]}')


def close(args: argparse.Namespace) -> None:
    closed = close_search(args.folder, TRAIN, args.launcher)
    print(f'closed: trial {closed["trial"]}, {closed["metric"]} {closed["score"]:.4g}')
    if closed['retrained']:
        print(f'trained on the whole set: {closed["metric"]} {closed["retrained"]["score"]:.4g}')
    for name, value in closed['params'].items():
        print(f'  {name} = {value}')
    print(f'checkpoint: {Path(args.folder) / closed["checkpoint"]}')


def test(args: argparse.Namespace) -> None:
    result, kept = evaluate_once(args.folder, TEST, args.launcher)
    if kept:
        print('already evaluated; the kept result is:')
    print(f'test of trial {result["trial"]}: {result["metric"]} {result["score"]:.4g}')
    for name, value in result['metrics'].items():
        print(f'  {name} = {value}')


def report(args: argparse.Namespace) -> None:
    if args.kendall:
        if args.folders:
            raise ValueError('--kendall compares two score files, without study folders')
        scores = [read_scores(path) for path in args.kendall]
        shared = scores[0].keys() & scores[1].keys()
        left_out = len(scores[0].keys() | scores[1].keys()) - len(shared)
        print(f"Kendall's tau: {kendall_tau(*scores):.4f} over {len(shared)} trials")
        if left_out:
            print(f'{left_out} trials stand in one file only and are left out')
        return
    if not args.folders:
        raise ValueError('report needs study folders, or --kendall A.csv B.csv')
    summaries = summarise_all(args.folders)
    args.out.mkdir(parents=True, exist_ok=True)
    write_csv([HEADER, *table_rows(summaries)], args.out / 'report.csv')
    with atomic_write(args.out / 'report.md') as file:
        file.write(markdown(summaries).encode())
    for folder, summary in zip(args.folders, summaries, strict=True):
        write_scores(summary.scores, args.out / f'scores_{Path(folder).resolve().name}.csv')
    draw_report(summaries, args.out / 'report.png', args.baseline)
    print(markdown(summaries), end='')
    print(f'{args.out}: report.csv, report.md, report.png, scores_*.csv (of converged trials)')


def analysis(args: argparse.Namespace) -> None:
    tau = analyse_test(args.folder, TEST, args.launcher)
    print(f"Kendall's tau between train-fullsup and test: {tau:.4f} (converged trials)")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')

    def command(name: str, function, about: str, folder: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(function=function)
        if folder:
            sub.add_argument('folder', help='work folder of the search')
        if name != 'report':
            sub.add_argument(
                '--launcher',
                metavar='WORDS',
                help='before each command: "torchrun --standalone --nproc_per_node=2", "srun ...", '
                '"env CUDA_VISIBLE_DEVICES=1"',
            )
        return sub

    sub = command('run', run, 'train and validate the trials', folder=False)
    sub.add_argument('config', help='config of the method')
    sub.add_argument('--work-dir', required=True, metavar='DIR', help='folder of the search')
    sub.add_argument(
        '--trials', type=int, default=30, metavar='N', help='trials of the search; default: 30'
    )
    sub.add_argument(
        '--storage',
        metavar='URL|FILE',
        help='data base or journal file of the trials; default: DIR/trials.journal',
    )
    sub.add_argument('--seed', type=int, metavar='N', help='of the settings; default: 0')
    sub.add_argument(
        '--proxy', action='store_true', help='train on the proxy subset (image_ids_proxy.txt)'
    )
    sub.add_argument('--metric', help='key to maximise; default: wsol/MaxBoxAccV2')
    sub.add_argument(
        '--space', metavar='FILE.json', help="own search space; default: the method's of table 5"
    )
    sub.add_argument(
        '--timeout', type=float, metavar='SECONDS', help='start no trial after this time'
    )
    sub.add_argument(
        '--cfg-options', nargs='+', action=SetOptions, metavar='KEY=VALUE', help='change the config'
    )

    command('close', close, 'choose the best converged trial and close the search')
    command('test', test, 'evaluate the chosen model on test, once')

    sub = command('report', report, 'table and figure over searches', folder=False)
    sub.add_argument('folders', nargs='*', metavar='DIR', help='work folders of searches')
    sub.add_argument('--out', type=Path, default=Path('report'), metavar='DIR')
    sub.add_argument('--baseline', type=float, help='score to draw as a line')
    sub.add_argument(
        '--kendall', nargs=2, metavar='FILE.csv', help="Kendall's tau of two score files"
    )

    command(
        'analysis-test-all', analysis, 'after `test`: evaluate all converged trials, Kendall tau'
    )
    return parser.parse_args()


def end(*_) -> None:
    raise KeyboardInterrupt


def main() -> int:
    args = parse_args()
    signal.signal(signal.SIGTERM, end)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        args.function(args)
    except (ValueError, OSError, RuntimeError) as error:
        print(f'wsol_search: error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('stopped; the same command continues here', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
