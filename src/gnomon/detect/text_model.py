"""`TextModel`: who wrote a whole text: a person, or which of the generators that it knows.

Softmax regression on the mean and the spread of a text's sentence features (the forms of
SemEval-2024 task 8, A: two names, B: several).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.errors import UsageError
from gnomon.extras import how_to_install


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel:
    names: tuple[str, ...]
    mean: np.ndarray  # f32 [2 · features]
    scale: np.ndarray  # f32 [2 · features]
    w: np.ndarray  # f32 [2 · features, names]
    c: np.ndarray  # f32 [names]

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """f64 [names] for a text's features [sentences, features]."""
        logits = (pooled(features) - self.mean) / self.scale @ self.w + self.c
        weights = np.exp(logits - logits.max(), dtype=np.float64)
        return weights / weights.sum()


def pooled(features: np.ndarray) -> np.ndarray:
    """The mean and the standard deviation over the sentences, f32 [2 · features]."""
    return np.concatenate([features.mean(axis=0), features.std(axis=0)])


def require_scikit_learn() -> None:
    """Raises UsageError where it is not installed."""
    try:
        import sklearn  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "sklearn":
            raise
        raise UsageError(
            "training a detector needs scikit-learn, which is not installed, and detecting needs "
            f"none; {how_to_install('detect')}"
        ) from error


def fit_text_model(
    features: Sequence[np.ndarray], names: Sequence[str], *, strength: float = 0.01
) -> TextModel:
    """Learns from whole texts and their writers' names; needs scikit-learn. `strength` is the
    inverse of the penalty.
    """
    require_scikit_learn()
    from sklearn.linear_model import LogisticRegression

    rows = np.stack([pooled(x) for x in features])
    mean, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
    fitted = LogisticRegression(C=strength, max_iter=500, class_weight="balanced")
    fitted.fit((rows - mean) / scale, np.asarray(names))
    w, c = np.asarray(fitted.coef_).T, np.asarray(fitted.intercept_)
    if w.shape[1] == 1:  # two names: one logit, of the second
        w, c = np.concatenate([-w, w], axis=1) / 2, np.concatenate([-c, c]) / 2
    return TextModel(
        names=tuple(str(name) for name in fitted.classes_),
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        w=w.astype(np.float32),
        c=c.astype(np.float32),
    )
