_base_ = [
    '../_base_/models/wsddn_demo.py',
    '../_base_/datasets/demo_wsod.py',
    '../_base_/schedules/demo_12e.py',
    '../_base_/default_runtime.py',
]
