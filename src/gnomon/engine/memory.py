"""How much memory this process may still take."""

from __future__ import annotations

from pathlib import Path

from gnomon.errors import GnomonError


def available_bytes() -> int | None:
    """Free memory of the machine or of our control group, whichever is less; None if unknown."""
    limits = [limit for limit in (_machine_bytes(), _group_bytes()) if limit is not None]
    return min(limits, default=None)


def require_memory(needed_bytes: int, purpose: str) -> None:
    """Raise GnomonError if `needed_bytes` more would not fit."""
    available = available_bytes()
    if available is not None and needed_bytes > available:
        raise GnomonError(
            f"{purpose} needs {_readable(needed_bytes)} of memory; "
            f"{_readable(available)} are free. "
            "Try a smaller or more compressed model, or a shorter context."
        )


def _machine_bytes() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _group_bytes() -> int | None:
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        cached = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    # The page cache gives way, so it does not count as used.
    return None if limit == "max" else int(limit) - used + int(cached.get("inactive_file", 0))


def _readable(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.2f} GiB"
