"""`BoundaryDetector` among scikit-learn's tools."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from gnomon.detect import BoundaryDetector
from gnomon.detect.surface import surface_features

QUICK = {"members": 1, "epochs": 15, "hidden": 4, "learning_rate": 1e-2, "threads": 1}


@pytest.fixture(scope="module")
def sentences(texts):
    return [list(text.sentences) for text in texts]


@pytest.fixture(scope="module")
def boundaries(texts):
    return [text.boundary for text in texts]


@pytest.fixture(scope="module")
def fitted(model, sentences, boundaries):
    return BoundaryDetector(model=model, **QUICK).fit(sentences[:60], boundaries[:60])


def surface(rows):
    return [surface_features(row) for row in rows]


def test_it_finds_what_it_learned(model, fitted, sentences, boundaries):
    assert fitted.score(sentences[60:90], boundaries[60:90]) > 0.7
    table = fitted.predict_proba([" ".join(sentences[0]), sentences[1]])
    np.testing.assert_allclose(table.sum(axis=1), 1.0)
    again = clone(fitted)
    with pytest.raises(NotFittedError):
        again.predict(sentences[:1])
    again.fit(sentences[:60], np.array(boundaries[:60], np.float64))
    np.testing.assert_array_equal(
        again.predict_proba(sentences[:9]), fitted.predict_proba(sentences[:9])
    )


def test_pickles_hold_no_engine(model, fitted, sentences):
    content = pickle.dumps(fitted)
    assert len(content) < 30_000
    assert fitted.model is model
    back = pickle.loads(content)
    assert back.get_params() == fitted.get_params() | {"model": str(model.source)}
    for name in ("predict_proba", "predict_words"):
        before, after = (getattr(each, name)(sentences[:3]) for each in (fitted, back))
        np.testing.assert_array_equal(after, before)


def test_in_a_pipeline(sentences, boundaries):
    detector = BoundaryDetector(**QUICK)
    pipeline = Pipeline([("surface", FunctionTransformer(surface)), ("boundary", detector)])
    assert cross_val_score(pipeline, sentences, boundaries, cv=3).min() > 0.6


def test_a_grid_is_searched_in_processes(model, sentences, boundaries):
    search = GridSearchCV(
        BoundaryDetector(model=model, **QUICK),
        {"hidden": [2, 4]},
        cv=2,
        n_jobs=2,
        error_score="raise",
    )
    search.fit(sentences[:40], boundaries[:40])
    assert search.best_score_ > 0.5
    assert search.predict(sentences[:2]).shape == (2,)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ("One text.", [1], "a list of texts was expected"),
        (3, [1], "a list of texts was expected"),
        ([], [], "X is empty"),
        ([3], [1], "text 0 is 3; a string"),
        (["One. Two.", ["A.", 5]], [1, 1], "text 1 is"),
        (["One. Two.", "..."], [1, 1], "text 1 has no words"),
        (["One. Two.", []], [1, 1], "text 1 has no words"),
        (["One. Two.", ["A.", " "]], [1, 1], "text 1 has the sentence ' '"),
        (["One. Two."], None, "y is missing"),
        (["One. Two."], [1, 2], "inconsistent numbers of samples"),
        (["One. Two."], ["one"], "whole numbers"),
        (["One. Two."], [0.5], "whole numbers"),
        (["One. Two."], [float("nan")], "whole numbers"),
        (["One. Two."], [[1]], "whole numbers"),
        (["One. Two."], [True], "whole numbers"),
        (["One. Two.", "Three."], [1, 2], "text 1 has 1 pieces; its boundary 2"),
        (["One. Two."], [-1], "its boundary -1"),
        (np.zeros((2, 3)), [1, 1], r"text 0 is an array of float64 with shape \(3,\)"),
        ([np.zeros((2, 3)), np.zeros((2, 4))], [1, 1], "text 1 is an array"),
        ([np.zeros((2, 3)), "Text."], [1, 1], "text 1 is 'Text.'"),
        ([np.zeros((0, 3))], [0], "at least one piece"),
        ([np.full((2, 3), np.nan)], [0], "not finite"),
        ([np.full((2, 3), 1e30)], [0], "too large"),
    ],
)
def test_what_it_cannot_learn_from(model, X, y, message):
    with pytest.raises(ValueError, match=message):
        BoundaryDetector(model=model, **QUICK).fit(X, y)


@pytest.mark.parametrize(
    "parameter",
    [
        {"hidden": 0}, {"hidden": 2.5}, {"members": 0}, {"epochs": True}, {"learning_rate": 0},
        {"learning_rate": float("nan")}, {"weight_decay": -1}, {"dropout": 1.0}, {"dropout": "no"},
        {"seed": -1},
    ],
)  # fmt: skip
def test_parameters_that_cannot_be(parameter):
    (name,) = parameter
    with pytest.raises(ValueError, match=f"the parameter {name} is .* was expected"):
        BoundaryDetector(**parameter).fit([np.zeros((2, 3))], [1])


def test_what_it_cannot_be_asked(fitted, sentences):
    features = [np.zeros((3, 4), np.float32)]
    with pytest.raises(ValueError, match="4 features, but this detector learned from 19"):
        fitted.predict(features)
    learned = BoundaryDetector(**QUICK).fit(features * 3, [0, 1, 3])
    with pytest.raises(ValueError, match="cannot read a text"):
        learned.predict(sentences)
    with pytest.raises(ValueError, match="learned from texts"):
        learned.predict_words(features)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        learned.score(features, [1, 2])
