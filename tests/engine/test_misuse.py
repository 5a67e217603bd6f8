"""What the engine is given by mistake: a clear error, never a crash."""

import numpy as np
import pytest
from small_checkpoints import write_folder

from gnomon import _native
from gnomon.engine import Engine, generate
from gnomon.errors import UsageError
from gnomon.models import open_model


@pytest.fixture
def engine(tmp_path):
    write_folder(tmp_path, "llama")
    return Engine(open_model(tmp_path), threads=1)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ([1.5, 2.0], "whole numbers"),
        (["a"], "whole numbers"),
        ([True], "whole numbers"),
        ([[1, 2], [3, 4]], r"shape \[2, 2\]"),
        ([[1], [2, 3]], "no single row"),
        (5, r"shape \[\]"),
        ([1 << 40], "31 bits"),
        ([1 << 70], "whole numbers"),
    ],
)
def test_prompts_that_are_no_row_of_tokens(engine, prompt, message):
    with pytest.raises(UsageError, match=message):
        generate(engine, prompt)


def test_a_session_of_another_engine(engine):
    other = Engine(engine.model, threads=1)
    with pytest.raises(UsageError, match="another engine's"):
        generate(engine, [1], session=other.session(8))
    assert len(list(generate(engine, [1], max_tokens=2, session=engine.session(8)))) == 2


@pytest.mark.parametrize("capacity", [1 << 62, (1 << 63) - 1, 0, -1])
def test_a_capacity_that_no_memory_has(engine, capacity):
    with pytest.raises(ValueError, match="session"):
        _native.Session(engine._decoder, capacity)


def test_sizes_that_cannot_be():
    with pytest.raises(ValueError, match="width"):
        _native.Rotation(1 << 62)
    with pytest.raises(ValueError, match="scales"):
        _native.dense_linear(np.zeros((2, 3), np.int8))
