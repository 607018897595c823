"""How the proposals of a data set were made, and in what others were made otherwise."""

from pathlib import Path

import cv2
from mmengine.config import Config, ConfigDict

from wsl_plugins.files.formats.proposal_file import read_meta
from wsl_plugins.proposals.recipe import is_method, option_names


def other_origin(dataset: ConfigDict, meta: dict | None = None) -> str | None:
    """In what proposals were made otherwise than those of a data set.

    OpenCV 5 finds other boxes than OpenCV 4 in the same pixels.

    Args:
        dataset: See :func:`wsl_plugins.apis.proposals.recipe_of`.
        meta: Of the file of proposals. Default: they are computed here, by the recipe of the data
            set.

    Returns:
        One sentence; None if nothing differs, or it is not known.
    """
    path, trained = file_of(dataset)
    found = dict(trained, opencv=cv2.__version__) if meta is None else meta
    found, expected = _origin(found), _origin(trained)
    differ = [key for key in expected if key in found and found[key] != expected[key]]
    if not differ:
        return None
    listed = ', '.join(f'{key} {found[key]} (there: {expected[key]})' for key in differ)
    return f'the proposals are made otherwise than those of {path}: {listed}'


def file_of(dataset: ConfigDict) -> tuple[Path, dict]:
    """Proposal file of a data set, and what it notes: nothing if it is not there."""
    path = Path(dataset.get('data_root') or '', dataset.get('proposal_file') or '')
    known = path.suffix == '.npz' and path.is_file()
    return path, read_meta(path) if known else {}


def _origin(meta: dict) -> dict:
    """What of it decides which boxes are found; of OpenCV's version the first number."""
    keys = {'method', 'min_side', 'max_side_input'}
    keys.update(('edges', 'dlib', 'config_sha256', 'model_sha256'))
    if is_method(method := meta.get('method')):
        keys.update(option_names(method))
    keys.discard('device')  # finds the same boxes up to rounding
    found = {key: meta[key] for key in meta if key in keys}
    if 'opencv' in meta:
        found['OpenCV'] = str(meta['opencv']).partition('.')[0]
    return found


def mixed_origins(cfg: Config) -> list[str]:
    """In what the proposals of validation and test were made otherwise than those of training.

    Args:
        cfg: Config of a training; files that are not there or note nothing are passed over.

    Returns:
        A sentence (:func:`other_origin`) for each file, each once.
    """
    trained, *others = (
        (cfg.get(f'{part}_dataloader') or {}).get('dataset') or {}
        for part in ('train', 'val', 'test')
    )
    found = [(file, other_origin(trained, meta)) for file, meta in map(file_of, others) if meta]
    return list(dict.fromkeys(f'{file}: {told}' for file, told in found if told))
