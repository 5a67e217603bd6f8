"""Zero-shot evaluation: what a model answers to questions that it was given no examples of.

Conventions are those of EleutherAI's lm-evaluation-harness 0.4, whose figures these equal:

- a context and a continuation are tokenised together, and the continuation is what follows as many
  tokens as the context has alone; the tokenizer adds BOS where the model has one; what is too long
  loses its beginning,
- the answer is the choice of the highest log-likelihood (accuracy), or of the highest
  log-likelihood a character (normalised accuracy), the first of equals,
- a last word is right if each of its tokens is the likeliest; perplexity is exp of the mean
  negative log-likelihood of a word, however many tokens it has.

>>> result = run_task(engine, tokenizer, read_task(Path("piqa.jsonl")))    # doctest: +SKIP
>>> result.accuracy                                                       # doctest: +SKIP
0.68
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gnomon.engine.continuations import ContinuationReader, ContinuationScore
from gnomon.engine.engine import Engine
from gnomon.engine.zeroshot_tasks import Form, Question, Task
from gnomon.errors import ContextError, DataError, ModelError
from gnomon.models.tokenizer import Tokenizer
from gnomon.progress import OnProgress, Progress
from gnomon.token_ids import require_known_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionResult:
    question: Question
    scores: tuple[ContinuationScore, ...]  # of each choice
    is_right: bool
    is_right_normalised: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    task: str
    form: Form
    results: tuple[QuestionResult, ...]
    tokens: int  # that the model read

    @property
    def accuracy(self) -> float:
        """Fraction of questions answered right."""
        return _mean([result.is_right for result in self.results])

    @property
    def accuracy_error(self) -> float:
        """Standard error of the accuracy, of the questions as a sample of all there might be."""
        count, mean = len(self.results), self.accuracy
        return math.sqrt(mean * (1 - mean) / (count - 1)) if count > 1 else math.nan

    @property
    def normalised_accuracy(self) -> float | None:
        """The same by log-likelihood a character; None where there is nothing to choose from."""
        if self.form == "last word":
            return None
        return _mean([result.is_right_normalised for result in self.results])

    @property
    def perplexity(self) -> float | None:
        """Of the last words; None for a choice."""
        if self.form == "multiple choice":
            return None
        mean = _mean([result.scores[0].log_probability for result in self.results])
        return math.exp(-mean) if mean > -700 else math.inf


def run_task(
    engine: Engine,
    tokenizer: Tokenizer,
    task: Task,
    *,
    on_progress: OnProgress = lambda progress: None,
) -> TaskResult:
    """Ask the model every question of `task`.

    Raises ModelError if the tokenizer is another model's or the model computes what is no number,
    DataError, naming the line, if a choice adds no token to its context.
    """
    encoded = [_encode(tokenizer, question, task) for question in task.questions]
    longest = 0
    for question, pairs in zip(task.questions, encoded, strict=True):
        for context, continuation in pairs:
            require_known_tokens([*context, *continuation], vocab_size=engine.config.vocab_size)
            longest = max(longest, len(context) + len(continuation) - 1)
            if len(continuation) > engine.config.max_context:
                raise ContextError(
                    f"{task.source}, line {question.line}: a choice has {len(continuation)} "
                    f"tokens; the model's context is {engine.config.max_context}"
                )
    reader = ContinuationReader(engine, capacity=min(longest, engine.config.max_context))
    results = []
    for done, (question, pairs) in enumerate(zip(task.questions, encoded, strict=True)):
        on_progress(Progress(stage=task.name, done=done, total=len(encoded)))
        try:
            scores = _score_pairs(reader, pairs)
        except ModelError as error:
            raise ModelError(f"{task.source}, line {question.line}: {error}") from error
        results.append(_judge(question, scores))
    on_progress(Progress(stage=task.name, done=len(encoded), total=len(encoded)))
    return TaskResult(
        task=task.name, form=task.form, results=tuple(results), tokens=reader.tokens_read
    )


def encode_pair(
    tokenizer: Tokenizer, context: str, continuation: str
) -> tuple[list[int], list[int]]:
    """Tokens of `context` and of what `continuation` adds to it. Spaces at the context's end go to
    the continuation, as tokenizers join a space with the word after it.
    """
    stripped = context.rstrip()
    continuation = context[len(stripped) :] + continuation
    context_ids = tokenizer.encode(stripped)
    return context_ids, tokenizer.encode(stripped + continuation)[len(context_ids) :]


def _encode(
    tokenizer: Tokenizer, question: Question, task: Task
) -> list[tuple[list[int], list[int]]]:
    pairs = [encode_pair(tokenizer, question.context, f" {choice}") for choice in question.choices]
    for choice, (context, continuation) in zip(question.choices, pairs, strict=True):
        if not context or not continuation:
            raise DataError(
                f"{task.source}, line {question.line}: {choice!r} adds no token to the context"
            )
    return pairs


def _score_pairs(
    reader: ContinuationReader, pairs: Sequence[tuple[list[int], list[int]]]
) -> tuple[ContinuationScore, ...]:
    """Scores in the pairs' order, read in the order in which they share most."""
    order = sorted(range(len(pairs)), key=lambda i: pairs[i])
    scores = {i: reader.score(*pairs[i]) for i in order}
    return tuple(scores[i] for i in range(len(pairs)))


def _judge(question: Question, scores: tuple[ContinuationScore, ...]) -> QuestionResult:
    if question.form == "last word":
        is_right = is_right_normalised = scores[0].is_greedy
    else:
        values = [score.log_probability for score in scores]
        by_character = [
            value / len(choice) for value, choice in zip(values, question.choices, strict=True)
        ]
        is_right = values.index(max(values)) == question.answer
        is_right_normalised = by_character.index(max(by_character)) == question.answer
    return QuestionResult(
        question=question,
        scores=scores,
        is_right=is_right,
        is_right_normalised=is_right_normalised,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
