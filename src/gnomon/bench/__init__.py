"""How fast models run on this machine: prompts, decoding, memory, and llama.cpp beside them."""

from gnomon.bench.bandwidth import measure_bandwidth
from gnomon.bench.cases import Case, Plan
from gnomon.bench.llama_bench import LlamaBench, find_tool
from gnomon.bench.ours import OurModel
from gnomon.bench.rounds import Speed, measure

__all__ = [
    "Case",
    "LlamaBench",
    "OurModel",
    "Plan",
    "Speed",
    "find_tool",
    "measure",
    "measure_bandwidth",
]
