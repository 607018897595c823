"""Images, boxes, proposals and labels drawn at random: what any of the configs can train on."""

import torch
from mmengine.registry import DATASETS
from mmengine.structures import InstanceData
from torch.utils.data import Dataset

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)

from mmdet.structures import DetDataSample  # isort: skip
from mmpretrain.structures import DataSample  # isort: skip


@DATASETS.register_module()
class DrawnDataset(Dataset):
    """``length`` images, each always the same, as the pipeline of a config packs them.

    Args:
        scope: ``'mmdet'``: images of different size with objects, proposals and image labels;
            ``'mmpretrain'``: square images of one class with its box and mask.
        length: number of images.
        num_classes: of the labels.
        size: smallest side of the images in pixels.
        frames: of a clip, one behind the other in the channels.
    """

    def __init__(self, scope, length, num_classes, size, frames=1):
        self.draw = dict(mmdet=self.draw_objects, mmpretrain=self.draw_class)[scope]
        self.length, self.num_classes, self.size, self.frames = length, num_classes, size, frames
        self.metainfo = dict(classes=tuple(map(str, range(num_classes))))

    def __len__(self):
        return self.length

    def get_data_info(self, index):
        """What a sampler by aspect ratio asks for."""
        return dict(width=self.size + 32 * (index % 2), height=self.size)

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        info = self.get_data_info(index)
        shape = (info['height'], info['width'] if self.draw == self.draw_objects else self.size)
        image = torch.randint(
            256, (3 * self.frames, *shape), generator=generator, dtype=torch.uint8
        )
        return dict(inputs=image, data_samples=self.draw(generator, index, shape))

    def draw_objects(self, generator, index, shape):
        sample = DetDataSample(
            metainfo=dict(
                img_id=index,
                img_path=f'{index}.jpg',
                img_shape=shape,
                ori_shape=shape,
                batch_input_shape=shape,
                scale_factor=(1.0, 1.0),
                flip=False,
            )
        )
        objects = draw_boxes(2, shape, generator)
        labels = torch.randint(self.num_classes, (2,), generator=generator)
        around = objects.repeat(2, 1) + torch.randint(-4, 5, (4, 4), generator=generator)
        proposals = torch.cat([around, draw_boxes(3 + index % 4, shape, generator)])
        proposals[:, 0::2].clamp_(0, shape[1])
        proposals[:, 1::2].clamp_(0, shape[0])
        sample.gt_instances = InstanceData(bboxes=objects, labels=labels)
        sample.proposals = InstanceData(bboxes=proposals, scores=torch.ones(len(proposals)))
        image_labels = torch.zeros(self.num_classes, dtype=torch.long)
        image_labels[labels] = 1
        sample.set_field(image_labels, 'image_labels')
        return sample

    def draw_class(self, generator, index, shape):
        sample = DataSample(metainfo=dict(img_path=f'{index}.jpg', img_shape=shape))
        sample.set_gt_label(int(torch.randint(self.num_classes, (), generator=generator)))
        box = draw_boxes(1, shape, generator)[0]
        mask = torch.zeros(shape, dtype=torch.uint8)
        x1, y1, x2, y2 = box.int().tolist()
        mask[y1:y2, x1:x2] = 1
        sample.set_field(box / self.size, 'gt_box')
        sample.set_field(mask, 'gt_seg_map')
        return sample


def draw_boxes(count, shape, generator):
    """(count, 4) boxes xyxy of sides from a fifth of the image to its half and more."""
    size = torch.tensor([shape[1], shape[0]])
    start = torch.rand(count, 2, generator=generator) * size / 2
    sides = size * (0.2 + 0.3 * torch.rand(count, 2, generator=generator))
    return torch.cat([start, start + sides], dim=1)
