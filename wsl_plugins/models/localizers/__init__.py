from .acol_head import ACoLHead
from .auxiliary_head import AuxiliaryHead
from .box_regression_head import BoxRegressionHead
from .cam_head import CAMHead
from .center_gaussian import CenterGaussian
from .fsl_head import FSLHead
from .grad_cam import GradCAMClassifier
from .joint_box_head import JointBoxHead
from .localizer_head import LocalizerHead
from .spg_head import SPGHead
from .trilite_head import TriLiteHead
from .wsol_classifier import WSOLClassifier

__all__ = [
    'ACoLHead',
    'AuxiliaryHead',
    'BoxRegressionHead',
    'CAMHead',
    'CenterGaussian',
    'FSLHead',
    'GradCAMClassifier',
    'JointBoxHead',
    'LocalizerHead',
    'SPGHead',
    'TriLiteHead',
    'WSOLClassifier',
]
