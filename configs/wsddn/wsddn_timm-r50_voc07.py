_base_ = [
    '../_base_/models/wsddn_timm-r50.py',
    '../_base_/datasets/voc07_wsod.py',
    '../_base_/schedules/voc_28e.py',
    '../_base_/sequential_batch_runtime.py',
]
