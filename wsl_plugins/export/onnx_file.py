"""A graph as an ONNX file that computes what PyTorch computes."""

import inspect
import io
import os
import warnings
from collections.abc import Mapping, Sequence, Set
from contextlib import redirect_stdout
from importlib import import_module
from types import ModuleType
from typing import cast

import torch
from torch import Tensor

from wsl_plugins.export.graph import ExportError, Graph
from wsl_plugins.files.writing import atomic_write

OPSET = 17
TOLERANCE = 1e-4


def runtime() -> tuple[ModuleType, ModuleType]:
    """Modules onnx and onnxruntime.

    Raises:
        ImportError: one is not installed.
    """
    try:
        return import_module('onnx'), import_module('onnxruntime')
    except ImportError as error:
        raise ImportError(f"{error}: pip install 'wsl_plugins[export]'") from error


def export(
    graph: Graph, path: str | os.PathLike, size: tuple[int, int], properties: Mapping[str, str]
) -> str | None:
    """Write an ONNX file, after onnxruntime has computed with it what PyTorch computes.

    It is tried with dynamic sides first, then with images of one size, then with one image of that
    size: the first file that computes the same for other contents (and sizes, and numbers of images
    and proposals) is written.

    Args:
        graph: See :func:`graph_of`.
        path: File to write, whole or not at all.
        size: (height, width) of the images with which the model is traced.
        properties: ``metadata_props`` of the file.

    Returns:
        None; or which sides are fixed, and why.

    Raises:
        ExportError: torch cannot export the model, or not to a file that computes the same.
        ImportError: onnx or onnxruntime is not installed.
    """
    runtime()
    height, width = size
    batch = graph.inputs['image'][0] == 'N'
    several = 2 if batch else 1
    others = [(height + 32, width + 96), (height + 64, width), (height, width - 17)]
    attempts: list[tuple[set[str], int, list[tuple[int, int]]]] = [
        (set(), several, [size, *others]),
        ({'H', 'W', 'h', 'w', 'P'}, several, [size] * 3),
        ({'N', 'H', 'W', 'h', 'w', 'P'}, 1, [size] * 3),
    ]
    reasons: list[str] = []
    for fixed, images, sizes in attempts[: several + 1]:
        counts = (1, 3, 2, 4) if batch and 'N' not in fixed else (1,) * 4
        examples = [
            graph.example(number, count, *sides)
            for number, (count, sides) in enumerate(zip(counts, sizes, strict=False), 1)
        ]
        try:
            answers, refused = computed(graph, examples)
            if not fixed and refused and len(answers) == 1:
                raise ExportError(f'PyTorch takes images of no other size: {refused}')
            content = convert(graph, graph.example(len(sizes) + 1, images, *size), fixed)
            compare(graph, content, answers)
            break
        except ExportError as error:
            reasons.append(str(error))
    else:
        raise ExportError(reasons[-1])
    with atomic_write(path) as file:
        file.write(described(content, properties))
    if not reasons:
        return refused and f'H, W: not any, PyTorch refuses some: {refused}'
    sides = f'N = 1, H = {height}, W = {width}' if 'N' in fixed else f'H = {height}, W = {width}'
    return f'{sides} only: {reasons[-1]}'


def computed(
    graph: Graph, examples: Sequence[tuple[Tensor, ...]]
) -> tuple[list[tuple[tuple[Tensor, ...], tuple[Tensor, ...]]], str | None]:
    """Inputs and outputs of those examples that PyTorch takes, and why it refuses the last other.

    Raises:
        ExportError: it takes none.
    """
    answers, refused = [], None
    for inputs in examples:
        try:
            with torch.no_grad():
                answers.append((inputs, graph(*inputs)))
        except (RuntimeError, ValueError, AssertionError) as error:
            reason = ' '.join(str(error).split())[:200]
            refused = f'{tuple(inputs[0].shape)}: {reason or type(error).__name__}'
    if not answers:
        raise ExportError(f'PyTorch does not take images of this size: {refused}')
    return answers, refused


