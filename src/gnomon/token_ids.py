"""Token ids as the engine takes them, and whether they are the model's at all.

>>> as_token_ids([1, 2, 3])
array([1, 2, 3], dtype=int32)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gnomon.errors import ModelError, UsageError

_LARGEST = np.iinfo(np.int32).max


def as_token_ids(values: Sequence[int] | np.ndarray) -> np.ndarray:
    """`values` as int32 [n]. Raises UsageError unless they are one row of whole numbers."""
    try:
        ids = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise UsageError("The tokens are no single row; expected whole numbers [n].") from error
    if ids.ndim != 1:
        raise UsageError(f"The tokens have the shape {list(ids.shape)}; expected one row [n].")
    if ids.size == 0:
        return np.empty(0, dtype=np.int32)
    if ids.dtype.kind not in "iu" or ids.min() < -_LARGEST or ids.max() > _LARGEST:
        raise UsageError("The tokens are not whole numbers of at most 31 bits.")
    return np.ascontiguousarray(ids, dtype=np.int32)


def require_known_tokens(ids: Sequence[int] | np.ndarray, *, vocab_size: int) -> None:
    """Raise ModelError if a tokenizer made tokens that the model has no embedding for.

    Ask this of the tokens and not of the tokenizer: some have spare ones that no text becomes.
    """
    numbers = np.asarray(ids)
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < vocab_size:
        raise ModelError(
            f"the tokenizer gave tokens from {numbers.min()} to {numbers.max()}, the model knows "
            f"0 to {vocab_size - 1}: the tokenizer and the model do not fit, one of them is "
            "another model's"
        )
