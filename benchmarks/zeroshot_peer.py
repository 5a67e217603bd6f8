"""Zero-shot figures beside those of EleutherAI's lm-evaluation-harness, question by question.

The harness (PyPI `lm-eval`, which is not among our requirements: `pip install lm-eval`) asks its
own tasks `arc_easy`, `piqa` and `lambada_openai`, with its own prompts, tokenisation of pairs and
metrics. Two things are ours: the questions, from the files in `--data DIR` (or GNOMON_DATA) instead
of a hub, and the model behind it, which reads every request whole and afresh. What
`gnomon.engine.run_task` finds is set beside it: every answer must be the same.

    python benchmarks/zeroshot_peer.py --data DIR [--model M] [--limit 30] [--task piqa] [--keep]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

import lm_eval
import numpy as np
import yaml
from lm_eval.api.model import TemplateLM
from lm_eval.api.task import ConfigurableTask

from gnomon.engine import TASK_FILES, Engine, find_task, read_task, run_task
from gnomon.models import open_model, require_tokenizer
from record import print_table, publish

# Our task -> the harness's configuration, and our rows in the form of its data set.
PEERS: dict[str, tuple[str, Callable[[dict], dict]]] = {
    "arc-easy": (
        "arc/arc_easy.yaml",
        lambda row: {
            "question": row["question"],
            "choices": {"text": row["choices"], "label": list("ABCDEFGH"[: len(row["choices"])])},
            "answerKey": "ABCDEFGH"[row["answer"]],
        },
    ),
    "piqa": (
        "piqa/piqa.yaml",
        lambda row: {
            "goal": row["question"],
            "sol1": row["choices"][0],
            "sol2": row["choices"][1],
            "label": row["answer"],
        },
    ),
    "lambada": ("lambada/lambada_openai.yaml", lambda row: row),
}


class WholeSequences(TemplateLM):
    """Our engine as a model of the harness: each request is read from its first token on."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._tokenizer = require_tokenizer(engine.model)

    @property
    def eot_token_id(self) -> int:
        return self._tokenizer.eos_ids[0]

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        return self._tokenizer.encode(string, add_special=add_special_tokens is not False)

    def _loglikelihood_tokens(
        self, requests: Any, disable_tqdm: bool = False, **_: Any
    ) -> list[tuple[float, bool]]:
        return [self._score(context, continuation) for _, context, continuation in requests]

    def _score(self, context: list[int], continuation: list[int]) -> tuple[float, bool]:
        tokens = np.array(context + continuation, np.int32)[
            -(self._engine.config.max_context + 1) :
        ]
        logits = self._engine.session(tokens.size).forward_all(tokens[:-1])
        logits = logits[-len(continuation) :].astype(np.float64)
        logits -= logits.max(1, keepdims=True)
        table = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        total = table[np.arange(len(continuation)), continuation].sum()
        return float(total), bool((table.argmax(1) == continuation).all())

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        raise NotImplementedError

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        raise NotImplementedError


def harness_task(name: str, rows: list[dict], scratch: Path) -> ConfigurableTask:
    """The harness's own task over our rows."""
    configuration, reshape = PEERS[name]
    path = Path(lm_eval.__file__).parent / "tasks" / configuration
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    file = scratch / f"{name}.jsonl"
    file.write_text("".join(json.dumps(reshape(row)) + "\n" for row in rows), encoding="utf-8")
    for key in ("dataset_name", "training_split", "validation_split", "tag"):
        config.pop(key, None)
    config |= {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(file)}},
        "test_split": "test",
    }
    return ConfigurableTask(config=config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=None, help="default: the embedded SmolLM2-135M")
    parser.add_argument("--task", nargs="+", default=list(TASK_FILES), choices=list(TASK_FILES))
    parser.add_argument("--limit", type=int, default=30)
    folder = os.environ.get("GNOMON_DATA")
    parser.add_argument("--data", type=Path, default=Path(folder) if folder else None)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    model = open_model(options.model)
    engine = Engine(model)
    rows = []
    for name in options.task:
        path = find_task(name, options.data)
        start_s = time.perf_counter()
        ours = run_task(
            engine, require_tokenizer(model), read_task(path, name=name, limit=options.limit)
        )
        ours_s = time.perf_counter() - start_s
        with path.open(encoding="utf-8") as lines:
            content = [
                json.loads(line) for line, _ in zip(lines, range(options.limit), strict=False)
            ]
        with tempfile.TemporaryDirectory() as scratch:
            os.environ["HF_HOME"] = scratch
            task = harness_task(name, content, Path(scratch))
            start_s = time.perf_counter()
            theirs = lm_eval.evaluate(
                WholeSequences(engine), {name: task}, log_samples=True, bootstrap_iters=0
            )
            theirs_s = time.perf_counter() - start_s
        assert theirs is not None
        rows.append(compare(name, ours, theirs) | {"seconds": ours_s, "theirs (s)": theirs_s})
    print_table([{key: "–" if x is None else x for key, x in row.items()} for row in rows])
    publish(
        "zeroshot_peer",
        {
            "model": model.name,
            "peer": f"lm-eval {lm_eval.__version__}",
            "threads": engine.threads,
            "rows": rows,
        },
        is_kept=options.keep,
    )
    if any(row["different answers"] for row in rows):
        raise SystemExit("Some answers are not the harness's.")


def compare(name: str, ours: Any, theirs: dict[str, Any]) -> dict[str, Any]:
    """Both figures, and how many questions were judged otherwise."""
    samples = sorted(theirs["samples"][name], key=lambda sample: sample["doc_id"])
    assert len(samples) == len(ours.results)
    different, largest = 0, 0.0
    for mine, sample in zip(ours.results, samples, strict=True):
        is_same = float(mine.is_right) == float(sample["acc"])
        if "acc_norm" in sample:
            is_same = is_same and float(mine.is_right_normalised) == float(sample["acc_norm"])
        different += not is_same
        values = [float(response[0][0]) for response in sample["resps"]]
        for score, value in zip(mine.scores, values, strict=True):
            largest = max(largest, abs(score.log_probability - value))
    found = theirs["results"][name]
    return {
        "task": name,
        "questions": len(samples),
        "accuracy": ours.accuracy,
        "theirs": found["acc,none"],
        "normalised": ours.normalised_accuracy,
        "theirs normalised": found.get("acc_norm,none"),
        "perplexity": ours.perplexity,
        "their perplexity": found.get("perplexity,none"),
        "different answers": different,
        "largest difference (nats)": largest,
    }


if __name__ == "__main__":
    main()
