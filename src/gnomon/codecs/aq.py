"""The codec `aq`: a group of 8 weights is the sum of K codewords, one from each codebook.

Additive quantisation of language models, AQLM (arXiv 2401.06118), in its K×8 form: K codebooks of
256 codewords, so K bits a weight and 4·K KB of codebooks a matrix, and one scale an output row.
Codebooks start from residual k-means; codes are chosen by beam search (Babenko and Lempitsky,
CVPR 2014).
"""

from __future__ import annotations

import numpy as np

from gnomon.codecs.encoded import EncodedWeight

GROUP = 8
CODEWORDS = 256


def decode(encoded: EncodedWeight) -> np.ndarray:
    """`scale · Σ_k codebook[k][code_k]`, float32 [out, in]."""
    codes, codebooks = encoded.tensors["codes"], encoded.tensors["codebooks"]
    groups = sum_codewords(codes, codebooks.astype(np.float32))
    rows, columns = encoded.shape
    matrix = groups.reshape(rows, -1)[:, :columns]
    return matrix * encoded.tensors["scales"].astype(np.float32)[:, None]


def sum_codewords(codes: np.ndarray, codebooks: np.ndarray) -> np.ndarray:
    """Vectors [..., 8] from codes [..., K] and codebooks [K, 256, 8]."""
    return sum(codebooks[k][codes[..., k]] for k in range(len(codebooks)))  # type: ignore[return-value]


def nearest(vectors: np.ndarray, codebook: np.ndarray, *, count: int = 1) -> np.ndarray:
    """The `count` nearest codewords [n, count] (unordered) of every vector [n, 8]."""
    score = np.sum(codebook**2, axis=1) - 2 * vectors @ codebook.T
    if count == 1:
        return np.argmin(score, axis=1)[:, None]
    return np.argpartition(score, count, axis=1)[:, :count]


def learn_codebooks(
    vectors: np.ndarray, *, codebooks: int, rng: np.random.Generator, rounds: int = 10
) -> np.ndarray:
    """Residual k-means, then joint least squares: float32 [K, 256, 8] for vectors [n, 8]."""
    residual = vectors.copy()
    learned = np.empty((codebooks, CODEWORDS, GROUP), dtype=np.float32)
    for k in range(codebooks):
        learned[k] = residual[rng.integers(len(residual), size=CODEWORDS)]
        for _ in range(rounds):
            learned[k] = _means(residual, nearest(residual, learned[k])[:, 0], learned[k])
        residual -= learned[k][nearest(residual, learned[k])[:, 0]]
    for _ in range(rounds // 2):
        learned = fit_codebooks(vectors, beam_search(vectors, learned), learned)
    return learned


def _means(vectors: np.ndarray, chosen: np.ndarray, previous: np.ndarray) -> np.ndarray:
    uses = np.bincount(chosen, minlength=CODEWORDS)
    sums = np.stack(
        [np.bincount(chosen, weights=vectors[:, d], minlength=CODEWORDS) for d in range(GROUP)],
        axis=1,
    )
    means = sums / np.maximum(uses, 1)[:, None]
    return np.where(uses[:, None] > 0, means, previous).astype(np.float32)


def fit_codebooks(vectors: np.ndarray, codes: np.ndarray, codebooks: np.ndarray) -> np.ndarray:
    """The codebooks that come nearest to `vectors` with these codes, all K at once (ridge 1)."""
    count, size = len(codebooks), len(codebooks) * CODEWORDS
    columns = codes + CODEWORDS * np.arange(count)  # [n, K] into the stacked codewords
    gram = np.zeros((size, size))
    for a in range(count):
        for b in range(count):
            pair = columns[:, a].astype(np.int64) * size + columns[:, b]
            gram += np.bincount(pair, minlength=size * size).reshape(size, size)
    target = np.stack(
        [
            np.bincount(columns.ravel(), weights=np.repeat(vectors[:, d], count), minlength=size)
            for d in range(GROUP)
        ],
        axis=1,
    )
    previous = codebooks.reshape(size, GROUP)
    solved = np.linalg.solve(gram + np.eye(size), target + previous)
    return solved.reshape(codebooks.shape).astype(np.float32)


def beam_search(vectors: np.ndarray, codebooks: np.ndarray, *, beam: int = 4) -> np.ndarray:
    """Codes uint8 [n, K] of vectors [n, 8]: the `beam` best partial sums are kept at every step."""
    count = len(vectors)
    codes = np.zeros((count, 1, len(codebooks)), dtype=np.uint8)
    sums = np.zeros((count, 1, GROUP), dtype=np.float32)
    for k, codebook in enumerate(codebooks):
        width = sums.shape[1]
        residual = (vectors[:, None] - sums).reshape(-1, GROUP)
        choice = nearest(residual, codebook, count=beam).reshape(count, width * beam)
        parent = np.repeat(np.arange(width), beam)
        candidates = sums[:, parent] + codebook[choice]
        error = np.sum((vectors[:, None] - candidates) ** 2, axis=2)
        keep = 1 if k == len(codebooks) - 1 else min(beam, error.shape[1])
        best = np.argpartition(error, keep - 1, axis=1)[:, :keep]
        rows = np.arange(count)[:, None]
        codes = codes[rows, parent[best]]
        codes[:, :, k] = choice[rows, best]
        sums = candidates[rows, best]
    return codes[:, 0]


class AqRounder:
    """Rounds a matrix, 8 columns at a time, to sums of codewords, and collects the codes."""

    columns = GROUP
    rows = 1

    def __init__(
        self, weight: np.ndarray, *, codebooks: int, rng: np.random.Generator, sample: int = 20_000
    ):
        rows, columns = weight.shape
        rms = np.sqrt(np.mean(weight**2, axis=1))
        self.scales = np.where(rms > 0, rms, 1).astype(np.float32)
        groups = _pad(weight / self.scales[:, None]).reshape(-1, GROUP)
        if len(groups) > sample:
            groups = groups[rng.choice(len(groups), size=sample, replace=False)]
        learned = learn_codebooks(groups, codebooks=codebooks, rng=rng)
        self.codebooks = learned.astype(np.float16)
        self.codes = np.zeros((rows, -(-columns // GROUP), codebooks), dtype=np.uint8)

    def round(self, block: np.ndarray, *, start: int) -> np.ndarray:
        """The values found for columns `start …` of the matrix, float32 [rows, ≤ 8]."""
        codebooks = self.codebooks.astype(np.float32)
        codes = beam_search(_pad(block / self.scales[:, None]), codebooks)
        self.codes[:, start // GROUP] = codes
        values = sum_codewords(codes, codebooks)[:, : block.shape[1]]
        return values * self.scales[:, None]


def _pad(matrix: np.ndarray) -> np.ndarray:
    return np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % GROUP)))
