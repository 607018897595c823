# from scratch: here the backbone learns too
_base_ = '../cam/cam_demo.py'
model = dict(head=dict(type='wsl_plugins.TriLiteHead'))
