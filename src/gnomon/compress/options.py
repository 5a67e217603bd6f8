"""What a user can ask of `compress`, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gnomon.codecs import CODECS
from gnomon.errors import UsageError

HEAD_BITS = (2, 3, 4, 8, 16)  # 2-4 trellis, 8 int8, 16 as it is

# What is done beyond rounding: nothing; every block is tuned; and the whole model learns from the
# original. Each with the calibration tokens that it is used with if nothing was said.
EFFORTS = {"quick": 16_384, "standard": 32_768, "max": 32_768}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressOptions:
    """Everything that decides the bits of the result. Raises UsageError where it makes no sense."""

    codec: str = "trellis"  # of the linear layers of every block
    bits: int | None = None  # a weight; None: the codec's usual width
    head_bits: int = 4  # of the embedding and the head
    calibration: Path | None = None  # a UTF-8 text; None: the bundled slice of WikiText-2
    calibration_tokens: int | None = None  # None: what suits the effort
    effort: str = "quick"  # a key of EFFORTS
    seed: int = 0

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise UsageError(f"Unknown codec {self.codec!r}; expected one of {', '.join(CODECS)}.")
        widths = CODECS[self.codec].bits
        if self.bits is not None and self.bits not in widths:
            raise UsageError(
                f"The codec {self.codec} cannot store {self.bits} bits a weight; "
                f"expected {', '.join(map(str, widths))}."
            )
        if self.head_bits not in HEAD_BITS:
            raise UsageError(
                f"The head cannot have {self.head_bits} bits; "
                f"expected {', '.join(map(str, HEAD_BITS))}."
            )
        if self.effort not in EFFORTS:
            raise UsageError(
                f"Unknown effort {self.effort!r}; expected one of {', '.join(EFFORTS)}."
            )
        if self.calibration_tokens is not None and self.calibration_tokens < 1:
            raise UsageError(f"{self.calibration_tokens} calibration tokens: expected some.")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"The seed {self.seed} is not in 0 … 2^32 - 1.")

    @property
    def tokens(self) -> int:
        """`calibration_tokens`, or what suits the effort."""
        return self.calibration_tokens or EFFORTS[self.effort]

    @property
    def width(self) -> int:
        """`bits`, or what the codec is used with if nothing was said."""
        if self.bits is not None:
            return self.bits
        return 8 if self.codec == "int8" else 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """What became of one matrix."""

    name: str
    codec: str
    shape: tuple[int, int]
    bits_per_weight: float  # tables and scales included
    relative_error: float  # tr(E H Eᵀ) / tr(W H Wᵀ), the squared error of its outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressResult:
    """The folder that was written and what is in it."""

    output: Path
    seconds: float
    layers: tuple[LayerReport, ...]
    size_bytes: int  # of model.safetensors, everything counted
    bits_per_weight: float  # 8 · size_bytes / parameters
