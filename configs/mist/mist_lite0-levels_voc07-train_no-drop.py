# means of three levels of the network in place of the last one: objects of a few cells, too
_base_ = './mist_lite0-context_voc07-train_no-drop.py'

channels = [40, 112, 320]
model = dict(
    backbone=dict(out_indices=(2, 3, 4), centred=False),
    roi_head=dict(
        in_channels=2 * sum(channels),
        bbox_roi_extractor=dict(stride=[8, 16, 16], offset=0.5),
        shared_head=[
            dict(type='wsl_plugins.NormalizedAvgPool', scale=5.0, dropout=0.5, groups=channels * 2)
        ],
    ),
)
