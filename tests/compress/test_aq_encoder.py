"""Learning additive codes: what is fitted lowers the loss, and the whole is near and repeatable."""

import numpy as np
import pytest

from gnomon import _native
from gnomon.codecs import decode
from gnomon.codecs.aq import sum_codewords
from gnomon.compress.aq_codebooks import decoded, fit_codebooks, fit_scales, start_codebooks
from gnomon.compress.aq_encoder import AqEffort, AqEncoder
from gnomon.compress.feedback import InputStatistics
from gnomon.errors import UsageError

QUICK = AqEffort(beam=2, width=8, rows=96, rounds=2, last_rounds=2)


@pytest.fixture(scope="module")
def statistics():
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((64, 64)) * rng.uniform(0.3, 2, 64)
    x = (rng.standard_normal((256, 64)) @ mixing).astype(np.float32)
    return InputStatistics.from_gram(x.T @ x / len(x))


@pytest.fixture(scope="module")
def weight():
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((160, 64)) * rng.uniform(0.2, 2, (160, 1))
    weight[7] = 0
    return weight.astype(np.float32)


def random_codes(weight, *, books=2):
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 256, (len(weight), weight.shape[1] // 8, books), dtype=np.uint8)
    codebooks = rng.standard_normal((books, 256, 8)).astype(np.float32)
    return codes, codebooks, rng.uniform(0.5, 2, len(weight)).astype(np.float32)


def test_native_sums_are_the_plain_ones(weight):
    codes, codebooks, _ = random_codes(weight, books=3)
    np.testing.assert_allclose(
        decoded(codes, codebooks),
        sum_codewords(codes, codebooks).reshape(weight.shape),
        rtol=1e-6,
        atol=1e-6,
    )
    vectors = weight.reshape(-1, 8)
    totals = np.empty((3, 256, 8))
    _native.sum_by_codeword(codes.reshape(-1, 3), vectors, totals)
    for k, code in ((0, 0), (1, 17), (2, 255)):
        expected = vectors[codes.reshape(-1, 3)[:, k] == code].sum(axis=0, dtype=np.float64)
        np.testing.assert_allclose(totals[k, code], expected, atol=1e-5)


def test_enough_steps_solve_the_least_squares(statistics):
    """Against the dense solution, on a problem small enough to write its matrix down."""
    rng = np.random.default_rng(4)
    weight = rng.standard_normal((40, 64)).astype(np.float32)
    codes, codebooks, scales = random_codes(weight, books=1)
    codes %= 4  # so that few codewords are in use
    gram = statistics.gram
    unknowns = np.zeros((4, 8, 40, 64), np.float32)  # Ŵ for each number of a codeword by itself
    for row in range(40):
        for group in range(8):
            for d in range(8):
                unknowns[codes[row, group, 0], d, row, 8 * group + d] = scales[row]
    matrix = (unknowns.reshape(-1, 64) @ statistics.factor).reshape(32, -1)
    target = (weight @ statistics.factor).ravel()
    solved = np.linalg.lstsq(matrix.T, target, rcond=None)[0].reshape(4, 8)
    found = fit_codebooks(weight @ gram, scales, codes, codebooks, gram, steps=200)
    best = statistics.error(weight - np.einsum("cdoi,cd->oi", unknowns, solved))
    reached = statistics.error(weight - decoded(codes, found) * scales[:, None])
    assert reached == pytest.approx(best, rel=1e-3)
    np.testing.assert_allclose(found[0, 4:], codebooks[0, 4:])  # nobody uses them


def test_scales_are_the_best_there_are(weight, statistics):
    codes, codebooks, _ = random_codes(weight)
    sums = decoded(codes, codebooks)
    scales = fit_scales(weight @ statistics.gram, sums, statistics.gram)

    def error(factor):
        return np.sum(((weight - factor * scales[:, None] * sums) @ statistics.factor) ** 2, axis=1)

    assert np.all(error(1.0) <= error(1.03) * (1 + 1e-5))
    assert np.all(error(1.0) <= error(0.97) * (1 + 1e-5))
    assert scales[7] == 0


def test_every_round_lowers_the_loss(weight, statistics):
    def error(**changes):
        effort = AqEffort(beam=1, width=8, **changes)
        encoded = AqEncoder(statistics, effort).encode(weight, codebooks=2, seed=5)
        return statistics.error(weight - decode(encoded)) / statistics.error(weight)

    few, more, most = (error(rounds=n, last_rounds=1) for n in (0, 2, 6))
    assert few > 1.05 * more > 1.05 * most


@pytest.mark.parametrize(("codebooks", "limit"), [(1, 0.3), (2, 0.08), (3, 0.015)])
def test_more_codebooks_leave_less_error(codebooks, limit, weight, statistics):
    encoded = AqEncoder(statistics, QUICK).encode(weight, codebooks=codebooks, seed=5)
    assert encoded.codec == "aq"
    assert encoded.tensors["codes"].shape == (160, 8, codebooks)
    assert encoded.tensors["codes"].dtype == np.int8
    values = decode(encoded)
    assert np.array_equal(values[7], np.zeros(64))
    assert statistics.error(weight - values) / statistics.error(weight) < limit


def test_same_seed_same_codes(weight, statistics):
    first, second, other = (
        AqEncoder(statistics, QUICK).encode(weight, codebooks=2, seed=seed) for seed in (5, 5, 6)
    )
    for key, tensor in first.tensors.items():
        np.testing.assert_array_equal(tensor, second.tensors[key])
    assert (first.tensors["codes"] != other.tensors["codes"]).any()


@pytest.mark.parametrize("shape", [(1, 8), (3, 16)])
def test_small_matrices(shape):
    weight = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    statistics = InputStatistics.from_gram(np.eye(shape[1], dtype=np.float32))
    encoded = AqEncoder(statistics, QUICK).encode(weight, codebooks=2, seed=0)
    assert statistics.error(weight - decode(encoded)) < 0.3 * statistics.error(weight)


def test_a_width_that_is_no_multiple_of_eight_is_refused():
    with pytest.raises(UsageError, match=r"groups of 8.* 20 inputs.*trellis"):
        AqEncoder(InputStatistics.from_gram(np.eye(20, dtype=np.float32)))


def test_codebooks_start_near_their_vectors():
    rng = np.random.default_rng(7)
    centres = 5 * rng.standard_normal((200, 8))
    vectors = centres[rng.integers(200, size=3000)] + 0.01 * rng.standard_normal((3000, 8))
    books = start_codebooks(vectors, codebooks=1, rng=rng)
    distance = np.min(np.sum((vectors[:200, None] - books[0]) ** 2, axis=2), axis=1)
    assert np.median(distance) < 0.01
