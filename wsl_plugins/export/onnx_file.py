"""A graph as an ONNX file that computes what PyTorch computes."""

import inspect
import io
import os
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType

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
) -> bool:
    """Write an ONNX file, after onnxruntime has computed with it what PyTorch computes.

    The sides of images are dynamic if other ones than ``size`` give the same numbers, too; numbers
    of images and proposals always are.

    Args:
        graph: See :func:`graph_of`.
        path: File to write, whole or not at all.
        size: (height, width) of the images with which the model is traced.
        properties: ``metadata_props`` of the file.

    Returns:
        Whether images of other sizes can be put in.

    Raises:
        ExportError: torch cannot export the model, or not to a file that computes the same.
        ImportError: onnx or onnxruntime is not installed.
    """
    runtime()
    height, width = size
    try:
        content = convert(graph, size, dynamic=True)
        others = [(height + 32, width + 96), (max(height - 32, 32), width + 17)]
        compare(graph, content, [size, *others])
        dynamic = True
    except ExportError:
        content = convert(graph, size, dynamic=False)
        compare(graph, content, [size, size])
        dynamic = False
    with atomic_write(path) as file:
        file.write(described(content, properties))
    return dynamic


def convert(graph: Graph, size: tuple[int, int], dynamic: bool) -> bytes:
    """The file's content.

    By tracing, which torch 2.1 and 2.11 have, and which takes seconds where ``dynamo=True`` takes
    a minute.

    Raises:
        ExportError: torch cannot.
    """
    fixed = set() if dynamic else {'H', 'W', 'h', 'w', 'P'}
    axes = {
        name: {i: side for i, side in enumerate(shape) if isinstance(side, str) and side not in fixed}
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
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('ignore')  # of values that become constants: compare() tells
            torch.onnx.export(graph, graph.example(2, *size), buffer, **options)
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ExportError(
            f'torch {torch.__version__} cannot export the model by tracing (torch 2.1 to 2.11 are '
            f'tested): {type(error).__name__}: {reason[0]}'
        ) from error
    return buffer.getvalue()


def compare(graph: Graph, content: bytes, sizes: list[tuple[int, int]]) -> None:
    """Whether onnxruntime and PyTorch agree, with other contents, 1 to 3 images (or 10 to 30
    proposals) and each of the sizes.

    Raises:
        ExportError: one of them does not take an input, or they give other numbers.
    """
    _, onnxruntime = runtime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(content, options, ['CPUExecutionProvider'])
        for number, size in enumerate(sizes, 1):
            inputs = graph.example(number, *size)
            with torch.no_grad():
                expected = graph(*inputs)
            feeds = dict(zip(graph.inputs, (x.numpy() for x in inputs), strict=True))
            found = [torch.from_numpy(x) for x in session.run(None, feeds)]
            for name in different(graph, found, expected):
                raise ExportError(f'{name} of onnxruntime is not that of PyTorch, {size=}')
    except ExportError:
        raise
    except Exception as error:
        reason = ' '.join(str(error).split())[:300]
        raise ExportError(f'the file cannot be run: {type(error).__name__}: {reason}') from error


def different(graph: Graph, found: Sequence[Tensor], expected: Sequence[Tensor]) -> list[str]:
    """Names of the outputs that differ by more than 1e-4, of numbers above 1 by more than that
    share of the largest one.

    Rows of graphs that are ``unordered`` have their equal anywhere in the other, 99 of 100.
    """
    if graph.unordered:
        largest = [max(1.0, float(part.abs().max())) for part in expected]
        rows = [
            torch.cat([(x / top).flatten(1) for x, top in zip(parts, largest, strict=True)], dim=1)
            for parts in (found, expected)
        ]
        near = torch.cdist(*rows, p=torch.inf) <= TOLERANCE
        alone = [1 - near.any(dim=dim).float().mean() for dim in (0, 1)]
        return list(graph.outputs) if max(alone) > 0.01 else []
    return [
        name
        for name, there, here in zip(graph.outputs, found, expected, strict=True)
        if there.shape != here.shape
        or not (there - here).abs().max() <= TOLERANCE * max(1.0, float(here.abs().max()))
    ]


def described(content: bytes, properties: Mapping[str, str]) -> bytes:
    """The file's content with properties, checked by ``onnx.checker``."""
    onnx, _ = runtime()
    model = onnx.load_model_from_string(content)
    for key, value in properties.items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()
