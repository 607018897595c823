# The generated data set, boxes by DDT from the features of a classifier trained on its labels:
#   python tools/make_wsol_demo.py --out data/wsol_demo
#   python tools/train.py configs/wsol/cam/cam_demo.py
#   python tools/make_pseudo_boxes.py ddt configs/wsol/cam/cam_demo.py \
#       --weights work_dirs/cam_demo/epoch_10.pth --input-size 96 \
#       --metadata-root data/wsol_demo/metadata --data-root data/wsol_demo/images \
#       --out data/wsol_demo/pseudo_boxes.json
#   python tools/train.py configs/psol/psol_demo.py
_base_ = [
    '../_base_/models/psol_resnet18_demo.py',
    '../_base_/datasets/psol_demo.py',
    '../_base_/schedules/psol_30e.py',
    '../_base_/psol_runtime.py',
]
