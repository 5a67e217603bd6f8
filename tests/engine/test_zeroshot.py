"""Zero-shot tasks: files, prompts, and scores that a plain loop over whole sequences gives too."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from tiny_models import VOCABULARY, our_copy, transformers_model
from tokenizers import decoders, models, pre_tokenizers, processors

from gnomon.engine import Engine, find_task, read_task, run_task
from gnomon.engine.continuations import ContinuationReader
from gnomon.engine.zeroshot import encode_pair
from gnomon.engine.zeroshot_tasks import parse_row
from gnomon.errors import DataError, ModelError, UsageError
from gnomon.models.tokenizer import Tokenizer

LAST_WORDS = [{"text": "the cat saw the cat"}, {"text": "a big red dog saw a dog"}]
CHOICES = [
    {"question": "what saw", "choices": ["a cat", "a dog", "the big red dog"], "answer": 1},
    {"question": "red", "choices": ["big cat saw", "big cat", "dog"], "answer": 0},
    {"question": "big red big", "choices": ["the", "a"], "answer": 1},
]


@pytest.fixture(scope="module")
def engine():
    return Engine(our_copy(transformers_model("llama")), threads=2, dense="float32")


@pytest.fixture(scope="module")
def tokenizer():
    return words(has_bos=False)


def words(*, has_bos: bool) -> Tokenizer:
    """A token a word, with the space before it; as many tokens as the model has."""
    space, newline = "\u0120", "\u010a"  # as byte-level tokenizers write them
    pieces = ["<unk>", "<s>", "Question", ":", newline, "Answer"]
    for word in ("the", "cat", "saw", "a", "big", "red", "dog", "what"):
        pieces += [word, space + word]
    pieces += [f"{space}{'x' * i}" for i in range(1, VOCABULARY - len(pieces) + 1)]
    backend = tokenizers.Tokenizer(
        models.WordLevel({piece: i for i, piece in enumerate(pieces)}, unk_token="<unk>")
    )
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    if has_bos:
        backend.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
    return Tokenizer(backend, settings={"bos_token": "<s>"})


def write(folder: Path, rows: list) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def log_softmax(engine: Engine, tokens: list[int]) -> np.ndarray:
    logits = engine.session().forward_all(np.array(tokens, np.int32)).astype(np.float64)
    logits -= logits.max(1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def plain_score(engine: Engine, context: list[int], continuation: list[int]) -> tuple[float, bool]:
    """The whole sequence, read afresh: what the reader is held to."""
    table = log_softmax(engine, context + continuation)[len(context) - 1 : -1]
    rows = np.arange(len(continuation))
    return table[rows, continuation].sum(), bool((table.argmax(1) == continuation).all())


@pytest.mark.parametrize("has_bos", [False, True])
@pytest.mark.parametrize("rows", [LAST_WORDS, CHOICES], ids=["last word", "multiple choice"])
def test_scores_are_those_of_whole_sequences(engine, tmp_path, rows, has_bos):
    tokenizer = words(has_bos=has_bos)
    result = run_task(engine, tokenizer, read_task(write(tmp_path, rows)))
    assert len(result.results) == len(rows)
    for found in result.results:
        question = found.question
        expected = []
        for choice, score in zip(question.choices, found.scores, strict=True):
            context = tokenizer.encode(question.context)
            whole = tokenizer.encode(f"{question.context} {choice}")
            assert (whole[0] == 1) == has_bos
            value, is_greedy = plain_score(engine, context, whole[len(context) :])
            assert score.log_probability == pytest.approx(value, abs=1e-4)
            assert score.is_greedy == is_greedy
            expected.append(value)
        if question.form == "multiple choice":
            by_character = [v / len(c) for v, c in zip(expected, question.choices, strict=True)]
            assert found.is_right == (np.argmax(expected) == question.answer)
            assert found.is_right_normalised == (np.argmax(by_character) == question.answer)


def test_figures_are_means_of_what_the_model_answered(engine, tokenizer, tmp_path):
    task = read_task(write(tmp_path, LAST_WORDS))
    result = run_task(engine, tokenizer, task)
    values = [each.scores[0].log_probability for each in result.results]
    assert result.perplexity == pytest.approx(math.exp(-sum(values) / 2))
    assert result.normalised_accuracy is None


def test_the_likeliest_word_is_right(engine, tokenizer, tmp_path):
    for context in ("the cat saw a", "a big", "the dog", "red", "what saw the red"):
        table = log_softmax(engine, tokenizer.encode(context))[-1]
        likeliest = " " + tokenizer.decode([int(table.argmax())]).lstrip()
        if tokenizer.encode(context + likeliest)[-1] == table.argmax():
            break  # it is a word with a space before it
    else:
        pytest.fail("the model always wants something else than a word")
    rows = [{"text": context + likeliest}, {"text": f"{context} {likeliest.strip()}xxx"}]
    result = run_task(engine, tokenizer, read_task(write(tmp_path, rows)))
    assert [each.is_right for each in result.results] == [True, False]
    assert result.accuracy == 0.5


def test_normalisation_can_turn_an_answer(engine, tokenizer, tmp_path):
    """The longer of two choices loses by its sum; a character, it may win."""
    rows = [
        {"question": "what", "choices": ["a", "the big red dog saw the cat"], "answer": answer}
        for answer in (0, 1)
    ]
    result = run_task(engine, tokenizer, read_task(write(tmp_path, rows)))
    short, long = (score.log_probability for score in result.results[0].scores)
    assert short > long
    assert short / 1 < long / 27
    assert result.accuracy == 0.5
    assert [each.is_right for each in result.results] == [True, False]
    assert [each.is_right_normalised for each in result.results] == [False, True]
    assert result.accuracy_error == pytest.approx(0.5)


def test_nothing_is_read_twice(engine):
    reader = ContinuationReader(engine, capacity=64)
    context = list(range(3, 23))
    scores = [reader.score(context, [30, 31, end]) for end in (40, 41, 42)]
    assert reader.tokens_read == len(context) + 2  # the last token is never read
    again = ContinuationReader(engine, capacity=64).score(context, [30, 31, 41])
    assert scores[1] == again
    reader.score(context, [30])
    reader.score(context[:10], [context[10]])
    assert reader.tokens_read == len(context) + 2 + 1  # only the row of logits that was not kept


def test_choices_that_begin_alike_are_read_together(engine, tokenizer, tmp_path):
    rows = [{"question": "what", "choices": ["the cat saw", "dog", "the cat red"], "answer": 0}]
    result = run_task(engine, tokenizer, read_task(write(tmp_path, rows)))
    context = tokenizer.encode("Question: what\nAnswer:")
    assert result.tokens == len(context) + 2  # and once "the cat"; last tokens are never read


@pytest.mark.parametrize("seed", range(3))
def test_any_order_gives_the_same_scores(engine, seed):
    rng = np.random.default_rng(seed)
    base = rng.integers(3, VOCABULARY, 12)
    reader = ContinuationReader(engine, capacity=40)
    for _ in range(25):
        context = base[: rng.integers(1, 12)].tolist()
        continuation = [*base[len(context) : rng.integers(len(context), 12)].tolist()]
        continuation += rng.integers(3, VOCABULARY, rng.integers(1, 3)).tolist()
        score = reader.score(context, continuation)
        value, is_greedy = plain_score(engine, context, continuation)
        assert score.log_probability == pytest.approx(value, abs=1e-4)
        assert score.is_greedy == is_greedy


def test_what_is_too_long_loses_its_beginning(engine):
    reader = ContinuationReader(engine, capacity=8)
    context, continuation = list(range(10, 30)), [40, 41, 42]
    score = reader.score(context, continuation)
    assert score.log_probability == pytest.approx(
        plain_score(engine, context[-6:], continuation)[0], abs=1e-4
    )
    with pytest.raises(UsageError, match="at most 8"):
        reader.score(context, list(range(10, 19)))
    with pytest.raises(UsageError, match="0 tokens"):
        reader.score([], continuation)


def test_spaces_at_the_end_of_a_context_go_on(tokenizer):
    alone = encode_pair(tokenizer, "the", " cat")
    assert encode_pair(tokenizer, "the ", "cat") == alone
    assert alone == (tokenizer.encode("the"), tokenizer.encode("the cat")[1:])


def test_prompts_are_the_harness_s():
    question = parse_row(CHOICES[0])
    assert question.context == "Question: what saw\nAnswer:"
    assert (question.choices, question.answer) == (("a cat", "a dog", "the big red dog"), 1)
    passage = parse_row({"text": 'He  said\n"no" and left.'})
    assert (passage.context, passage.choices) == ('He  said\n"no" and', ("left.",))


def test_only_the_first_are_read(tmp_path):
    path = write(tmp_path, CHOICES)
    assert [q.line for q in read_task(path, limit=2).questions] == [1, 2]
    path.write_text("\n" + path.read_text() + "\n", encoding="utf-8")  # empty lines do not count
    assert [q.line for q in read_task(path).questions] == [2, 3, 4]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("[]", "a JSON object was expected"),
        ("{", "no JSON"),
        ('{"text": "word"}', "at least two words"),
        ('{"text": "two words "}', "no space last"),
        ('{"text": 5}', "text is 5"),
        ('{"txt": "two words"}', "keys txt; expected text, or"),
        ('{"question": "q", "choices": ["a", "b"]}', "keys choices, question"),
        ('{"question": "", "choices": ["a", "b"], "answer": 0}', "question is"),
        ('{"question": "q", "choices": ["a"], "answer": 0}', "two strings or more"),
        ('{"question": "q", "choices": ["a", ""], "answer": 0}', "two strings or more"),
        ('{"question": "q", "choices": ["a", "b"], "answer": 2}', "answer is 2.* from 0 to 1"),
        ('{"question": "q", "choices": ["a", "b"], "answer": true}', "answer is true"),
        ('{"question": "q", "choices": ["a", "b"], "answer": "b"}', 'answer is "b"'),
        ('{"text": "two words"}', "last word row, but line 1 is multiple choice"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, message):
    path = write(tmp_path, CHOICES[:1])
    path.write_text(path.read_text() + row + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"rows\.jsonl, line 2: .*{message}"):
        read_task(path)


def test_files_that_are_none(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(DataError, match="empty"):
        read_task(tmp_path / "empty.jsonl")
    with pytest.raises(DataError, match="No such file"):
        read_task(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"text": "caf\xe9 au lait"}')
    with pytest.raises(DataError, match="UTF-8"):
        read_task(tmp_path / "latin.jsonl")


def test_tasks_are_found(tmp_path):
    with pytest.raises(UsageError, match="folder"):
        find_task("piqa", None)
    with pytest.raises(DataError, match=r"piqa\.jsonl"):
        find_task("piqa", tmp_path)
    with pytest.raises(UsageError, match="lambada, arc-easy, piqa"):
        find_task("hellaswag", tmp_path)
    (tmp_path / "zeroshot").mkdir()
    (tmp_path / "zeroshot" / "piqa.jsonl").touch()
    assert find_task("piqa", tmp_path) == tmp_path / "zeroshot" / "piqa.jsonl"
    assert find_task("mine.jsonl", None) == Path("mine.jsonl")


def test_a_tokenizer_of_another_model(engine, tmp_path):
    task = read_task(write(tmp_path, LAST_WORDS))

    class Strange(Tokenizer):
        def encode(self, text: str, *, add_special: bool = True) -> list[int]:
            return [VOCABULARY + 5, *super().encode(text, add_special=add_special)]

    base = words(has_bos=False)
    strange = Strange(base._backend, settings={})
    with pytest.raises(ModelError, match="do not fit"):
        run_task(engine, strange, task)


def test_progress_counts_questions(engine, tokenizer, tmp_path):
    steps = []
    task = replace(read_task(write(tmp_path, CHOICES)), name="mine")
    run_task(engine, tokenizer, task, on_progress=steps.append)
    assert [(s.stage, s.done, s.total) for s in steps] == [("mine", i, 3) for i in range(4)]
