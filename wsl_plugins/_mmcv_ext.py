"""What stands in for ``mmcv._ext``: the operators that detectors need, on torchvision's kernels.

Every function has the name and the arguments with which ``mmcv.ops`` calls the compiled one;
results go into the preallocated tensors that mmcv passes, on CPU or CUDA. RoIs are (R, 5) float:
batch index, then xyxy in image pixels without "+1". Names that are not defined here raise
:class:`NotImplementedError` when they are called, never at import.

Half precision (float16, bfloat16, as under autocast) is computed in float32 and rounded once, at
the end.

Known difference: :func:`roi_pool_forward` rounds the box to whole feature cells and includes the
last one, as Fast R-CNN's Caffe layer and torchvision do. mmcv's compiled kernel (CUDA only) does
not round, and adds 1 to x2 and y2 in image pixels before scaling: the two pool different cells.
Where numbers must not depend on the installation, use RoIAlign (equal in both) or
``wsl_plugins.RoIPool``.
"""

from collections.abc import Callable
from typing import NoReturn

import torch
from torch import Tensor


def _kernels() -> torch._ops._OpNamespace:
    """Those of torchvision, whose import takes a second: commands that need none do without."""
    import torchvision  # noqa: F401  (registers them)

    return torch.ops.torchvision


def _compute_dtype(x: Tensor) -> torch.dtype:
    return torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype


