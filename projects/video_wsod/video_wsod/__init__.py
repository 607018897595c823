"""Flow-guided feature aggregation for weakly supervised detection in video."""

from .aggregation import EmbedAggregator, aggregation_weights
from .clip_inputs import ClipDataPreprocessor, LoadFrames
from .fgfa_fast_rcnn import FGFAFastRCNN
from .flow_networks import FlowFromFile, RAFTFlow
from .flow_warp import flow_warp
from .vid_dataset import WSODVIDDataset
from .vid_metric import VIDMetric

__all__ = [
    'ClipDataPreprocessor',
    'EmbedAggregator',
    'FGFAFastRCNN',
    'FlowFromFile',
    'LoadFrames',
    'RAFTFlow',
    'VIDMetric',
    'WSODVIDDataset',
    'aggregation_weights',
    'flow_warp',
]
