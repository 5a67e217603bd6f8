"""Compression: a model in, the same model in few bits out."""

from gnomon.compress.options import CompressOptions, CompressResult, LayerReport, Progress
from gnomon.compress.pipeline import compress

__all__ = ["CompressOptions", "CompressResult", "LayerReport", "Progress", "compress"]
