"""`measure_bandwidth`: how fast this machine reads memory, which bounds how fast it can decode."""

from __future__ import annotations

from gnomon import _native
from gnomon.engine.memory import require_memory

_BLOCK_BYTES = 2**28  # several times what caches hold
_PASSES = 5


def measure_bandwidth(threads: int) -> float:
    """Bytes a second, the best of 5 passes over 256 MiB. GnomonError if those are not free."""
    require_memory(_BLOCK_BYTES, "Measuring the bandwidth of memory")
    return _native.read_bandwidth(threads, _BLOCK_BYTES, _PASSES)
