"""Whether an image is as large as its annotation says."""

from wsl_plugins.files.listed_images import is_turned


def check_image_size(results: dict, size: tuple[int, int]) -> None:
    """Raise ValueError if the file of a sample has another size than its annotation.

    Boxes and proposals would not fit it. Often the file has an orientation tag, see
    :func:`wsl_plugins.files.images.read_pixels`; the message says so only then.

    Args:
        results: Sample with ``ori_shape`` (height, width) of the file, where known, and
            ``img_path``.
        size: (width, height) of the annotation.
    """
    found = tuple(results.get('ori_shape', size[::-1]))[1::-1]
    if found != tuple(size):
        swapped = found[::-1] == tuple(size)
        turned = ': it is turned by its orientation tag (EXIF), remove the tag from the file'
        raise ValueError(
            f'{results.get("img_path")}: the image is {found[0]} x {found[1]} pixels (width x '
            f'height), its annotation says {size[0]} x {size[1]}'
            + (turned if swapped and is_turned(results.get('img_path') or '') else '')
        )
