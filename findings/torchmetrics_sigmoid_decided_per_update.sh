#!/usr/bin/env bash
# torchmetrics' average precision (and ROC, AUROC, F1, ... for binary and multilabel tasks) applies
# a sigmoid to scores that are not all in [0, 1], and decides it anew in each update(): logits of a
# batch that happen to lie between 0 and 1 stay as they are, those of the next batch are squashed,
# and both go into one ranking. The result depends on how the images were put into batches.
#
# What one expects: the same images and scores give the same number, whatever the size of the batch.
# Who meets it: evaluation image by image, or a last batch of one or two images, with a model that
# returns logits: a sigmoid before update() mends it.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, torchmetrics 1.9.0, a perfect ranking of six:
#   one batch of six:  AP 1.0 AUROC 1.0
#   three of two:      AP 0.75 AUROC 0.75
#   six batches of one: AP 0.75 AUROC 0.75
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 torchmetrics==1.9.0 \
    numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import sys

import torch
import torchmetrics
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision

LOGITS = torch.tensor([3.0, 2.0, 0.95, 0.9, 0.1, -1.0])
TRUTH = torch.tensor([1, 1, 0, 0, 0, 0])


def score(batch):
    values = []
    for metric in (BinaryAveragePrecision(), BinaryAUROC()):
        for start in range(0, len(LOGITS), batch):
            metric.update(LOGITS[start : start + batch], TRUTH[start : start + batch])
        values.append(round(float(metric.compute()), 3))
    return values


print('Python', sys.version.split()[0], 'torch', torch.__version__, end=' ')
print('torchmetrics', torchmetrics.__version__)
for label, batch in (('one batch of six: ', 6), ('three of two:     ', 2), ('six batches of one:', 1)):
    print(label, 'AP {} AUROC {}'.format(*score(batch)))
assert score(6) == [1.0, 1.0] and score(2) == score(1) == [0.75, 0.75], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
