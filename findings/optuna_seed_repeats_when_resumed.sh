#!/usr/bin/env bash
# An Optuna study with a seeded sampler that is resumed from its storage, in a new process or with a
# new sampler object, starts the random numbers again: RandomSampler tries exactly the points it has
# tried, TPESampler its whole start-up phase. Optuna evaluates them again, without a message.
#
# What one expects: load_if_exists=True continues the study: new points, since the study knows its
# old ones.
# Who meets it: searches that are run in pieces (jobs with a time limit), or several workers that
# are started with the same command. GPU hours for nothing, and a best value of far fewer tries than
# the number of trials says.
#
# Seen on 2026-11-29 with Python 3.11, optuna 5.0.0, two pieces of five trials:
#   RandomSampler(seed=0): 10 trials, 5 different points
#   TPESampler(seed=0): 10 trials, 5 different points
#   TPESampler(): 10 trials, 10 different points
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0
cat > "$folder/case.py" <<'PYTHON'
import sys

import optuna
from optuna.samplers import RandomSampler, TPESampler

FOLDER = sys.argv[1]


def search(name, make_sampler):
    for _ in range(2):
        study = optuna.create_study(
            study_name=name,
            storage=f'sqlite:///{FOLDER}/studies.db',
            load_if_exists=True,
            sampler=make_sampler(),
        )
        study.optimize(lambda trial: trial.suggest_float('rate', 0, 1) ** 2, n_trials=5)
    points = [trial.params['rate'] for trial in study.trials]
    print(f'{name}: {len(points)} trials, {len(set(points))} different points')
    return len(points), len(set(points))


optuna.logging.set_verbosity(optuna.logging.WARNING)
print('Python', sys.version.split()[0], 'optuna', optuna.__version__)
assert search('RandomSampler(seed=0)', lambda: RandomSampler(seed=0)) == (10, 5), 'it has changed'
assert search('TPESampler(seed=0)', lambda: TPESampler(seed=0)) == (10, 5), 'it has changed'
assert search('TPESampler()', TPESampler) == (10, 10), 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py" "$folder"
