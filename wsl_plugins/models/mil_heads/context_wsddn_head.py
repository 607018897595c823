"""WSDDN whose localisation compares a box with its surroundings."""

from collections.abc import Sequence

from torch import Tensor, nn

from wsl_plugins.registry import MODELS

from .wsddn_head import WSDDNHead, wsddn_scores


@MODELS.register_module()
class ContextWSDDNHead(WSDDNHead):
    """MIL head of `ContextLocNet <https://arxiv.org/abs/1609.04331>`_ (Kantorov et al., ECCV 2016),
    contrastive model.

    ``s = softmax_classes(f(box)) * softmax_regions(g(box) - g(frame))``: a box scores where its
    class ends at its border. g has the same weights for both and no bias, which would cancel. A box
    on a part of an object has the rest of it in its frame and loses; without this term a linear MIL
    head prefers such boxes.

    A proposal's vector has two halves of the same length: box, then frame, as
    :class:`wsl_plugins.ContextRoIExtractor` gives them.

    Args:
        in_channels: length 2D of a proposal's vector.
        **kwargs: of :class:`WSDDNHead`.

    Raises:
        ValueError: ``in_channels`` is odd.

    Example:
        >>> head = ContextWSDDNHead(in_channels=16, num_classes=3)
        >>> head(torch.rand(5, 16), counts=[4, 1]).shape
        torch.Size([5, 3])
    """

    def __init__(self, in_channels: int, *args, **kwargs) -> None:
        if in_channels % 2:
            raise ValueError(f'in_channels are those of box and frame, not odd: {in_channels}')
        super().__init__(in_channels // 2, *args, **kwargs)
        self.fc_det = nn.Linear(self.fc_det.in_features, self.fc_det.out_features, bias=False)

    def forward(self, feats: Tensor, counts: Sequence[int]) -> Tensor:
        """Proposal scores, as of :class:`WSDDNHead`, of proposal vectors (R, 2D)."""
        box, frame = feats.chunk(2, dim=1)
        return wsddn_scores(self.fc_cls(box), self.fc_det(box) - self.fc_det(frame), counts)
