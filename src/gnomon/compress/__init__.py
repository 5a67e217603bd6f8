"""Compression: a model in, the same model in few bits out."""

from gnomon.compress.options import CompressOptions, CompressResult, LayerReport
from gnomon.compress.pipeline import compress

__all__ = ["CompressOptions", "CompressResult", "LayerReport", "compress"]
