"""Plans of bits: sizes to the byte, targets that are met, and targets that cannot be."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_models_on_disk import tiny_model

from gnomon.compress import compress
from gnomon.compress.forms import StoredTensor, block_forms, header_bytes, vocabulary_forms
from gnomon.compress.importance import EMBEDDING, HEAD, Importance
from gnomon.compress.plan import Target, bytes_beside, plan_bits, stored_forms
from gnomon.compress.rounding import WeightRounder
from gnomon.errors import UsageError

ANY_SIZE = Target(size_bytes=1, head_bits=None)


def importance_of(model, **changes):
    """Every matrix as sensitive as any other, but for the changes."""
    return Importance(sensitivity=dict.fromkeys(stored_forms(model, ANY_SIZE), 1.0) | changes)


@pytest.mark.parametrize("shape", [(48, 64), (17, 33), (512, 16)])
@pytest.mark.parametrize("is_vocabulary", [False, True])
def test_sizes_are_those_of_coded_matrices(shape, is_vocabulary):
    weight = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    forms_of = vocabulary_forms if is_vocabulary else block_forms
    for form in forms_of("w.weight", shape):
        if form.codec == "f16":
            assert form.size_bytes == 2 * weight.size
            continue
        rounder = WeightRounder(
            np.eye(shape[1], dtype=np.float32), codec=form.codec, bits=form.bits, input_seed=1
        )
        result = rounder.encode(weight, output_seed=None, seed=2, has_row_scales=is_vocabulary)
        tensors = {f"w.{key}": value for key, value in result.encoded.tensors.items()}
        assert {t.name: (t.shape, t.size_bytes) for t in form.tensors} == {
            name: (tensor.shape, tensor.nbytes) for name, tensor in tensors.items()
        }


@pytest.mark.parametrize(("bits", "head_bits"), [(2, 3), (4, 8), (3, 16)])
@pytest.mark.parametrize("model_type", ["llama", "gemma3_text", "mixtral", "qwen2"])
def test_the_predicted_size_of_a_file_is_its_size(model_type, bits, head_bits, tmp_path, options):
    model = tiny_model(tmp_path, model_type)
    stored = stored_forms(model, ANY_SIZE)
    predicted = bytes_beside(model, stored)
    for name, some in stored.items():
        width = head_bits if name in (EMBEDDING, HEAD) else bits
        predicted += next(form.size_bytes for form in some if form.bits == width)
    options = replace(options, bits=bits, head_bits=head_bits)
    size = compress(model, tmp_path / "out", options=options).size_bytes
    assert 0 <= predicted - size <= 4 * 2 * 3 * len(model.weights.names()) + 8


def test_a_mean_width_is_met(tiny):
    plan = plan_bits(tiny, importance_of(tiny), Target(mean_bits=3.1))
    stored = stored_forms(tiny, Target(mean_bits=3.1))
    blocks = [name for name in plan.bits if name not in (EMBEDDING, HEAD)]
    spent = sum(
        form.size_bytes for name in blocks for form in stored[name] if form.bits == plan.bits[name]
    )
    weights = sum(np.prod(tiny.weights.shape(name)) for name in blocks)
    assert plan.mean_bits == pytest.approx(8 * spent / weights)
    assert 3.0 < plan.mean_bits <= 3.1
    assert {plan.bits[EMBEDDING], plan.bits[HEAD]} == {4}
    assert set(plan.bits) == set(stored)


def test_what_matters_gets_more_bits(tiny):
    name = "model.layers.1.mlp.down_proj.weight"
    importance = importance_of(tiny, **{name: 1000.0})
    plan = plan_bits(tiny, importance, Target(mean_bits=3.0))
    others = [bits for other, bits in plan.bits.items() if other not in (name, EMBEDDING, HEAD)]
    assert plan.bits[name] == 4
    assert min(others) == 2


def test_a_size_spends_on_the_head_what_the_head_is_worth(tiny):
    smallest, largest = range_of(tiny)
    target = Target(size_bytes=(3 * smallest + largest) // 4, head_bits=None)
    cheap, dear = (
        plan_bits(tiny, importance_of(tiny, **{HEAD: worth}), target) for worth in (1e-6, 1e6)
    )
    assert cheap.bits[HEAD] <= 3
    assert dear.bits[HEAD] >= 8
    for plan in (cheap, dear):
        assert plan.size_bytes <= (3 * smallest + largest) // 4


def test_a_width_that_was_asked_for_the_head_is_kept(tiny):
    target = Target(size_bytes=sum(range_of(tiny, head_bits=3)) // 2, head_bits=3)
    plan = plan_bits(tiny, importance_of(tiny), target)
    assert plan.bits[HEAD] == plan.bits[EMBEDDING] == 3


def range_of(model, *, head_bits=None):
    """The least and the most bytes that a file of this model can have."""
    stored = stored_forms(model, Target(size_bytes=1, head_bits=head_bits))
    beside = bytes_beside(model, stored)
    return tuple(
        beside + sum(choice(form.size_bytes for form in some) for some in stored.values())
        for choice in (min, max)
    )


def test_the_smallest_and_the_largest_are_possible(tiny):
    for size in range_of(tiny):
        plan = plan_bits(tiny, importance_of(tiny), Target(size_bytes=size, head_bits=None))
        assert plan.size_bytes == size


def test_a_size_that_cannot_be_names_what_can(tiny):
    smallest, largest = range_of(tiny)
    for asked in (smallest - 1, largest + 1, 0):
        with pytest.raises(UsageError) as caught:
            plan_bits(tiny, importance_of(tiny), Target(size_bytes=asked, head_bits=None))
        for figure in (asked, smallest, largest):
            assert f"{figure:,}" in str(caught.value)


def test_no_more_than_the_original_is_spent(tiny):
    _, largest = range_of(tiny)
    small = replace(tiny, size_bytes=largest - 100)
    with pytest.raises(UsageError, match=f"to {largest - 100:,} bytes"):
        plan_bits(small, importance_of(tiny), Target(size_bytes=largest, head_bits=None))


@pytest.mark.parametrize("bits", [1.0, 2.0, 4.9, 0.0, float("nan")])
def test_a_mean_width_that_cannot_be_names_what_can(bits, tiny):
    with pytest.raises(UsageError, match=r"from 2\.\d+ to 4\.\d+"):
        plan_bits(tiny, importance_of(tiny), Target(mean_bits=bits))


def test_a_header_is_as_long_as_safetensors_makes_it(tmp_path):
    from safetensors.numpy import save_file

    arrays = {"a": np.zeros((3, 5), np.uint8), "b.ü": np.zeros(7, np.float32)}
    save_file(arrays, tmp_path / "file", metadata={"format": "gnomon"})
    tensors = [
        StoredTensor(name="a", dtype="U8", shape=(3, 5)),
        StoredTensor(name="b.ü", dtype="F32", shape=(7,)),
    ]
    found = header_bytes(tensors, end=43, metadata={"format": "gnomon"})
    assert found + 43 >= (tmp_path / "file").stat().st_size > found + 43 - 16
