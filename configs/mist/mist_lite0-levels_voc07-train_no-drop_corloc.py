# CorLoc: the top box of each class on the training images
_base_ = './mist_lite0-levels_voc07-train_no-drop.py'

model = dict(test_cfg=dict(rcnn=dict(score_thr=0.0, max_per_img=-1)))
test_dataloader = {{_base_.corloc_dataloader}}
test_evaluator = dict(_delete_=True, type='wsl_plugins.CorLocMetric')
