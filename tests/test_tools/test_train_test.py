"""tools/train.py, tools/test.py and their launchers, run as commands on a tiny detector."""

import json
import os
import pickle
import re
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
CONFIG = """
classes = ('ring', 'star', 'cross', 'checker', 'wedge')
default_scope = 'mmdet'
load = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(64, 64)),
]
meta = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction')
test_pipeline = [*load, dict(type='PackDetInputs', meta_keys=meta[:5])]


def voc(split, pipeline):
    return dict(
        type='VOCDataset', data_root={data!r}, ann_file=f'VOC2007/ImageSets/Main/{{split}}.txt',
        data_prefix=dict(sub_data_root='VOC2007/'), metainfo=dict(classes=classes),
        pipeline=pipeline)


train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=voc('train', test_pipeline))
test_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=voc('test', test_pipeline))
test_evaluator = dict(type='VOCMetric', metric='mAP', eval_mode='11points')
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9),
    clip_grad=dict(max_norm=5))
auto_scale_lr = dict(enable=False, base_batch_size=4)
randomness = dict(seed=0)
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', interval=1),
    visualization=dict(type='DetVisualizationHook'))
visualizer = dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
model = dict(
    type='RetinaNet',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[114.] * 3, std=[58.] * 3),
    backbone=dict(
        type='ResNet', depth=18, base_channels=8, out_indices=(1, 2, 3), norm_eval=False),
    neck=dict(type='FPN', in_channels=[16, 32, 64], out_channels=16, num_outs=3),
    bbox_head=dict(
        type='RetinaHead', num_classes=5, in_channels=16, feat_channels=16, stacked_convs=1,
        anchor_generator=dict(
            type='AnchorGenerator', octave_base_scale=4, scales_per_octave=1, ratios=[1.0],
            strides=[8, 16, 32]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True),
        loss_bbox=dict(type='L1Loss')),
    train_cfg=dict(
        assigner=dict(
            type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0),
        sampler=dict(type='PseudoSampler'), allowed_border=-1, pos_weight=-1),
    test_cfg=dict(
        nms_pre=50, min_bbox_size=0, score_thr=0.0, max_per_img=10,
        nms=dict(type='nms', iou_threshold=0.5)))
"""
TTA = """
_base_ = 'tiny.py'
tta_model = dict(
    type='DetTTAModel', tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=10))
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='Resize', scale=(64, 64)), dict(type='Resize', scale=(96, 96))],
        [dict(type='RandomFlip', prob=1.), dict(type='RandomFlip', prob=0.)],
        [dict(type='LoadAnnotations', with_bbox=True)],
        [dict(type='PackDetInputs', meta_keys={{_base_.meta}})]])]
"""


def command(arguments, **env):
    """Run from the root of the repository, without GPUs; stdout and stderr together."""
    fixed = dict(OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='-1', PYTHONPATH=str(ROOT))
    return subprocess.run(
        [*map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **fixed, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def tool(name, *arguments):
    return command([sys.executable, f'tools/{name}.py', *arguments])


@pytest.fixture
def forked(forks):
    """``tool`` in a fork, which imports nothing."""
    fixed = dict(OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='-1', PYTHONPATH=str(ROOT))

    def run(name, *arguments):
        env = {**os.environ, **fixed}
        return forks.run(f'tools/{name}.py', *arguments, env=env, together=True)

    return run


def succeed(result):
    assert result.returncode == 0, result.stdout[-3000:]
    return result.stdout


@pytest.fixture
def fails(monkeypatch):
    """Run a tool inside this process; it must end with one line that holds the words."""

    def check(name, *arguments, words):
        monkeypatch.syspath_prepend(str(ROOT / 'tools'))
        monkeypatch.setenv('LOCAL_RANK', '0')
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / 'tools' / f'{name}.py'), run_name='__main__')
        message = ended.value.code
        assert message.startswith('error: ') and '\n' not in message
        for word in words:
            assert str(word) in message

    return check


def weights(path):
    return torch.load(path, weights_only=False)['state_dict']


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    """A folder with a space in its name: data (6 + 4 images), configs and one finished training."""
    home = tmp_path_factory.mktemp('tools') / 'with space'
    data = home / 'data'
    succeed(tool('make_demo_dataset', data, '--train', 6, '--test', 4, '--size', 64))
    (home / 'tiny.py').write_text(CONFIG.format(data=str(data)))
    (home / 'tiny_tta.py').write_text(TTA)
    output = succeed(tool('train', home / 'tiny.py', '--work-dir', home / 'full'))
    assert 'Epoch(train) [2][3/3]' in output
    (home / 'printed.txt').write_text(output)
    return home


