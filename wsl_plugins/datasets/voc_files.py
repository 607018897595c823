"""VOC's list, annotations and images as every reader here takes them."""

import os
from pathlib import Path

from mmengine.fileio import get_local_path

from wsl_plugins.files import read_xml
from wsl_plugins.files.formats.voc import read_voc_list, size_of
from wsl_plugins.files.listed_images import checked_sizes, files_of_ids

from mmdet.datasets import VOCDataset


class CheckedVOC(VOCDataset):
    """VOC whose list may have columns, suffixes and blanks and whose images may be of any kind:
    mmdet takes every line as it is and every image as a ``.jpg``, and a size of 0 as one.

    With ``backend_args`` the files are not on this machine, and mmdet reads list and names.
    """

    unsized = 0
    """Images whose size is missing or 0 in their annotation."""

    def load_data_list(self) -> list[dict]:
        """Data infos of the listed images.

        Raises:
            FileNotFoundError: There is no list, or images or annotations of it are missing.
            ValueError: The list or an annotation is wrong.
        """
        if self.backend_args:
            return super().load_data_list()
        self.cat2label = {name: label for label, name in enumerate(self._metainfo['classes'])}
        annotations = Path(self.sub_data_root, self.ann_subdir)
        ids = read_voc_list(self.ann_file, annotations)
        files = files_of_ids(ids, Path(self.sub_data_root, self.img_subdir), self.ann_file)
        return [
            self.parse_data_info(
                dict(
                    img_id=image_id,
                    file_name=os.path.join(self.img_subdir, f'{image_id}{path.suffix}'),
                    xml_path=os.path.join(self.sub_data_root, self.ann_subdir, f'{image_id}.xml'),
                )
            )
            for image_id, path in files.items()
        ]

    def parse_data_info(self, img_info: dict) -> dict:
        """Data info of one image; a size that is missing or 0 is that of the file."""
        img_path = os.path.join(self.sub_data_root, img_info['file_name'])
        with get_local_path(img_info['xml_path'], backend_args=self.backend_args) as path:
            root = read_xml(path)
        size = size_of(root)
        if size is None:
            with get_local_path(img_path, backend_args=self.backend_args) as path:
                ((size,), _) = checked_sizes([Path(path)], [None], img_info['xml_path'])
            self.unsized += 1
        return dict(
            img_path=img_path,
            img_id=img_info['img_id'],
            xml_path=img_info['xml_path'],
            height=size[1],
            width=size[0],
            instances=self._parse_instance_info(root, minus_one=True),
        )
