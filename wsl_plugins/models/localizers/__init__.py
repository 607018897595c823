from .acol_head import ACoLHead
from .cam_head import CAMHead
from .center_gaussian import CenterGaussian
from .fsl_head import FSLHead
from .grad_cam import GradCAMClassifier
from .localizer_head import LocalizerHead
from .spg_head import SPGHead
from .wsol_classifier import WSOLClassifier

__all__ = [
    'ACoLHead',
    'CAMHead',
    'CenterGaussian',
    'FSLHead',
    'GradCAMClassifier',
    'LocalizerHead',
    'SPGHead',
    'WSOLClassifier',
]
