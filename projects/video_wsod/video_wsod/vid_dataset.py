"""ImageNet VID, or any data set in its layout, with image labels per frame."""

from pathlib import Path
from xml.etree import ElementTree

from wsl_plugins.datasets import WSODVOCDataset
from wsl_plugins.datasets.voc_files import CheckedVOC

from mmdet.registry import DATASETS

from ..frame_list import read_frame_list

WORDNET_IDS = dict(
    n02691156='airplane', n02419796='antelope', n02131653='bear', n02834778='bicycle',
    n01503061='bird', n02924116='bus', n02958343='car', n02402425='cattle',
    n02084071='dog', n02121808='domestic_cat', n02503517='elephant', n02118333='fox',
    n02510455='giant_panda', n02342885='hamster', n02374451='horse', n02129165='lion',
    n01674464='lizard', n02484322='monkey', n03790512='motorcycle', n02324045='rabbit',
    n02509815='red_panda', n02411705='sheep', n01726692='snake', n02355227='squirrel',
    n02129604='tiger', n04468005='train', n01662784='turtle', n04530566='watercraft',
    n02062744='whale', n02391049='zebra',
)  # fmt: skip


class VIDFrames(CheckedVOC):
    """Reads lists of frames; the base that :class:`WSODVIDDataset` hands to ``WSODVOCDataset``."""

    METAINFO = dict(classes=tuple(WORDNET_IDS.values()))

    def load_data_list(self) -> list[dict]:
        """Data infos of the listed frames."""
        self.cat2label = {name: n for n, name in enumerate(self._metainfo['classes'])}
        folders: dict[Path, int] = {}
        data_list = []
        for frame in read_frame_list(self.ann_file):
            image = Path(self.sub_data_root, 'Data', 'VID', f'{frame}.JPEG')
            if image.parent not in folders:
                folders[image.parent] = len(list(image.parent.glob('*.JPEG')))
            xml_path = Path(self.sub_data_root, 'Annotations', 'VID', f'{frame}.xml')
            if not xml_path.is_file():
                raise FileNotFoundError(f'{xml_path}: no such annotation, listed: {self.ann_file}')
            info = dict(img_id=frame, file_name=f'Data/VID/{frame}.JPEG', xml_path=str(xml_path))
            data_list.append({**self.parse_data_info(info), 'num_frames': folders[image.parent]})
        return data_list


@DATASETS.register_module()
class WSODVIDDataset(WSODVOCDataset, VIDFrames):
    """Key frames of ImageNet VID (`Russakovsky et al. <https://arxiv.org/abs/1409.0575>`_).

    Layout below ``data_root``: ``Data/VID/<frame>.JPEG``, ``Annotations/VID/<frame>.xml``, where a
    frame is ``train/.../ILSVRC2015_train_00000000/000000``. ``ann_file`` lists frames in one of the
    forms of FGFA's published lists: ``<frame> <number>``, or ``<snippet> <start> <frame number>
    <length>``. A data info has ``num_frames``, its snippet's length, and ``img_id``, the frame.

    Training reads the names in the annotations and no box. The names may be WordNet ids of VID's 30
    classes. Boxes in tests are float xyxy pixels from 0 with exclusive ends: (xmin, ymin, xmax + 1,
    ymax + 1).

    Args:
        **kwargs: those of :class:`wsl_plugins.WSODVOCDataset`; the ids in ``proposal_file`` are
            frames (``make_frame_proposals.py``), since file stems repeat from snippet to snippet.

    Raises:
        FileNotFoundError: there is no such list, annotation or proposal file.
        ValueError: a line of the list in another form; a frame has no proposals; see also
            :class:`wsl_plugins.WSODVOCDataset`.

    Example:
        >>> dataset = WSODVIDDataset(
        ...     data_root='data/ILSVRC2015', ann_file='ImageSets/VID_train_15frames.txt',
        ...     filter_cfg=dict(filter_empty_gt=True),
        ...     proposal_file='proposals/vid_train_15frames.npz')
        >>> dataset.get_data_info(0)['image_labels'].shape
        (30,)
    """

    def __init__(self, data_prefix: dict | None = None, **kwargs) -> None:
        super().__init__(data_prefix=data_prefix or dict(sub_data_root=''), **kwargs)

    def image_id(self, data_info: dict) -> str:
        """The frame with its snippet."""
        return data_info['img_id']

    def _parse_instance_info(
        self, raw_ann_info: ElementTree.Element, minus_one: bool = True
    ) -> list[dict]:
        for name in raw_ann_info.iterfind('object/name'):
            stripped = (name.text or '').strip()
            name.text = WORDNET_IDS.get(stripped, stripped)
        instances = super()._parse_instance_info(raw_ann_info, minus_one)
        for instance in instances:  # the parent takes pixels from 1
            if 'bbox' in instance:
                instance['bbox'] = [value + 1 for value in instance['bbox']]
        return instances
