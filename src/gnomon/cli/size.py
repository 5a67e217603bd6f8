"""Sizes as people write them."""

from __future__ import annotations

import re

from gnomon.errors import UsageError

_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Whole bytes, rounded down. A MB is a million bytes, a MiB 2^20. Raises UsageError.

    >>> parse_size("450MB"), parse_size("1.5 GiB"), parse_size("41062224")
    (450000000, 1610612736, 41062224)
    """
    found = _SIZE.fullmatch(text)
    if found is None or found[2].lower() not in _UNITS:
        raise UsageError(
            f"{text!r} is no size; expected a number and a unit, such as 450MB, 429MiB or 0.45GB, "
            "or a number of bytes."
        )
    return int(float(found[1]) * _UNITS[found[2].lower()])
