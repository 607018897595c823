# Rows of configs/oicr/README.md#surroundings, three seeds each, for tools/retrain.py: a training on
# train, mAP on val, CorLoc on train. Caches: README.md.
work_dir = 'work_dirs/voc07_rows'
seeds = (0, 1, 2)
rows = dict(
    wsddn='wsddn/wsddn_lite0-context_voc07-train',
    oicr='oicr/oicr_lite0-context_voc07-train',
    pcl='mist/mist_lite0-context_voc07-train_pcl',
    mist_no_reg='mist/mist_lite0-context_voc07-train_no-drop',
    mist='mist/mist_lite0-context_voc07-train_no-drop_reg',
    dropblock='mist/mist_lite0-context_voc07-train_dropblock',
    concrete='mist/mist_lite0-context_voc07-train',
)
# trained on cells of a box, which take maps; in tests nothing is dropped, and the mean of the cells
# is that of the box
drop_rows = ('dropblock', 'concrete')
schedule = {
    'train_cfg.max_epochs': 4,
    'train_cfg.val_interval': 4,
    'param_scheduler.1.milestones': [3],
    'default_hooks.checkpoint.interval': 4,
}

stages = []
for row, file in rows.items():
    drops = row in drop_rows
    test_file = rows['mist_no_reg'] if drops else file
    cached = {
        # selective search alone, which has no scores to choose by
        'train_dataloader.dataset.pipeline.1.max_num': None,
        'train_dataloader.dataset.pipeline.1.num_sample': 256,
        'default_hooks.cached.type': 'wsl_plugins.CachedRoIFeatures',
        'default_hooks.cached.cache': f'{work_dir}/vectors',
    }
    maps = {'default_hooks.cached.cache': f'{work_dir}/maps'} if drops else {}
    for seed in seeds:
        training = f'{row}-{seed}'
        options = {**cached, **maps, **schedule, 'randomness.seed': seed}
        stages.append(dict(name=training, tool='train', args=[f'{file}.py'], cfg_options=options))
        for name, end in ((f'{training}-map', ''), (f'{training}-corloc', '_corloc')):
            args = [f'{test_file}{end}.py', f'{{{training}}}']
            stages.append(dict(name=name, tool='test', args=args, cfg_options=cached))
