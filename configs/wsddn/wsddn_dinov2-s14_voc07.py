_base_ = [
    '../_base_/models/wsddn_dinov2-s14.py',
    '../_base_/datasets/voc07_wsod.py',
    '../_base_/schedules/voc_28e.py',
    '../_base_/default_runtime.py',
]