@pytest.fixture(scope='module')
def checkpoint(home):
    return home / 'full' / 'epoch_2.pth'


def test_one_screen_before_the_first_loss(home):
    """What is trained, on what, where to; a loss of the first iteration; the rest in the log."""
    printed = (home / 'printed.txt').read_text()
    before = printed.partition('Epoch(train)')[0].splitlines()
    assert len(before) <= 12
    lines = dict(line.split(maxsplit=1) for line in before[1:])
    assert lines['config'] == str(home / 'tiny.py')
    assert lines['model'].startswith('RetinaNet (ResNet, RetinaHead), 0.')
    assert lines['starts'] == 'from random weights'
    assert lines['images'] == '6 to train with; 5 classes: ring, star, cross, checker, wedge'
    assert lines['steps'] == '2 epochs of 3 iterations, iterations of 2 images'
    (log,) = (home / 'full').glob('*/*.log')
    assert lines['writes'].endswith(f'{home}/full; all that is not printed here: {log}')
    assert 'Epoch(train) [1][1/3]' in printed and 'eta: ' in printed
    assert 'about ' in printed and ' to go: ' in printed
    hidden = ('System environment', 'Hooks will be executed', 'optim_wrapper = dict(')
    for words in (*hidden, 'OneDL', 'faster_coco_eval', 'FileClient'):
        assert words not in printed
    for words in hidden:
        assert words in log.read_text()


def test_verbose_prints_all(home, forked):
    options = ['--cfg-options', 'train_cfg.max_epochs=1', '--verbose']
    output = succeed(forked('train', home / 'tiny.py', '--work-dir', home / 'verbose', *options))
    for words in ('System environment', 'Hooks will be executed', 'optim_wrapper = dict('):
        assert words in output


def test_without_a_network(home, fails, monkeypatch, tmp_path):
    """One line that says which file to bring, and where to."""

    def absent(*args, **kwargs):
        raise socket.gaierror(-3, 'Temporary failure in name resolution')

    monkeypatch.setattr(socket, 'getaddrinfo', absent)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    words = ['not downloaded', 'name resolution', tmp_path]
    name = 'torchvision://resnet18'
    backbone = f"backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='{name}'))"
    (home / 'weights.py').write_text(f"_base_ = 'tiny.py'\nmodel = dict({backbone})\n")
    to = ['--work-dir', home / 'offline']
    fails('train', home / 'weights.py', *to, words=[*words, name, 'resnet18-f37072fd.pth'])
    start = ['--cfg-options', 'load_from=https://a.org/b.pth']
    fails('train', home / 'tiny.py', *to, *start, words=[*words, 'https://a.org/b.pth'])
    fails('test', home / 'tiny.py', 'https://a.org/b.pth', words=[*words, 'https://a.org/b.pth'])


