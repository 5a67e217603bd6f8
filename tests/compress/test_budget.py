"""The choice of bits under a budget, against trying everything."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.compress import budget
from gnomon.compress.budget import Form, choose_forms, largest_bytes, smallest_bytes


def form(size, loss, *, bits=2):
    return Form(codec="trellis", bits=bits, size_bytes=size, loss=loss)


def totals(chosen):
    return (
        sum(each.size_bytes for each in chosen.values()),
        math.fsum(each.loss for each in chosen.values()),
    )


def least_loss(forms, budget_bytes):
    """By trying every choice."""
    return min(
        math.fsum(each.loss for each in choice)
        for choice in itertools.product(*forms.values())
        if sum(each.size_bytes for each in choice) <= budget_bytes
    )


some_forms = st.lists(
    st.builds(form, st.integers(1, 60), st.floats(0, 9, allow_subnormal=False)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(lists=st.lists(some_forms, min_size=1, max_size=6), room=st.integers(0, 200))
def test_no_other_choice_that_fits_is_better(lists, room):
    forms = {str(i): each for i, each in enumerate(lists)}
    allowed = smallest_bytes(forms) + room
    size, loss = totals(choose_forms(forms, allowed))
    assert size <= allowed
    assert loss == pytest.approx(least_loss(forms, allowed), rel=1e-9, abs=1e-12)


def many(count, *, seed=0):
    """Weights as a model has them: a few shapes, three widths, losses over three decades."""
    rng = np.random.default_rng(seed)
    forms = {}
    for i in range(count):
        weights = int(rng.choice([192, 576, 1536])) * 576
        sensitivity = float(10 ** rng.uniform(-3, 0))
        forms[f"{i}"] = [
            form(weights * bits // 8 + 260, sensitivity * error, bits=bits)
            for bits, error in ((2, 0.0794), (3, 0.0204), (4, 0.0053))
        ]
    return forms


def lagrangian_bound(forms, budget_bytes):
    """No choice that fits has less loss: the largest over prices of the relaxed problem's cost."""
    return max(
        sum(min(each.loss + price * each.size_bytes for each in some) for some in forms.values())
        - price * budget_bytes
        for price in np.geomspace(1e-12, 1e-3, 400)
    )


@pytest.mark.parametrize("share", [0.02, 0.15, 0.5, 0.9])
def test_a_whole_model_comes_near_the_bound(share):
    forms = many(210)
    smallest, largest = smallest_bytes(forms), largest_bytes(forms)
    allowed = int(smallest + share * (largest - smallest))
    size, loss = totals(choose_forms(forms, allowed))
    assert allowed * 0.999 < size <= allowed
    assert loss <= lagrangian_bound(forms, allowed) * 1.01


def test_few_states_still_give_an_answer_that_fits(monkeypatch):
    monkeypatch.setattr(budget, "STATES", 3)
    forms = many(40)
    allowed = int(1.2 * smallest_bytes(forms))
    size, loss = totals(choose_forms(forms, allowed))
    assert size <= allowed
    assert loss <= lagrangian_bound(forms, allowed) * 1.05


def test_the_ends_of_the_range():
    forms = many(20)
    assert {each.bits for each in choose_forms(forms, smallest_bytes(forms)).values()} == {2}
    assert {each.bits for each in choose_forms(forms, largest_bytes(forms)).values()} == {4}
    assert {each.bits for each in choose_forms(forms, 10 * largest_bytes(forms)).values()} == {4}


def test_what_matters_gets_the_bits():
    shape = [(200, 0.08), (300, 0.02), (400, 0.005)]
    forms = {
        name: [form(size, loss * weight, bits=size // 100) for size, loss in shape]
        for name, weight in (("much", 100.0), ("some", 1.0), ("hardly", 0.01))
    }
    chosen = choose_forms(forms, 800)
    assert [chosen[name].bits for name in forms] == [4, 2, 2]


def test_a_form_that_is_larger_and_worse_is_never_chosen():
    forms = {"a": [form(10, 1.0), form(20, 2.0), form(30, 0.5)]}
    assert choose_forms(forms, 25)["a"].size_bytes == 10
    assert largest_bytes({"a": forms["a"][:2]}) == 10