def nms(bboxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Kept indices (K,), by descending score, of boxes (N, 4) with scores (N,).

    ``offset`` 1 counts x2 and y2 as inside the box. A box whose IoU equals the threshold stays, as
    with mmcv's compiled operator: torchvision 0.26 compares a float32 IoU with a float64 threshold
    on a CPU, so that such a box would go at 0.3 and stay at 0.5.
    """
    dtype = torch.promote_types(_compute_dtype(bboxes), _compute_dtype(scores))
    bboxes = bboxes.to(dtype)
    if offset:  # widths and intersections all grow by one pixel: the same as moving the far corner
        bboxes = bboxes + bboxes.new_tensor([0, 0, offset, offset])
    return _kernels().nms(bboxes, scores.to(dtype), torch.tensor(iou_threshold, dtype=dtype).item())


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Soft-NMS (Bodla et al. 2017): fills rows of ``dets`` (N, 5), returns the kept indices (K,).

    ``method`` 0: hard, 1: linear, 2: Gaussian decay of the scores. Boxes whose decayed score is
    below ``min_score`` are dropped.
    """
    areas = (boxes[:, 2:] - boxes[:, :2] + offset).prod(1)
    scores, alive = scores.clone(), torch.arange(len(boxes))
    kept: list[Tensor] = []
    while len(alive):
        best = alive[scores[alive].argmax()]
        dets[len(kept)] = torch.cat([boxes[best], scores[best].view(1)])
        kept.append(best)
        alive = alive[alive != best]
        low = torch.maximum(boxes[alive, :2], boxes[best, :2])
        high = torch.minimum(boxes[alive, 2:], boxes[best, 2:])
        inter = (high - low + offset).clamp(min=0).prod(1)
        iou = inter / (areas[alive] + areas[best] - inter)
        if method == 2:
            scores[alive] *= torch.exp(-iou * iou / sigma)
        else:
            scores[alive] *= torch.where(iou >= iou_threshold, 1 - iou if method == 1 else 0.0, 1.0)
        alive = alive[scores[alive] >= min_score]
    return torch.stack(kept) if kept else alive


def _check_average(pool_mode: int) -> None:
    if pool_mode != 1:
        raise NotImplementedError(_missing("roi_align with pool_mode='max'"))


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """RoIAlign of ``input`` (B, C, H, W) into ``output`` (R, C, h, w). Average pooling only."""
    _check_average(pool_mode)
    dtype = _compute_dtype(input)
    size = aligned_height, aligned_width
    tensors = input.to(dtype), rois.to(dtype)
    output.copy_(_kernels().roi_align(*tensors, spatial_scale, *size, sampling_ratio, aligned))


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Gradient of :func:`roi_align_forward` into ``grad_input`` (B, C, H, W)."""
    _check_average(pool_mode)
    dtype = _compute_dtype(grad_output)
    size = aligned_height, aligned_width, *grad_input.shape
    tensors = grad_output.to(dtype), rois.to(dtype)
    grad = _kernels()._roi_align_backward(*tensors, spatial_scale, *size, sampling_ratio, aligned)
    grad_input.copy_(grad)


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """RoI max pooling of ``input`` (B, C, H, W) into ``output`` and ``argmax`` (R, C, h, w)."""
    dtype = _compute_dtype(input)
    tensors = input.to(dtype), rois.to(dtype)
    pooled, chosen = _kernels().roi_pool(*tensors, spatial_scale, pooled_height, pooled_width)
    output.copy_(pooled)
    argmax.copy_(chosen)


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Gradient of :func:`roi_pool_forward` into ``grad_input`` (B, C, H, W)."""
    dtype = _compute_dtype(grad_output)
    size = pooled_height, pooled_width, *grad_input.shape
    tensors = grad_output.to(dtype), rois.to(dtype), argmax
    grad_input.copy_(_kernels()._roi_pool_backward(*tensors, spatial_scale, *size))


def _focal_terms(input: Tensor, target: Tensor, gamma: float, alpha: float) -> tuple[Tensor, ...]:
    p = input.float().sigmoid()
    tiny = torch.finfo(torch.float32).tiny
    positive = target[:, None] == torch.arange(input.size(1), device=input.device)
    return p, p.clamp(min=tiny).log(), (1 - p).clamp(min=tiny).log(), positive


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Sigmoid focal loss (Lin et al. 2017, eq. 5) of logits (N, C) into ``output`` (N, C).

    ``target`` (N,) holds labels, C = background; ``weight`` is (C,), looked up by label, or empty.
    mmdet calls this on CUDA only.
    """
    p, log_p, log_not_p, positive = _focal_terms(input, target, gamma, alpha)
    loss = torch.where(
        positive, -alpha * (1 - p) ** gamma * log_p, -(1 - alpha) * p**gamma * log_not_p
    )
    output.copy_(loss * weight[target, None] if weight.numel() else loss)


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Derivative of :func:`sigmoid_focal_loss_forward` by the logits, into ``grad_input``."""
    p, log_p, log_not_p, positive = _focal_terms(input, target, gamma, alpha)
    grad = torch.where(
        positive,
        -alpha * (1 - p) ** gamma * (1 - p - gamma * p * log_p),
        -(1 - alpha) * p**gamma * (gamma * (1 - p) * log_not_p - p),
    )
    grad_input.copy_(grad * weight[target, None] if weight.numel() else grad)


def ms_deform_attn_forward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Deformable attention by mmcv's PyTorch code, which mmcv itself runs on CPU only."""
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return multi_scale_deformable_attn_pytorch(
        value, spatial_shapes, sampling_locations, attention_weights
    )


def ms_deform_attn_backward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Gradients of :func:`ms_deform_attn_forward`, by autograd, into the ``grad_*`` tensors."""
    leaves = [x.detach().requires_grad_() for x in (value, sampling_locations, attention_weights)]
    with torch.enable_grad():
        output = ms_deform_attn_forward(
            leaves[0], spatial_shapes, level_start_index, leaves[1], leaves[2], im2col_step
        )
    grads = torch.autograd.grad(output, leaves, grad_output)
    for buffer, grad in zip((grad_value, grad_sampling_loc, grad_attn_weight), grads, strict=True):
        buffer.copy_(grad)


def get_compiler_version() -> str:
    """What ``mmcv.utils.collect_env`` prints as the compiler."""
    return 'n/a (mmcv without compiled operators)'


def get_compiling_cuda_version() -> str:
    """What ``mmcv.utils.collect_env`` prints as the CUDA compiler."""
    return get_compiler_version()


def _missing(name: str) -> str:
    return (
        'mmcv is installed without compiled operators, and wsl_plugins has no replacement for '
        f'{name}. Build mmcv from source with MMCV_WITH_OPS=1 (needs a C++ compiler, and nvcc for '
        'CUDA), see https://mmcv.readthedocs.io/en/latest/get_started/build.html'
    )


def __getattr__(name: str) -> Callable[..., NoReturn]:
    if name.startswith('_'):
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

    def missing(*args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError(_missing(name))

    return missing
