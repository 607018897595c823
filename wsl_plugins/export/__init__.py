"""Trained models as ONNX files."""

from .graph import ExportError, Graph
from .kinds import graph_of
from .onnx_file import export

__all__ = ['ExportError', 'Graph', 'export', 'graph_of']
