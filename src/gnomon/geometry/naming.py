"""What the user may have meant by a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'midpoint'?`, or nothing when no name is near.

    >>> closest("midpiont", ["midpoint", "foot"])
    "; did you mean 'midpoint'?"
    """
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""
