"""A structured edge model of one tree: marks 8 x 8 pixels where the gradient is strong."""

import pytest

_BINS = [16 * y + x for y in range(4, 12) for x in range(4, 12)]
_MODEL = f"""%YAML:1.0
---
options:
   stride: 2
   shrinkNumber: 2
   patchSize: 32
   patchInnerSize: 16
   numberOfGradientOrientations: 4
   gradientSmoothingRadius: 0
   regFeatureSmoothingRadius: 2
   ssFeatureSmoothingRadius: 8
   gradientNormalizationRadius: 4
   selfsimilarityGridSize: 5
   numberOfTrees: 1
   numberOfTreesToEvaluate: 1
childs:
   - [ 2, 0, 0 ]
featureIds:
   - [ 904, 0, 0 ]
thresholds:
   - [ 0.1, 0., 0. ]
edgeBoundaries:
   - [ 0, 0, 0, {len(_BINS)} ]
edgeBins:
   - {_BINS}
"""


@pytest.fixture
def edge_model(tmp_path):
    path = tmp_path / 'edge_model.yml'
    path.write_text(_MODEL)
    return path
