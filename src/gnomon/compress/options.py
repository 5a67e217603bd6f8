"""What a user can ask of `compress`, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gnomon.codecs import CODECS
from gnomon.compress.plan import Target
from gnomon.errors import UsageError

HEAD_BITS = (2, 3, 4, 8, 16)  # 2-4 trellis, 8 int8, 16 as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What is done beyond rounding, and on how much text if nothing was said."""

    calibration_tokens: int
    bits: float = 2  # a weight, with the codec trellis
    is_tuned: bool = False  # every block learns to give the original's output
    distillation_tokens: int = 0  # of those, on which the whole model learns its predictions


EFFORTS = {
    "quick": Effort(calibration_tokens=8_192),
    "standard": Effort(calibration_tokens=65_536, bits=2.1, is_tuned=True),
    "max": Effort(calibration_tokens=294_912, bits=2.1, is_tuned=True, distillation_tokens=131_072),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressOptions:
    """Everything that decides the bits of the result. Raises UsageError where it makes no sense."""

    codec: str = "trellis"  # of the linear layers of every block
    bits: float | None = None  # a weight: codes alone if whole, else all that is stored, on average
    head_bits: int | None = None  # of the embedding and the head; None: 4, or what suits the size
    size_bytes: int | None = None  # of model.safetensors, instead of bits
    calibration: Path | None = None  # a UTF-8 text; None: bundled pages of WikiText-2
    calibration_tokens: int | None = None  # None: what suits the effort
    effort: str = "quick"  # a key of EFFORTS
    seed: int = 0

    def __post_init__(self) -> None:
        if self.effort not in EFFORTS:
            raise UsageError(
                f"Unknown effort {self.effort!r}; expected one of {', '.join(EFFORTS)}."
            )
        if self.codec not in CODECS:
            raise UsageError(f"Unknown codec {self.codec!r}; expected one of {', '.join(CODECS)}.")
        widths = CODECS[self.codec].bits
        if self.bits is not None and self.size_bytes is not None:
            raise UsageError(
                f"Both {self.bits:g} bits a weight and {self.size_bytes:,} bytes were asked for; "
                "expected one of the two, since either decides the other."
            )
        if self.target is not None and self.codec != "trellis":
            raise UsageError(
                f"Bits are spread over the layers with the codec trellis; {self.codec} was asked "
                f"for, which gives all layers alike {' or '.join(map(str, widths))} bits."
            )
        if self.bits is not None and self.bits not in widths and self.target is None:
            raise UsageError(
                f"The codec {self.codec} cannot store {self.bits:g} bits a weight; "
                f"expected {', '.join(map(str, widths))}."
            )
        if self.head_bits not in (None, *HEAD_BITS):
            raise UsageError(
                f"The head cannot have {self.head_bits} bits; "
                f"expected {', '.join(map(str, HEAD_BITS))}."
            )
        if self.calibration_tokens is not None and self.calibration_tokens < 1:
            raise UsageError(f"{self.calibration_tokens} calibration tokens: expected some.")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"The seed {self.seed} is not in 0 … 2^32 - 1.")

    @property
    def tokens(self) -> int:
        """`calibration_tokens`, or what suits the effort."""
        return self.calibration_tokens or EFFORTS[self.effort].calibration_tokens

    @property
    def distillation_tokens(self) -> int:
        """How many of them the whole model learns on, at most; 0 if it does not."""
        return min(EFFORTS[self.effort].distillation_tokens, self.tokens)

    @property
    def wanted_bits(self) -> float:
        """`bits`, or what codec and effort are used with if nothing was said."""
        if self.bits is not None:
            return self.bits
        if self.codec == "trellis":
            return EFFORTS[self.effort].bits
        return 8 if self.codec == "int8" else 2

    @property
    def width(self) -> int:
        """Of the codes of every layer, unless the bits are spread."""
        return int(self.wanted_bits)

    @property
    def head_width(self) -> int:
        """`head_bits`, or what is used if neither they nor a size were asked for.

        That is 16 with `aq`: Hugging Face's form of it knows no coded embedding.
        """
        if self.head_bits is not None:
            return self.head_bits
        return 16 if self.codec == "aq" else 4

    @property
    def target(self) -> Target | None:
        """What the bits are spread for; None where every layer gets as many."""
        if self.size_bytes is not None:
            return Target(size_bytes=self.size_bytes, head_bits=self.head_bits)
        if not float(self.wanted_bits).is_integer():
            return Target(
                mean_bits=self.wanted_bits,
                head_bits=self.head_width,
                is_asked=self.bits is not None,
            )
        return None


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
