#!/usr/bin/env bash
# ONNX's NonMaxSuppression whose optional input max_output_boxes_per_class is left out returns no
# box at all, whatever the scores, and with the limit but without the optional iou_threshold it
# removes every box that so much as touches a better one by a sliver: the defaults of the standard
# are 0 for both. onnxruntime does it without a message.
#
# What one expects: no limit where none is given, as in torchvision.ops.nms, which knows none; a
# usual threshold such as 0.5, or an error.
# Who meets it: everyone who adds suppression to an exported detector by hand. The model runs, is of
# the right shape, and detects nothing; or it loses one of two neighbours and the mAP is low.
#
# Seen on 2026-11-29 with Python 3.11, onnxruntime 1.32.0, onnx 1.23.2, numpy 2.2.6, boxes [0 0 10
# 10] and [9.9 9.9 20 20], whose overlap is 0.00005:
#   boxes, scores:                 0 boxes
#   boxes, scores, limit:          1 box
#   boxes, scores, limit, overlap: 2 boxes
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 \
    numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

INPUTS = {
    'boxes': np.array([[[0, 0, 10, 10], [9.9, 9.9, 20, 20]]], np.float32),
    'scores': np.array([[[0.9, 0.8]]], np.float32),
    'limit': np.array([100]),
    'overlap': np.array([0.5], np.float32),
}


def suppress(*names):
    feeds = {name: INPUTS[name] for name in names}
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for n, v in feeds.items()
    ]
    kept = helper.make_tensor_value_info('kept', TensorProto.INT64, [None, 3])
    node = helper.make_node('NonMaxSuppression', names, ['kept'])
    model = helper.make_model(
        helper.make_graph([node], 'case', inputs, [kept]),
        opset_imports=[helper.make_opsetid('', 17)],
        ir_version=8,
    )
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider']
    )
    return len(session.run(None, feeds)[0])


print('Python', sys.version.split()[0], 'onnxruntime', onnxruntime.__version__, 'onnx', onnx.__version__)
names = list(INPUTS)
counts = [suppress(*names[:n]) for n in (2, 3, 4)]
print('boxes, scores:                ', counts[0], 'boxes')
print('boxes, scores, limit:         ', counts[1], 'box')
print('boxes, scores, limit, overlap:', counts[2], 'boxes')
assert counts == [0, 1, 2], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
