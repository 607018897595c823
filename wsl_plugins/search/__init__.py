"""Random search by the protocol of WSOL evaluation (Choe et al., CVPR 2020, section 4.2).

Train on train-weaksup, choose on train-fullsup, evaluate once on test. ``tools/wsol_search.py`` is
the command.
"""

try:
    import optuna  # noqa: F401
except ImportError as error:
    raise ImportError("the search needs Optuna: pip install 'wsl_plugins[search]'") from error

from .closing import close_search
from .overrides import override
from .parameters import Parameter
from .protocol import training_config
from .sampler import NumberedRandomSampler
from .space_file import read_space
from .spaces import table5_space
from .study import Study, start_study
from .testing import analyse_test, evaluate_once
from .trials import run_trials

__all__ = [
    'NumberedRandomSampler',
    'Parameter',
    'Study',
    'analyse_test',
    'close_search',
    'evaluate_once',
    'override',
    'read_space',
    'run_trials',
    'start_study',
    'table5_space',
    'training_config',
]