def test_missing_logger_is_one_line(home, fails, monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch.utils.tensorboard', None)
    options = ['--cfg-options', 'visualizer.vis_backends.0.type=TensorboardVisBackend']
    words = ['visualizer.vis_backends', 'pip install future tensorboard']
    fails('train', home / 'tiny.py', '--work-dir', home / 'board', *options, words=words)


def test_resume_continues_the_same_run(home, forked, checkpoint):
    work_dir = home / 'interrupted'
    options = ['--cfg-options', 'train_cfg.max_epochs=1']
    succeed(forked('train', home / 'tiny.py', '--work-dir', work_dir, *options))
    assert not (work_dir / 'epoch_2.pth').exists()
    output = succeed(forked('train', home / 'tiny.py', '--work-dir', work_dir, '--resume'))
    assert 'resumed epoch: 1, iter: 3' in output
    assert 'Epoch(train) [1]' not in output
    assert 'Could not safely load' not in output  # read with weights_only=True
    assert torch.load(work_dir / 'epoch_2.pth', weights_only=False)['meta']['iter'] == 6
    full, resumed = weights(checkpoint), weights(work_dir / 'epoch_2.pth')
    assert full.keys() == resumed.keys()
    assert all(torch.equal(full[key], resumed[key]) for key in full)
    first = weights(work_dir / 'epoch_1.pth')
    assert any(not torch.equal(full[key], first[key]) for key in full)


def test_resume_from_a_named_checkpoint(home, forked):
    work_dir, start = home / 'named', home / 'full' / 'epoch_1.pth'
    output = succeed(forked('train', home / 'tiny.py', '--work-dir', work_dir, '--resume', start))
    assert 'resumed epoch: 1, iter: 3' in output
    assert (work_dir / 'epoch_2.pth').is_file()


SCHEDULE = """
_base_ = 'tiny.py'
train_cfg = dict(max_epochs={epochs})
optim_wrapper = dict(optimizer=dict(lr={rate}, weight_decay=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=5),
    dict(type='CosineAnnealingLR', T_max={epochs}, end={epochs}, eta_min={rate} / 100),
]
"""


def rates(work_dir):
    """The rate of each step, of the last run."""
    written = sorted(work_dir.glob('*/vis_data/scalars.json'))[-1].read_text().splitlines()
    return {r['step']: r['lr'] for r in map(json.loads, written) if 'loss' in r}


def test_resume_with_another_schedule(home, forked):
    """``ResumedScheduleHook``: the checkpoint's, which is told, or that of the config, as if it had
    been so from the start."""
    for name, epochs, rate in (('short', 1, 0.01), ('long', 3, 0.002)):
        (home / f'{name}.py').write_text(SCHEDULE.format(epochs=epochs, rate=rate))
        succeed(forked('train', home / f'{name}.py', '--work-dir', home / name))
    resumed = ['train', home / 'long.py', '--resume', home / 'short' / 'epoch_1.pth', '--work-dir']
    output = succeed(forked(*resumed, home / 'goes_on'))
    for change in ('initial_lr 0.01 (config: 0.002)', 'CosineAnnealingLR.T_max 1 (config: 3)'):
        assert change in output
    assert 'weight_decay' not in output.partition('the checkpoint was trained with')[2][:400]
    assert 'goes on so, not as the config says' in output
    assert rates(home / 'goes_on')[9] == pytest.approx(0.01)  # what it was at the old end
    output = succeed(forked(*resumed, home / 'extended', '--new-schedule'))
    assert 'goes on as the config says' in output
    whole = rates(home / 'long')
    assert rates(home / 'extended') == {step: whole[step] for step in range(4, 10)}
    smaller = ['--cfg-options', 'train_dataloader.batch_size=1']
    output = succeed(forked(*resumed, home / 'smaller', *smaller))
    assert 'an epoch of the checkpoint had 3 steps, now it has 6: iterations are counted' in output
    refused = forked('train', 'a.py', '--new-schedule').stdout
    assert 'error: --new-schedule goes with --resume' in refused


def test_amp_of_several_optimisers(monkeypatch):
    """Every player trains in mixed precision; the constructor stays."""
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    use_amp = runpy.run_path(str(ROOT / 'tools/train.py'))['use_amp']
    cfg = Config.fromfile(ROOT / 'configs/mist/mist_vgg16_voc07_released.py')
    use_amp(cfg)
    kind = 'AmpOptimWrapper' if torch.cuda.is_available() else 'wsl_plugins.BFloat16OptimWrapper'
    assert {name: cfg.optim_wrapper[name].type for name in ('detector', 'drop_layer')} == {
        'detector': kind,
        'drop_layer': kind,
    }
    assert cfg.optim_wrapper.constructor == 'wsl_plugins.PlayerOptimWrapperConstructor'
    assert 'type' not in cfg.optim_wrapper


@pytest.mark.skipif(torch.cuda.is_available(), reason='what --amp does on a CPU')
def test_amp_of_a_config_that_is_bfloat16(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    use_amp = runpy.run_path(str(ROOT / 'tools/train.py'))['use_amp']
    cfg = Config(dict(optim_wrapper=dict(type='wsl_plugins.BFloat16OptimWrapper', optimizer={})))
    use_amp(cfg)
    assert cfg.optim_wrapper.type == 'wsl_plugins.BFloat16OptimWrapper'
    assert 'bfloat16 already' in capsys.readouterr().out


def test_amp_and_scaled_learning_rate(home, forked):
    work_dir = home / 'amp'
    flags = ['--amp', '--auto-scale-lr', '--cfg-options', 'train_cfg.max_epochs=1']
    output = succeed(forked('train', home / 'tiny.py', '--work-dir', work_dir, *flags))
    assert 'lr: 5.0000e-03' in output  # 0.01 for batches of 4, 2 images here
    assert "type='wsl_plugins.BFloat16OptimWrapper'" in (work_dir / 'tiny.py').read_text()
    losses = [float(loss) for loss in re.findall(r' loss: ([0-9.naif]+)', output)]
    assert len(losses) == 3 and all(0 < loss < 100 for loss in losses)
    trained = weights(work_dir / 'epoch_1.pth')
    assert {value.dtype for value in trained.values() if value.is_floating_point()} == {
        torch.float32
    }
    plain = weights(home / 'full' / 'epoch_1.pth')
    assert any(not torch.equal(trained[key], plain[key]) for key in plain)


def test_test_evaluates_dumps_and_paints(home, checkpoint):
    work_dir, out = home / 'tested', home / 'predictions.pkl'
    output = succeed(
        tool(
            'test',
            home / 'tiny.py',
            checkpoint,
            '--work-dir',
            work_dir,
            '--out',
            out,
            '--show-dir',
            'shown',
        )
    )
    assert 'pascal_voc/mAP' in output
    assert 'Could not safely load' not in output
    predictions = pickle.loads(out.read_bytes())
    assert [item['img_id'] for item in predictions] == ['100001', '100002', '100003', '100004']
    assert len(predictions[0]['pred_instances']['bboxes']) == 10
    assert len(list(work_dir.glob('*/shown/*.jpg'))) == 4


def test_tta_sees_every_view(home, forked, checkpoint):
    out = home / 'tta.pkl'
    work_dir = home / 'tta'
    output = succeed(
        forked(
            *('test', home / 'tiny_tta.py', checkpoint, '--work-dir', work_dir),
            *('--out', out, '--out-top', 1, '--tta'),
        )
    )
    assert 'pascal_voc/mAP' in output
    assert 'DetTTAModel' in (work_dir / 'tiny_tta.py').read_text()
    predictions = pickle.loads(out.read_bytes())
    assert len(predictions) == 4
    for labels in (sample['pred_instances']['labels'].tolist() for sample in predictions):
        assert 0 < len(labels) == len(set(labels))


def test_missing_config_ends_the_command_with_one_line(home, forked):
    result = forked('train', home / 'absent.py')
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1] == f'error: config not found: {home / "absent.py"}'
    assert 'Traceback' not in result.stdout


def test_errors_of_train(home, fails):
    missing = home / 'absent.pth'
    fails('train', home / 'tiny.py', '--resume', missing, words=['checkpoint not found', missing])
    (home / 'odd.py').write_text("optim_wrapper = dict(type='OddWrapper')\n")
    fails('train', home / 'odd.py', '--auto-scale-lr', words=['base_batch_size', 'odd.py'])
    fails('train', home / 'odd.py', '--amp', words=['OddWrapper', 'OptimWrapper'])
    for option in ('param_scheduler.1.milestones.0=3', 'train_cfg.max_epochs.x=3'):
        (home / 'list.py').write_text(
            'param_scheduler = [dict(), dict(milestones=[2])]\ntrain_cfg = dict(max_epochs=2)\n'
        )
        options = ['--cfg-options', option]
        fails('train', home / 'list.py', *options, words=[f'{option} does not fit', "='[1,2]'"])
    options = ['--cfg-options', 'default_hooks.checkpoint.save_best=corloc/mean']
    words = ['save_best', 'corloc/mean', "checkpoint.rule='greater'"]
    fails('train', home / 'tiny.py', *options, '--work-dir', home / 'best', words=words)


def test_a_training_that_diverges(home, fails):
    (home / 'diverges.py').write_text(
        "_base_ = 'tiny.py'\n"
        "default_hooks = dict(check_loss=dict(type='wsl_plugins.CheckLossHook', interval=1))\n"
        'optim_wrapper = dict(optimizer=dict(lr=1e9), clip_grad=None)\n'
    )
    words = ['error: iteration 2: loss ', 'diverged', 'clip_grad']
    fails('train', home / 'diverges.py', '--work-dir', home / 'diverges', words=words)


def test_errors_of_test(home, checkpoint, fails):
    config = home / 'tiny.py'
    fails('test', home / 'absent.py', checkpoint, words=['config not found', 'absent.py'])
    fails('test', config, home / 'absent.pth', words=['checkpoint not found', 'absent.pth'])
    fails('test', config, checkpoint, '--tta', words=['tta_model and tta_pipeline', config])
    fails('test', config, checkpoint, '--out', 'results.json', words=['.pkl', 'results.json'])
    fails('test', config, checkpoint, '--out-top', 2, words=['--out-top goes with --out'])
    out = ['--out', config / 'results.pkl']  # its folder is a file
    fails('test', config, checkpoint, *out, words=['--out', 'results.pkl', config])
    (home / 'bare.py').write_text('default_hooks = dict()\n')
    fails('test', home / 'bare.py', checkpoint, '--show', words=['default_hooks.visualization'])


@pytest.mark.skipif(torch.cuda.is_available(), reason='about machines without GPUs')
def test_slurm_without_gpus_is_refused(home, fails):
    words = ['--launcher slurm', '--launcher pytorch']
    fails('train', home / 'tiny.py', '--launcher', 'slurm', words=words)


@pytest.fixture
def path_with_python():
    """PATH on which ``python`` is the interpreter of the tests."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])


@pytest.mark.slow
def test_two_processes_train_and_test(home, path_with_python):
    work_dir = home / 'two processes'
    arguments = [home / 'tiny.py', 2, '--work-dir', work_dir, '--amp']
    env = dict(PATH=path_with_python, PORT='29613')
    output = succeed(command(['tools/dist_train.sh', *arguments], **env))
    assert 'Epoch(train) [2][2/2]' in output  # 6 images, 2 per process and step, rounded up
    arguments = [home / 'tiny.py', work_dir / 'epoch_2.pth', 2, '--out', home / 'two.pkl']
    output = succeed(command(['tools/dist_test.sh', *arguments, '--work-dir', work_dir], **env))
    assert 'pascal_voc/mAP' in output
    predictions = pickle.loads((home / 'two.pkl').read_bytes())
    assert [item['img_id'] for item in predictions] == ['100001', '100002', '100003', '100004']


SPY = """
import os
import sys


def note(event, values):
    writes = event == 'open' and values[2] & (os.O_WRONLY | os.O_RDWR)
    if (writes or event == 'os.remove') and str(values[0]).endswith('.json'):
        name = os.path.basename(values[0])
        sys.stdout.write(f"{event} of rank {os.environ['RANK']} {name}\\n")  # in one piece
        sys.stdout.flush()


sys.addaudithook(note)
"""


def test_one_of_two_processes_writes_the_metrics(home):
    """Two that write one file leave the end of the longer record after the shorter one."""
    config = "_base_ = 'tiny.py'\ncustom_imports = dict(imports=['spy'])\n"
    logger = f'dict(out_dir={str(home / "copies")!r}, keep_local=False)'
    (home / 'spy.py').write_text(SPY)
    (home / 'spied.py').write_text(f'{config}default_hooks = dict(logger={logger})')
    words = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2', 'tools/test.py']
    words += [home / 'spied.py', '--launcher', 'pytorch', '--work-dir', home / 'spied']
    path = os.pathsep.join([str(ROOT), str(home)])
    output = succeed(command([sys.executable, *words], PYTHONPATH=path))
    events = re.findall(r'(open|os.remove) of rank (\d) (\S+\.json)', output)
    assert {name for *_, name in events} == {path.name for path in home.glob('copies/spied/*.json')}
    assert [event[:2] for event in events] == [('open', '0'), ('open', '0'), ('os.remove', '0')]


def test_slurm_scripts_keep_arguments_whole(tmp_path):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    env = dict(
        PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}', GPUS='4', SRUN_ARGS='--qos=a --time=1'
    )
    script = ['tools/slurm_train.sh', 'gpu', 'my job', 'a b.py', 'work dir', '--resume', 'c d.pth']
    words = succeed(command(script, **env)).splitlines()
    assert words[:2] == ['--partition=gpu', '--job-name=my job']
    assert '--ntasks=4' in words and '--qos=a' in words and '--time=1' in words
    assert words[-5:] == [
        'a b.py',
        '--work-dir=work dir',
        '--launcher=slurm',
        '--resume',
        'c d.pth',
    ]
    script = ['tools/slurm_test.sh', 'gpu', 'my job', 'a b.py', 'c d.pth', '--out', 'e f.pkl']
    words = succeed(command(script, **env)).splitlines()
    assert words[-5:] == ['a b.py', 'c d.pth', '--launcher=slurm', '--out', 'e f.pkl']


@pytest.mark.parametrize('name', ['dist_train', 'dist_test', 'slurm_train', 'slurm_test'])
def test_scripts_tell_their_usage(name):
    result = command([f'tools/{name}.sh', 'only-one'])
    assert result.returncode == 2 and result.stdout.startswith('usage: ')


class Command:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_checkpoints_with_code_are_refused(home, fails, tmp_path):
    bad, ran = tmp_path / 'bad.pth', tmp_path / 'ran'
    torch.save(dict(state_dict={}, meta=dict(epoch=1, iter=3), x=Command(ran)), bad)
    words = (f'{bad}: no weights: ', 'mkdir', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1')
    options = ['--work-dir', tmp_path / 'work']
    fails('test', home / 'tiny.py', bad, *options, words=words)
    fails('train', home / 'tiny.py', '--resume', bad, *options, words=words)
    (tmp_path / 'init.py').write_text(
        f'_base_ = {str(home / "tiny.py")!r}\n'
        f"model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint={str(bad)!r})))\n"
    )
    fails('train', tmp_path / 'init.py', *options, words=words)
    assert not ran.exists()
