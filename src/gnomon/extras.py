"""What is not installed with gnomon itself, and how it is."""

from __future__ import annotations


def how_to_install(extra: str) -> str:
    """
    >>> how_to_install("ray")
    "in gnomon's folder: pip install -e '.[ray]'"
    """
    return f"in gnomon's folder: pip install -e '.[{extra}]'"
