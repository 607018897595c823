"""A detector with a network of timm trains through the Runner, with all hooks of its config."""

import pytest
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from torch.utils.data import DataLoader

pytest.importorskip('timm')


class Images(list):
    """Images as the pipeline gives them, with as many classes as VOC."""

    metainfo = dict(classes=tuple(f'class {number}' for number in range(20)))


@pytest.mark.parametrize('name', ['wsddn', 'oicr'])
def test_one_step_through_the_runner(name, make_batch, without_weights, tmp_path):
    """``NumClassCheckHook`` of the default runtime takes no network of timm for a head."""
    cfg = Config.fromfile(f'configs/{name}/{name}_lite0_voc07-train600.py')
    without_weights(cfg.model)
    assert dict(type='NumClassCheckHook') in cfg.custom_hooks
    labels = [[int(c in present) for c in range(20)] for present in ((0, 3), (19,))]
    batch = make_batch([(64, 96), (96, 64)], [6, 9], labels)
    columns = zip(batch['inputs'], batch['data_samples'], strict=True)
    images = Images(dict(inputs=image, data_samples=sample) for image, sample in columns)
    runner = Runner(
        model=cfg.model,
        work_dir=str(tmp_path),
        train_dataloader=DataLoader(images, batch_size=2, collate_fn=pseudo_collate),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=cfg.optim_wrapper,
        default_hooks=cfg.default_hooks,
        custom_hooks=cfg.custom_hooks,
        default_scope='mmdet',
    )
    head = runner.model.roi_head.mil_head
    before = {key: value.clone() for key, value in head.named_parameters()}
    runner.train()
    assert runner.iter == 1
    assert any(not value.equal(before[key]) for key, value in head.named_parameters())
