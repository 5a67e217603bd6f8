"""From a `Reading` to numbers for each sentence.

`FEATURES` says what the first of them are; the means of hidden states may follow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gnomon.detect.reader import Reading

FEATURES = (
    "log-probability",  # mean over the sentence's tokens, nats
    "log-probability, spread",
    "log-probability, lowest tenth",
    "log-probability, median",
    "entropy",
    "entropy, spread",
    "excess",  # Σ (log p + entropy) / √(Σ variance): Fast-DetectGPT, arXiv 2310.05130, eq. 4
    "excess a token",
    "variance",
    "temperature gap",  # log-probability at a temperature of one half less that at one
    "log rank",  # Su et al., arXiv 2306.05540
    "likeliest",  # share of tokens that were the likeliest
    "among ten",
    "beyond a thousand",
    "words said before",  # share of the words that the text has had already
    "pairs said before",
    "triples said before",
)


def sentence_features(reading: Reading, sentences: Sequence[str]) -> np.ndarray:
    """f32 [sentences, len(FEATURES)] of the sentences that were read, in their normal form."""
    rows = np.zeros((reading.pieces, len(FEATURES)), np.float32)
    for i, (begin, end) in enumerate(zip(reading.starts[:-1], reading.starts[1:], strict=True)):
        if begin < end:
            rows[i, :-3] = _of_tokens(reading, slice(begin, end))
    rows[:, -3:] = _repetition(sentences)
    return rows


def _of_tokens(reading: Reading, at: slice) -> list[float]:
    p, entropy = reading.log_probabilities[at], reading.entropies[at]
    rank, variance = reading.ranks[at], reading.variances[at]
    surplus = p + entropy
    return [
        p.mean(),
        p.std(),
        np.quantile(p, 0.1),
        np.median(p),
        entropy.mean(),
        entropy.std(),
        surplus.sum() / np.sqrt(variance.sum() + 1.0),
        surplus.mean(),
        variance.mean(),
        (reading.cold_probabilities[at] - p).mean(),
        np.log1p(rank).mean(),
        (rank < 1).mean(),
        (rank < 10).mean(),
        (rank >= 1000).mean(),
    ]


def _repetition(sentences: Sequence[str]) -> np.ndarray:
    """Shares [sentences, 3] of each one's words, pairs and triples that were there before."""
    shares = np.zeros((len(sentences), 3), np.float32)
    seen: tuple[set[tuple[str, ...]], ...] = (set(), set(), set())
    for i, sentence in enumerate(sentences):
        words = [word.strip(".,;:!?()[]") for word in sentence.lower().split()]
        for size, known in enumerate(seen, start=1):
            grams = list(zip(*(words[k:] for k in range(size)), strict=False))
            if grams:
                shares[i, size - 1] = sum(gram in known for gram in grams) / len(grams)
            known.update(grams)
    return shares
