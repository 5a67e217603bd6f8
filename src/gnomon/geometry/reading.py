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
        raise DataError(
            f"{name} is no problem: neither UTF-8 text (byte {error.start} is "
            f"{raw[error.start]:#04x}) nor a GeoGebra file"
        ) from error
    if not text.strip():
        raise DataError(f"{name} is empty; a problem was expected")
    return Problem.parse(text)
