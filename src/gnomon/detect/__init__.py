"""Where in a text a machine took over, by what a language model makes of every sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gnomon.detect.detection import Detection, Detector
from gnomon.detect.head import Head, load_head
from gnomon.detect.text_model import require_scikit_learn

if TYPE_CHECKING:
    from gnomon.detect.estimator import BoundaryDetector

__all__ = ["BoundaryDetector", "Detection", "Detector", "Head", "load_head"]


def __getattr__(name: str) -> Any:
    """`BoundaryDetector` needs scikit-learn, which nothing else here does at run time."""
    if name == "BoundaryDetector":
        require_scikit_learn()
        from gnomon.detect.estimator import BoundaryDetector

        return BoundaryDetector
    raise AttributeError(name)
