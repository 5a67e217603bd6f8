"""Zero-shot tasks as files: one JSON object a line, in one of two forms.

*Last word* (LAMBADA, OpenAI's form): the last word of a passage, after all that stands before it.

    {"text": "He took the train to the sea and swam in the sea"}

*Multiple choice* (ARC-Easy, PIQA): the right one of some answers; `answer` counts from 0.

    {"question": "Which is wet?", "choices": ["sand", "water"], "answer": 1}

Prompts are those of EleutherAI's lm-evaluation-harness (tasks `lambada_openai`, `arc_easy` and
`piqa`), so that figures can be set beside others'.

>>> parse_row({"question": "Which is wet?", "choices": ["sand", "water"], "answer": 1}).context
'Question: Which is wet?\\nAnswer:'
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gnomon.errors import DataError, UsageError

Form = Literal["last word", "multiple choice"]

# Every task that has a name, and its file in a data folder.
TASK_FILES = {
    "lambada": "lambada_test.jsonl",
    "arc-easy": "arc-easy.jsonl",
    "piqa": "piqa.jsonl",
}

_KEYS: dict[Form, set[str]] = {
    "last word": {"text"},
    "multiple choice": {"question", "choices", "answer"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A context and what may follow it after a space; the right one is number `answer`."""

    form: Form
    context: str
    choices: tuple[str, ...]
    answer: int
    line: int = 0  # in its file, from 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    name: str
    form: Form
    questions: tuple[Question, ...]
    source: Path


def find_task(name: str, data: Path | None) -> Path:
    """The file of the task `name`, which is one of TASK_FILES, or the path of a file.

    Files are looked for in `data` and in its folder `zeroshot`. Raises UsageError if there is no
    such task, DataError if its file is not there.
    """
    if name in TASK_FILES:
        if data is None:
            raise UsageError(
                f"the task {name} needs a folder with {TASK_FILES[name]}; none was given: name "
                "one, or give a file instead of the task's name"
            )
        for folder in (data, data / "zeroshot"):
            if (folder / TASK_FILES[name]).is_file():
                return folder / TASK_FILES[name]
        raise DataError(f"{data} has no {TASK_FILES[name]}, neither there nor in zeroshot/")
    path = Path(name)
    if path.suffix in (".jsonl", ".json") or path.is_file():
        return path
    raise UsageError(
        f"there is no task {name!r}; expected {', '.join(TASK_FILES)}, or the path of a file with "
        "a JSON object a line"
    )


def read_task(path: Path, *, name: str | None = None, limit: int | None = None) -> Task:
    """The task in a file, its first `limit` questions. Raises DataError, naming the line, if one
    is not in either form, or not in the form of the first.
    """
    questions: list[Question] = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if limit is not None and len(questions) == limit:
                    break
                if line.strip():
                    questions.append(_read_line(line, path, number, questions))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text; convert it first") from error
    if not questions:
        raise DataError(f"{path} is empty; expected a JSON object a line")
    return Task(
        name=name or path.stem,
        form=questions[0].form,
        questions=tuple(questions),
        source=path,
    )


def parse_row(row: Any, *, line: int = 0) -> Question:
    """A row as a question. Raises DataError that says what is wrong with it."""
    if not isinstance(row, Mapping):
        raise DataError(f"a JSON object was expected, not {_short(row)}")
    for form, keys in _KEYS.items():
        if set(row) == keys:
            return _last_word(row, line) if form == "last word" else _multiple_choice(row, line)
    raise DataError(
        f"it has the keys {', '.join(sorted(map(str, row))) or '(none)'}; expected text, or "
        "question, choices and answer"
    )


def _read_line(line: str, path: Path, number: int, before: list[Question]) -> Question:
    try:
        question = parse_row(json.loads(line), line=number)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {number}: no JSON ({error})") from error
    except DataError as error:
        raise DataError(f"{path}, line {number}: {error}") from error
    if before and question.form != before[0].form:
        raise DataError(
            f"{path}, line {number}: a {question.form} row, but line {before[0].line} is "
            f"{before[0].form}; a file holds one form"
        )
    return question


def _last_word(row: Mapping[str, Any], line: int) -> Question:
    text = row["text"]
    if not isinstance(text, str):
        raise DataError(f"text is {_short(text)}; a string was expected")
    context, _, word = text.rpartition(" ")
    if not context.strip() or not word:
        raise DataError(f"text is {_short(text)}; expected at least two words, and no space last")
    return Question(form="last word", context=context, choices=(word,), answer=0, line=line)


def _multiple_choice(row: Mapping[str, Any], line: int) -> Question:
    question, choices, answer = row["question"], row["choices"], row["answer"]
    if not isinstance(question, str) or not question:
        raise DataError(f"question is {_short(question)}; a string was expected")
    if (
        not isinstance(choices, list)
        or len(choices) < 2
        or not all(isinstance(choice, str) and choice for choice in choices)
    ):
        raise DataError(f"choices is {_short(choices)}; expected a list of two strings or more")
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < len(choices):
        raise DataError(
            f"answer is {_short(answer)}; expected a number from 0 to {len(choices) - 1}"
        )
    return Question(
        form="multiple choice",
        context=f"Question: {question}\nAnswer:",
        choices=tuple(choices),
        answer=answer,
        line=line,
    )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"
