"""Lists of video frames."""

from pathlib import Path

from wsl_plugins.files import read_text


def read_frame_list(path: str | Path) -> list[str]:
    """Frames of a list, ``<frame> <number>`` or ``<snippet> <start> <frame number> <length>``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line in another form, or no line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such list of frames')
    frames = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = line.split()
        if len(words) == 2:
            frames.append(words[0])
        elif len(words) == 4 and words[2].isdigit():
            frames.append(f'{words[0]}/{int(words[2]):06d}')
        elif words:
            raise ValueError(
                f'{path}, line {number}: {line!r} is neither "<frame> <number>" nor '
                '"<snippet> <start> <frame number> <length>"'
            )
    if not frames:
        raise ValueError(f'{path}: names no frame')
    return frames
