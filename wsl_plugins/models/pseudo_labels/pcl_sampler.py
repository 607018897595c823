"""PCL's pseudo labels: the centres of clusters of high-scoring proposals."""

import torch
from torch import Tensor

from wsl_plugins.registry import TASK_UTILS

from .base import PseudoLabelSampler, box_ious


@TASK_UTILS.register_module()
class PCLSampler(PseudoLabelSampler):
    """Proposal cluster learning (`Tang et al., TPAMI 2018 <https://arxiv.org/abs/1807.03342>`_).

    For each class of the image: k-means on the scores of all proposals keeps the group of highest
    centre. Its members are the nodes of a graph with an edge where IoU exceeds ``graph_iou_thr``;
    the node with most neighbours becomes the centre of a cluster and leaves with them, until no
    node is left. A cluster scores as its best member; the centres of the ``max_centers`` clusters
    of highest score are the pseudo boxes, best first. Of equal nodes the first proposal wins, of
    equal clusters the one found first.

    Each proposal takes the pseudo box of highest IoU (the first one on ties). To train on clusters
    as bags, combine it with :class:`wsl_plugins.PCLHead`.

    Args:
        kmeans_groups: k of the k-means, at least 1. Default 3.
        graph_iou_thr: Default 0.4, exclusive.
        max_centers: pseudo boxes per class, at least 1. Default 5.
        fg_iou_thr: Default 0.5, inclusive.
        ignore_iou_thr: proposals below it are ignored. Default 0.1.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]])
        >>> scores = torch.tensor([[0.6], [0.6], [0.1]])
        >>> targets = PCLSampler()(boxes, scores, torch.tensor([1]))
        >>> targets.picked, targets.labels, targets.weights
        (tensor([0]), tensor([0, 0, 1]), tensor([0.6000, 0.6000, 0.0000]))
    """

    def __init__(
        self,
        kmeans_groups: int = 3,
        graph_iou_thr: float = 0.4,
        max_centers: int = 5,
        fg_iou_thr: float = 0.5,
        ignore_iou_thr: float = 0.1,
    ) -> None:
        super().__init__(fg_iou_thr, ignore_iou_thr)
        for name, value in (('kmeans_groups', kmeans_groups), ('max_centers', max_centers)):
            if value < 1:
                raise ValueError(f'{name} must be at least 1, got {value}')
        self.kmeans_groups = kmeans_groups
        self.graph_iou_thr = graph_iou_thr
        self.max_centers = max_centers

    def pick(
        self, boxes: Tensor, scores: Tensor, classes: list[int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        picked, box_scores = [], []
        for column in scores.t()[classes]:
            group = kmeans_1d(column, self.kmeans_groups)
            nodes = (group == group.max()).nonzero().flatten()
            edges = box_ious(boxes[nodes], boxes[nodes]) > self.graph_iou_thr
            centers, cluster_scores = greedy_clusters(edges, column[nodes])
            best = cluster_scores.sort(descending=True, stable=True).indices[: self.max_centers]
            picked.append(nodes[centers[best]])
            box_scores.append(cluster_scores[best])
        sizes = torch.tensor([len(p) for p in picked])
        labels = torch.tensor(classes).repeat_interleave(sizes).to(boxes.device)
        return torch.cat(picked), labels, torch.cat(box_scores)


def kmeans_1d(values: Tensor, k: int, max_iters: int = 100) -> Tensor:
    """Groups of numbers (R,), R >= 1, by Lloyd's algorithm: int64 (R,), a higher group has a
    higher centre.

    Starts from k centres at equal steps from the minimum to the maximum (k = 3: minimum, middle,
    maximum) and ends when no number changes its group. A number half-way between two centres goes
    to the lower one; a group without numbers keeps its centre.
    """
    values = values.double()
    ordered = values.sort().values
    sums = torch.cat([ordered.new_zeros(1), ordered.cumsum(0)])
    steps = torch.linspace(0, 1, k, dtype=values.dtype, device=values.device)
    centers = torch.lerp(ordered[:1], ordered[-1:], steps)
    first = torch.zeros(1, dtype=torch.long, device=values.device)
    ends = None
    for _ in range(max_iters):
        borders = (centers[1:] + centers[:-1]) / 2
        last, ends = ends, torch.searchsorted(ordered, borders, right=True)
        if last is not None and torch.equal(ends, last):
            break
        limits = torch.cat([first, ends, first + len(values)])
        counts = limits.diff()
        means = sums[limits].diff() / counts
        centers = torch.where(counts > 0, means, centers)
    return torch.searchsorted(borders, values)


def greedy_clusters(edges: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Clusters of a graph of n >= 1 nodes: centres (K,) and the highest score in each cluster (K,).

    Repeatedly the node with most neighbours among those left, the first of equal ones, is a centre
    and takes these neighbours with it. Every node counts as its own neighbour.

    Args:
        edges: (n, n) bool, symmetric; the diagonal does not matter.
        scores: (n,) of the nodes.
    """
    edges = edges | torch.eye(len(edges), dtype=torch.bool, device=edges.device)
    degrees = edges.sum(dim=1)
    left = torch.ones_like(degrees, dtype=torch.bool)
    centers, cluster_scores = [], []
    while left.any():
        centers.append(torch.where(left, degrees, 0).argmax())
        members = (edges[centers[-1]] & left).nonzero().flatten()
        cluster_scores.append(scores[members].max())
        left[members] = False
        degrees -= edges[members].sum(dim=0)
    return torch.stack(centers), torch.stack(cluster_scores)
