"""The texts that travel with the package: one to calibrate on, another to measure on.

Both are slices of WikiText-2 (see LICENSE.md beside them), from its validation and its test part,
so that nothing is measured on what it was calibrated with. Nothing is ever downloaded.

>>> from gnomon.data import evaluation_text
>>> evaluation_text().split()[:3]
['=', 'Robert', '<unk>']
"""

from importlib.resources import files

__all__ = ["calibration_text", "evaluation_text"]


def calibration_text() -> str:
    """About 900 KB of WikiText-2's validation part."""
    return _read("calibration.txt")


def evaluation_text() -> str:
    """The first 70 KB of WikiText-2's test part."""
    return _read("evaluation.txt")


def _read(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
