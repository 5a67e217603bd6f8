"""The runtime: sessions over native layers, sampling, generation, perplexity."""

from gnomon.engine.engine import Engine, Session
from gnomon.engine.generate import GeneratedToken, generate
from gnomon.engine.perplexity import PerplexityResult, perplexity
from gnomon.engine.sampling import Sampler, SamplingOptions

__all__ = [
    "Engine",
    "GeneratedToken",
    "PerplexityResult",
    "Sampler",
    "SamplingOptions",
    "Session",
    "generate",
    "perplexity",
]
