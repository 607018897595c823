"""Search spaces of the WSOL methods.

Choe et al., Evaluating Weakly Supervised Object Localization Methods Right, CVPR 2020, table 5;
TriLite, which is not in it, has a space of ours.
"""

from dataclasses import replace
from typing import Any

from .overrides import dicts_of_type
from .parameters import Parameter


def cutmix_alpha(u: float) -> float:
    """Size prior alpha = 1 / u - 1 / 2: u uniform in (0, 2] makes Var(Beta(alpha, alpha)) = u / 8
    uniform in (0, 1/4] (table 5 and C.1)."""
    return 1 / u - 0.5


_EDGE = 1e-6  # alpha is infinite at u = 0 and 0 at u = 2: no Beta distribution
_COMMON = (
    Parameter('lr', 'optim_wrapper.optimizer.lr', 1e-5, 1.0, log=True),
    Parameter('score_map_size', 'model.backbone.score_map_size', choices=(14, 28)),
)
_PIECES: dict[str, tuple[Any, ...]] = {
    'HideAndSeek': (
        'HaS',
        Parameter('has_drop_rate', 'HideAndSeek:drop_rate'),
        Parameter('has_drop_area', 'HideAndSeek:cell_size'),
    ),
    'ACoLHead': ('ACoL', Parameter('acol_erase_threshold', 'ACoLHead:erase_threshold')),
    'SPGHead': (
        'SPG',
        *(
            Parameter(f'spg_{branch}_{end}', f'SPGHead:thresholds_{branch}', low)
            for branch in ('b1', 'b2', 'c')
            for end, low in (('low', 0.0), ('high', f'spg_{branch}_low'))
        ),
    ),
    'TriLiteHead': (
        'TriLite',
        Parameter(
            'trilite_background_weight', 'TriLiteHead:background_weight', 0.1, 10.0, log=True
        ),
    ),
    'ADL': (
        'ADL',
        Parameter('adl_drop_rate', 'ADL:drop_rate'),
        Parameter('adl_threshold', 'ADL:threshold'),
    ),
    'CutMix': (
        'CutMix',
        Parameter('cutmix_u', 'CutMix:alpha', _EDGE, 2 - _EDGE, transform=cutmix_alpha),
        Parameter('cutmix_rate', 'model.train_cfg.probs'),  # or where CutMix stands
    ),
}
_CUTMIX_PLACES = (
    'model.train_cfg',
    'model.data_preprocessor.batch_augments',
    'data_preprocessor.batch_augments',
)


def table5_space(cfg: dict) -> tuple[str, tuple[Parameter, ...]]:
    """Name of the method that a config holds, and its search space (table 5).

    Learning rate and score-map size belong to every method. The pieces ``HideAndSeek``,
    ``ACoLHead``, ``SPGHead``, ``TriLiteHead``, ``ADL`` and ``CutMix`` add theirs; a config with
    none is CAM, one with several is named ``A+B`` and searched over both.

    Raises:
        ValueError: CutMix is not alone in ``augments`` of ``model.train_cfg`` or of the data
            preprocessor's ``batch_augments``: its mix rate ``probs`` is not one number.
    """
    found = [piece for piece in _PIECES if any(dicts_of_type(cfg, piece))]
    method = '+'.join(_PIECES[piece][0] for piece in found) or 'CAM'
    own = [parameter for piece in found for parameter in _PIECES[piece][1:]]
    if 'CutMix' in found:
        rate = f'{_cutmix_place(cfg)}.probs'
        own = [replace(p, target=rate) if p.name == 'cutmix_rate' else p for p in own]
    return method, (*_COMMON, *own)


def _cutmix_place(cfg: dict) -> str:
    """Dotted path of the dict (``augments``, ``probs``) that has CutMix, alone."""
    for place in _CUTMIX_PLACES:
        node = cfg
        for key in (*place.split('.'), 'augments'):
            node = (node or {}).get(key)
        augments = node if isinstance(node, list | tuple) else [node]
        if len(augments) == 1 and any(dicts_of_type(augments, 'CutMix')):
            return place
    raise ValueError(
        'the search of CutMix needs it alone in the augments of one of ' + ', '.join(_CUTMIX_PLACES)
    )
