"""The estimate counts the work: it grows as the work does."""

from dataclasses import replace

import pytest

from gnomon.compress import estimate
from gnomon.compress.estimate import expected_seconds, in_words, rounding_flops


def test_products_are_what_a_long_calibration_costs(tiny):
    """Two passes over every weight; what does not depend on the tokens is left out."""
    weights = sum(
        tiny.weights.shape(name)[0] * tiny.weights.shape(name)[1]
        for name in tiny.weights.names()
        if name.startswith("model.layers.") and "proj" in name
    )
    cost = rounding_flops(tiny, tokens=20_000) - rounding_flops(tiny, tokens=10_000)
    assert 4 * weights * 10_000 < cost < 60 * weights * 10_000  # tiny widths: attention is most


def test_more_effort_takes_longer(tiny, options, monkeypatch):
    monkeypatch.setattr(estimate, "measured_flops_per_second", lambda: 1e9)
    quick, standard, most = (
        expected_seconds(tiny, replace(options, effort=effort), tokens=2048)
        for effort in ("quick", "standard", "max")
    )
    assert quick < standard < 20 * quick
    assert standard < most < 20 * standard


def test_spreading_the_bits_takes_a_backward_pass_more(tiny, options, monkeypatch):
    monkeypatch.setattr(estimate, "measured_flops_per_second", lambda: 1e9)
    alike, spread = (
        expected_seconds(tiny, replace(options, bits=bits), tokens=2048) for bits in (2, 2.5)
    )
    assert alike < spread < 2 * alike


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3, "less than a minute"),
        (61, "about 1 minute"),
        (400, "about 7 minutes"),
        (9000, "about 2.5 hours"),
    ],
)
def test_durations_in_words(seconds, words):
    assert in_words(seconds) == words
