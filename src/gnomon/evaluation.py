"""Measure a model: its perplexity on a text, and what it answers to zero-shot tasks.

It joins the engine that measures and the table that compares.

>>> plan = EvaluationPlan(tasks=(read_task(Path("piqa.jsonl")),))            # doctest: +SKIP
>>> evaluate(open_model(), plan).figures["tasks"]["piqa"]["accuracy"]        # doctest: +SKIP
0.68
"""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gnomon.engine import Engine, PerplexityResult, Task, TaskResult, perplexity, run_task
from gnomon.errors import DataError
from gnomon.models import require_tokenizer
from gnomon.progress import OnProgress, within

if TYPE_CHECKING:
    from gnomon.engine.perplexity import ScoreFrom
    from gnomon.models.model import Model
    from gnomon.models.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """What is measured of every model alike."""

    text: str | None = None  # None: no perplexity
    text_name: str = "bundled:wikitext2"
    window: int = 512  # tokens
    stride: int = 512  # tokens
    max_windows: int | None = None
    score_from: ScoreFrom = "start"
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What was found of one model; `figures` is the same for programs."""

    model: str
    perplexity: PerplexityResult | None
    perplexity_s: float
    tasks: tuple[TaskResult, ...]
    task_s: tuple[float, ...]
    threads: int
    figures: dict[str, Any]


def evaluate(
    model: Model,
    plan: EvaluationPlan,
    *,
    label: str | None = None,
    threads: int | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> Evaluation:
    """All that `plan` asks for, of one model. `label` is what the figures call it.

    Raises what `perplexity` and `run_task` raise.
    """
    tokenizer = require_tokenizer(model)
    ids = None if plan.text is None else tokenizer.encode(plan.text)
    if ids is not None and len(ids) < 2:
        raise DataError(
            f"the text has {len(ids)} token(s); two are needed, for one to predict the other"
        )
    engine = Engine(model, threads=threads)
    assert engine.threads is not None
    found, perplexity_s = None, 0.0
    if ids is not None:
        start_s = time.perf_counter()
        found = perplexity(
            engine,
            ids,
            window=plan.window,
            stride=plan.stride,
            max_windows=plan.max_windows,
            score_from=plan.score_from,
            first_token=_first_token(tokenizer) if plan.score_from == "half" else None,
            on_progress=within("measuring perplexity", on_progress),
        )
        perplexity_s = time.perf_counter() - start_s
    results, task_s = [], []
    for task in plan.tasks:
        start_s = time.perf_counter()
        results.append(run_task(engine, tokenizer, task, on_progress=on_progress))
        task_s.append(time.perf_counter() - start_s)

    figures: dict[str, Any] = {"model": model.name, "label": label or model.name}
    if found is not None and plan.text is not None:
        figures |= {
            "text": plan.text_name,
            "text_sha256": hashlib.sha256(plan.text.encode()).hexdigest(),
            "perplexity": found.perplexity,
            "mean_nll": found.mean_nll,
            "tokens": found.tokens,
            "windows": found.windows,
            "window": found.window,
            "stride": found.stride,
            "score_from": plan.score_from,
            "seconds": perplexity_s,
            "tokens_per_second": found.tokens / perplexity_s,
        }
    figures |= {
        "size_bytes": model.size_bytes,
        "bits_per_weight": _bits_per_weight(model),
        "threads": engine.threads,
    }
    if plan.tasks:
        figures["tasks"] = {
            result.task: _task_figures(result, seconds)
            for result, seconds in zip(results, task_s, strict=True)
        }
    return Evaluation(
        model=model.name,
        perplexity=found,
        perplexity_s=perplexity_s,
        tasks=tuple(results),
        task_s=tuple(task_s),
        threads=engine.threads,
        figures=figures,
    )


def _first_token(tokenizer: Tokenizer) -> int | None:
    """BOS where the tokenizer puts it before a text."""
    return tokenizer.bos_id if tokenizer.encode("")[:1] == [tokenizer.bos_id] else None


def _bits_per_weight(model: Model) -> float | None:
    weights = model.weights
    parameters = sum(math.prod(weights.shape(name)) for name in weights.names())
    return 8 * model.size_bytes / parameters if parameters else None


def _task_figures(result: TaskResult, seconds: float) -> dict[str, Any]:
    return {
        "questions": len(result.results),
        "accuracy": result.accuracy,
        "accuracy_error": result.accuracy_error,
        "normalised_accuracy": result.normalised_accuracy,
        "perplexity": result.perplexity,
        "tokens": result.tokens,
        "seconds": seconds,
    }
