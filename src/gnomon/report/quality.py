"""Several forms of a model side by side: what each lost, and how much of the quality is kept.

*Quality kept* is the mean, over the tasks, of a model's accuracy divided by the first model's. What
`gnomon eval --json` prints can be read back, so that a peer measured elsewhere stands in the same
table; figures that were not measured alike are refused, not compared.

>>> original = parse_figures({"label": "original", "tasks": {
...     "piqa": {"questions": 200, "accuracy": 0.70}}})
>>> ours = parse_figures({"label": "ours", "tasks": {"piqa": {"questions": 200, "accuracy": 0.63}}})
>>> round(quality_kept(ours, original), 3)
0.9
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gnomon.errors import DataError
from gnomon.report.measurement import Comparison, number


@dataclass(frozen=True, slots=True, kw_only=True)
class PerplexityFigures:
    """A perplexity, and all that it depends on besides the model."""

    perplexity: float
    tokens: int  # that were predicted
    windows: int
    window: int  # tokens
    stride: int  # tokens
    score_from: str = "start"
    text_sha256: str | None = None  # None: not known, and then not compared


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFigures:
    questions: int
    accuracy: float
    accuracy_error: float | None = None
    normalised_accuracy: float | None = None
    perplexity: float | None = None  # of last words


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """One form of a model, measured; what was not measured is None or missing."""

    label: str
    size_bytes: int | None = None
    bits_per_weight: float | None = None
    perplexity: PerplexityFigures | None = None
    tasks: Mapping[str, TaskFigures] = field(default_factory=dict)


def read_figures(path: Path) -> list[ModelFigures]:
    """What a file holds that `gnomon eval --json` wrote, for one model or several.

    Raises DataError if it is no such file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    entries = content.get("models", [content]) if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise DataError(f"{path} has no figures; expected what gnomon eval --json prints")
    try:
        return [parse_figures(entry) for entry in entries]
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def parse_figures(entry: Any) -> ModelFigures:
    """The figures of one model from JSON. Keys that are not figures are passed over.

    Raises DataError if a figure is missing or no number.
    """
    if not isinstance(entry, Mapping):
        raise DataError("expected an object with the figures of a model")
    label = entry.get("label", entry.get("model"))
    if not isinstance(label, str):
        raise DataError("a model has no label")
    tasks = entry.get("tasks", {})
    if not isinstance(tasks, Mapping):
        raise DataError(f"{label}: tasks is no object")
    found = None
    if entry.get("perplexity") is not None:
        sha = entry.get("text_sha256")
        found = PerplexityFigures(
            perplexity=_number(entry, "perplexity", label),
            **{key: _count(entry, key, label) for key in ("tokens", "windows", "window", "stride")},
            score_from=str(entry.get("score_from", "start")),
            text_sha256=sha if isinstance(sha, str) else None,
        )
    bits = entry.get("bits_per_weight")
    if found is None and not tasks:
        raise DataError(f"{label}: neither a perplexity nor tasks")
    return ModelFigures(
        label=label,
        size_bytes=None if entry.get("size_bytes") is None else _count(entry, "size_bytes", label),
        bits_per_weight=None if bits is None else _number(entry, "bits_per_weight", label),
        perplexity=found,
        tasks={name: _parse_task(task, f"{label}, task {name}") for name, task in tasks.items()},
    )


def require_comparable(figures: Sequence[ModelFigures]) -> None:
    """Raise DataError if two models were asked different things, naming the difference."""
    first = figures[0]
    for other in figures[1:]:
        a, b = first.perplexity, other.perplexity
        for name in ("window", "stride", "score_from", "windows", "tokens", "text_sha256"):
            ours, theirs = getattr(a, name, None), getattr(b, name, None)
            if ours is not None and theirs is not None and ours != theirs:
                raise DataError(
                    f"the perplexities of {first.label} and {other.label} were measured "
                    f"differently: {name} is {ours} and {theirs}; measure both alike"
                )
        for name, task in first.tasks.items():
            asked = other.tasks[name].questions if name in other.tasks else task.questions
            if asked != task.questions:
                raise DataError(
                    f"{first.label} was asked {task.questions} questions of {name} and "
                    f"{other.label} {asked}; ask both alike (--limit)"
                )


