"""Compression: a model in, the same model in few bits out."""

import os

from gnomon.compress.options import CompressOptions, CompressResult, LayerReport
from gnomon.compress.pipeline import compress

# Torch asks the system for every large tensor anew, which costs less in huge pages.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

__all__ = ["CompressOptions", "CompressResult", "LayerReport", "compress"]
