"""A problem from a file's bytes, whatever language it is in."""

from __future__ import annotations

from gnomon.errors import DataError
from gnomon.geometry.language import Problem


def read_problem(raw: bytes, *, name: str = "the problem") -> Problem:
    """A problem in AlphaGeometry's language, in Newclid's, or a GeoGebra file. Raises DataError.

    `name` is what messages call the file.
    """
    if raw.startswith(b"PK"):
        from gnomon.geometry.geogebra import read_geogebra

        return read_geogebra(raw, name=name)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8")
        raise DataError(
            f"{name} is no problem: neither a GeoGebra file nor UTF-8 text "
            f"(line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}: "
            f"byte {error.object[error.start]:#04x}); save it as UTF-8"
        ) from error
    if not text.strip():
        raise DataError(f"{name} is empty; a problem was expected")
    return Problem.parse(text)