def quality_kept(model: ModelFigures, original: ModelFigures) -> float:
    """Mean ratio of accuracies over the tasks that both have; NaN if there is none."""
    ratios = accuracy_ratios(model, original).values()
    return sum(ratios) / len(ratios) if ratios else math.nan


def accuracy_ratios(model: ModelFigures, original: ModelFigures) -> dict[str, float]:
    return {
        name: model.tasks[name].accuracy / task.accuracy
        for name, task in original.tasks.items()
        if name in model.tasks and task.accuracy > 0
    }


def perplexity_ratio(model: ModelFigures, original: ModelFigures) -> float:
    """How many times the original's; NaN if one was not measured."""
    if model.perplexity is None or original.perplexity is None:
        return math.nan
    return model.perplexity.perplexity / original.perplexity.perplexity


def quality_comparison(figures: Sequence[ModelFigures]) -> Comparison:
    """The models as columns, the first being the one that the others are measured by."""
    require_comparable(figures)
    original = figures[0]
    rows: dict[str, list[str]] = {
        "Size (bytes)": [
            "–" if each.size_bytes is None else f"{each.size_bytes:,}" for each in figures
        ],
        "Bits a weight": [_optional(each.bits_per_weight, 3) for each in figures],
    }
    if any(each.perplexity for each in figures):
        rows["Perplexity"] = [
            _optional(each.perplexity.perplexity if each.perplexity else None, 3)
            for each in figures
        ]
        rows["  times the first's"] = [number(perplexity_ratio(e, original), 3) for e in figures]
    names = dict.fromkeys(name for each in figures for name in each.tasks)
    for name in names:
        tasks = [each.tasks.get(name) for each in figures]
        rows[f"{name}: accuracy (%)"] = [_accuracy(task) for task in tasks]
        for label, key, scale in (
            ("normalised (%)", "normalised_accuracy", 100),
            ("perplexity", "perplexity", 1),
        ):
            values = [getattr(task, key, None) for task in tasks]
            if any(value is not None for value in values):
                rows[f"  {label}"] = [
                    _optional(None if value is None else scale * value, 2) for value in values
                ]
    if names:
        rows["Quality kept (%)"] = [number(100 * quality_kept(e, original), 1) for e in figures]
    return Comparison(
        columns=("", *(each.label for each in figures)),
        rows=tuple((label, *cells) for label, cells in rows.items()),
    )


def _accuracy(task: TaskFigures | None) -> str:
    if task is None:
        return "–"
    error = task.accuracy_error
    spread = "" if error is None or not math.isfinite(error) else f" ± {100 * error:.2f}"
    return f"{100 * task.accuracy:.2f}{spread}"


def _optional(value: float | None, digits: int) -> str:
    return "–" if value is None else number(value, digits)


def _parse_task(task: Any, label: str) -> TaskFigures:
    if not isinstance(task, Mapping):
        raise DataError(f"{label}: expected an object with its figures")
    optional = ("accuracy_error", "normalised_accuracy", "perplexity")
    return TaskFigures(
        questions=_count(task, "questions", label),
        accuracy=_number(task, "accuracy", label),
        **{key: _number(task, key, label) for key in optional if task.get(key) is not None},
    )


def _number(entry: Mapping[str, Any], key: str, label: str) -> float:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"{label}: {key} is {value!r}; a number was expected")
    return float(value)


def _count(entry: Mapping[str, Any], key: str, label: str) -> int:
    value = _number(entry, key, label)
    if value < 0 or value != int(value):
        raise DataError(f"{label}: {key} is {value}; a whole number was expected")
    return int(value)