def convert(graph: Graph, example: tuple[Tensor, ...], fixed: Set[str]) -> bytes:
    """The file's content.

    By tracing, which takes seconds where ``dynamo=True`` of torch 2.11 takes a minute.

    Args:
        graph: what is exported.
        example: its inputs.
        fixed: names of sides that keep the length they have in the example.

    Raises:
        ExportError: torch cannot.
    """
    axes = {
        name: {
            i: side for i, side in enumerate(shape) if isinstance(side, str) and side not in fixed
        }
        for name, shape in (graph.inputs | graph.outputs).items()
    }
    options: dict = dict(
        input_names=list(graph.inputs),
        output_names=list(graph.outputs),
        dynamic_axes={name: sides for name, sides in axes.items() if sides},
        opset_version=OPSET,
    )
    if 'dynamo' in inspect.signature(torch.onnx.export).parameters:
        options['dynamo'] = False
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad(), redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore')  # of values that become constants: compare() tells
            torch.onnx.export(graph, example, cast(str, buffer), **options)
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ExportError(
            f'torch {torch.__version__} cannot export the model by tracing (2.11 is '
            f'tested): {type(error).__name__}: {reason[0]}'
        ) from error
    return buffer.getvalue()


def compare(
    graph: Graph,
    content: bytes,
    answers: Sequence[tuple[tuple[Tensor, ...], tuple[Tensor, ...]]],
) -> None:
    """Whether onnxruntime gives the outputs of PyTorch.

    Args:
        graph: what was exported.
        content: the file's.
        answers: inputs and outputs of PyTorch.

    Raises:
        ExportError: it does not run the file, or gives other numbers.
    """
    _, onnxruntime = runtime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(content, options, ['CPUExecutionProvider'])
        for inputs, expected in answers:
            feeds = dict(zip(graph.inputs, (x.numpy() for x in inputs), strict=True))
            found = [torch.from_numpy(x) for x in session.run(None, feeds)]
            if reason := difference(graph, found, expected):
                shape = tuple(inputs[0].shape)
                raise ExportError(f'onnxruntime and PyTorch, images {shape}: {reason}')
    except ExportError:
        raise
    except Exception as error:
        reason = ' '.join(str(error).split())[:300]
        raise ExportError(f'the file cannot be run: {type(error).__name__}: {reason}') from error


def difference(graph: Graph, found: Sequence[Tensor], expected: Sequence[Tensor]) -> str | None:
    """How outputs differ; None if by no more than 1e-4 of the largest number of each.

    Rows of graphs that are ``unordered`` have their equal anywhere in the other, 99 of 100.
    """
    largest = [max(float(part.abs().max()), 1e-6) for part in expected]
    if graph.unordered:
        rows = [
            torch.cat([(x / top).flatten(1) for x, top in zip(parts, largest, strict=True)], dim=1)
            for parts in (found, expected)
        ]
        near = torch.cdist(rows[0], rows[1], p=torch.inf) <= TOLERANCE
        share = min(float(near.any(dim=dim).float().mean()) for dim in (0, 1))
        return None if share >= 0.99 else f'{share:.1%} of the rows are equal'
    for name, there, here, top in zip(graph.outputs, found, expected, largest, strict=True):
        if there.shape != here.shape:
            return f'{name} {tuple(there.shape)} is {tuple(here.shape)}'
        if not (apart := float((there - here).abs().max()) / top) <= TOLERANCE:
            return f'{name} differs by {apart:.1e}'
    return None


def described(content: bytes, properties: Mapping[str, str]) -> bytes:
    """The file's content with properties, checked by ``onnx.checker``."""
    onnx, _ = runtime()
    model = onnx.load_model_from_string(content)
    for key, value in properties.items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()
