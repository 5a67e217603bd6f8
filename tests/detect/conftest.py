from __future__ import annotations

import numpy as np
import pytest
from made_texts import made_text
from tiny_models_on_disk import tiny_model

from gnomon.detect.corpus import LabelledText
from gnomon.detect.fitting import FitOptions
from gnomon.detect.reader import Reader
from gnomon.detect.training import TrainOptions, layers_of, read_corpus_with, train_head


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("reader"), "llama")


@pytest.fixture(scope="session")
def texts():
    rng = np.random.default_rng(5)
    found = []
    for number in range(160):
        n = int(rng.integers(6, 9))
        boundary = int(rng.integers(1, n))
        found.append(
            LabelledText(
                sentences=tuple(made_text(rng, n, boundary)),
                boundary=boundary,
                generator="digits",
                domain="ab"[number % 2],
                opening=str(number),
            )
        )
    return found


@pytest.fixture(scope="session")
def options():
    fit = FitOptions(members=1, epochs=15, hidden=4, learning_rate=1e-2)
    return TrainOptions(fit=fit)


@pytest.fixture(scope="session")
def corpus(model, texts):
    return read_corpus_with(Reader(model, layers=layers_of(model), threads=1), texts)


@pytest.fixture(scope="session")
def head(corpus, options):
    return train_head(corpus, options=options)
