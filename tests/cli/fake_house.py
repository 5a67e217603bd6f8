"""A small false model, engine and compressor, so that the command line is tested alone and at once.

They stand in for `gnomon.models`, `gnomon.engine` and `gnomon.compress`: a token is a byte, and
the engine always answers `ANSWER`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from gnomon.engine.zeroshot_tasks import find_task, read_task
from gnomon.progress import Progress

ANSWER = "Because of [bold]Rayleigh[/bold] — scattering."
EOS = 0


class Weights:
    def __init__(self) -> None:
        self.tensors = {
            "model.embed_tokens.weight": ((256, 8), "F16"),
            "model.layers.0.self_attn.q_proj.weight": ((8, 8), "[red]Q4_1"),
        }

    def names(self) -> list[str]:
        return list(self.tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.tensors[name][0]

    def storage(self, name: str) -> str:
        return self.tensors[name][1]

    def size_bytes(self, name: str) -> int:
        return 2 * self.shape(name)[0] * self.shape(name)[1]


class StreamDecoder:
    def __init__(self) -> None:
        self.waiting = b""

    def feed(self, token: int) -> str:
        if token == EOS:
            return ""
        self.waiting += bytes([token])
        try:
            text = self.waiting.decode()
        except UnicodeDecodeError:
            return ""
        self.waiting = b""
        return text

    def flush(self) -> str:
        return self.waiting.decode(errors="replace")


class Tokenizer:
    def __init__(self, chat_template: str | None = "there is one") -> None:
        self.chat_template = chat_template
        self.eos_ids = (EOS,)
        self.bos_id = 1

    def encode(self, text: str, *, add_special: bool = True) -> list[int]:
        return list(text.encode())

    def stream(self) -> StreamDecoder:
        return StreamDecoder()

    def apply_chat_template(self, messages: Any, *, add_generation_prompt: bool = True) -> str:
        return "".join(f"<{m['role']}>{m['content']}\0" for m in messages) + "<assistant>"


def make_model(name: str = "tiny", tokenizer: Tokenizer | None = None) -> SimpleNamespace:
    config = SimpleNamespace(
        architecture="llama",
        vocab_size=256,
        hidden_size=8,
        intermediate_size=16,
        num_heads=4,
        num_kv_heads=2,
        head_dim=2,
        num_layers=1,
        num_experts=0,
        max_context=2048,
        is_head_tied=True,
    )
    return SimpleNamespace(
        name=name,
        source=Path(f"/models/{name}.gguf"),
        config=config,
        weights=Weights(),
        tokenizer=tokenizer or Tokenizer(),
        size_bytes=5000,
        provenance={},
    )


@dataclass
class Session:
    tokens: list[int] = field(default_factory=list)
    read: list[int] = field(default_factory=list)  # how many tokens each call made it read

    def keep_prefix(self, text: Any) -> int:
        pairs = zip(self.tokens, text[:-1], strict=False)
        known = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
        del self.tokens[known:]
        return known


@dataclass
class Engine:
    model: Any
    threads: int | None = None
    dense: str = "auto"
    sessions: list[Session] = field(default_factory=list)
    weight_bytes: int = 5000

    def __post_init__(self) -> None:
        self.threads = self.threads or 2
        House.engines.append(self)

    def session(self, capacity: int) -> Session:
        self.sessions.append(Session())
        return self.sessions[-1]


@dataclass(frozen=True)
class LayerReport:
    name: str
    codec: str = "trellis"
    shape: tuple[int, int] = (8, 8)
    bits_per_weight: float = 2.01
    relative_error: float = 0.02


@dataclass(frozen=True, kw_only=True)
class CompressOptions:
    codec: str = "trellis"
    bits: float | None = None
    head_bits: int | None = None
    size_bytes: int | None = None
    calibration: Path | None = None
    calibration_tokens: int = 1024
    effort: str = "quick"
    seed: int = 0
    width = 2
    head_width = 4
    tokens = 1024

    @property
    def wanted_bits(self) -> float:
        return self.bits or self.width

    @property
    def target(self) -> str | None:
        is_whole = self.bits is None or float(self.bits).is_integer()
        return None if is_whole and self.size_bytes is None else "spread"


class House:
    """What the fakes were asked, for a test to look at, and what they shall raise."""

    engines: list[Engine]
    samplers: list[dict[str, Any]]
    opened: list[str | None]
    compressed: list[dict[str, Any]]
    error: BaseException | None
    interrupt_after: int | None
    windows: list[tuple[str, int | None]]
    accuracies: list[float]  # of the tasks to come
    tokenizer: Tokenizer

    @classmethod
    def clear(cls) -> None:
        cls.engines, cls.samplers, cls.opened, cls.compressed = [], [], [], []
        cls.windows, cls.accuracies = [], [0.8, 0.5, 0.4, 0.5]
        cls.error = cls.interrupt_after = None
        cls.tokenizer = Tokenizer()


def _open_model(spec: str | None = None) -> SimpleNamespace:
    House.opened.append(spec)
    if House.error:
        raise House.error
    return make_model(tokenizer=House.tokenizer)


def _generate(engine, prompt_ids, *, max_tokens, sampler=None, stop_ids=(), session=None):
    if session is not None:
        session.read.append(len(prompt_ids))
        session.tokens.extend(prompt_ids)
    answer = [*ANSWER.encode(), EOS][:max_tokens]
    for count, token in enumerate(answer):
        if House.interrupt_after == count:
            House.interrupt_after = None
            raise KeyboardInterrupt
        reason = None
        if count == len(answer) - 1:
            reason = "stop_token" if token in stop_ids else "max_tokens"
        yield SimpleNamespace(token=token, log_probability=-0.5, stop_reason=reason)
        if session is not None and reason is None:
            session.tokens.append(token)  # the last token is chosen but not read


def _perplexity(
    engine,
    token_ids,
    *,
    window=512,
    stride=512,
    max_windows=None,
    score_from="start",
    first_token=None,
    on_progress=lambda progress: None,
):
    on_progress(Progress(stage="window", done=0, total=2))
    House.windows.append((score_from, first_token))
    return SimpleNamespace(
        perplexity=21.44, mean_nll=3.065, tokens=100, windows=2, window=window, stride=stride
    )


def _run_task(engine, tokenizer, task, *, on_progress=lambda progress: None):
    on_progress(Progress(stage=task.name, done=0, total=len(task.questions)))
    is_last_word = task.form == "last word"
    return SimpleNamespace(
        task=task.name,
        results=task.questions,
        accuracy=House.accuracies.pop(0),
        accuracy_error=0.1,
        normalised_accuracy=None if is_last_word else 0.7,
        perplexity=12.5 if is_last_word else None,
        tokens=77,
    )


def _compress(
    model,
    output,
    *,
    options,
    resume=False,
    overwrite=False,
    workers=None,
    are_activations_on_disk=False,
    on_progress=lambda progress: None,
):
    from gnomon.progress import Progress

    House.compressed.append({"options": options, "resume": resume, "overwrite": overwrite})
    on_progress(Progress(stage="round", done=0, total=2, detail="0"))
    if House.interrupt_after is not None:
        raise KeyboardInterrupt
    on_progress(Progress(stage="write", done=2, total=2))
    output.mkdir(parents=True, exist_ok=True)
    (output / "gnomon.json").write_text(json.dumps({"format": "gnomon"}))
    return SimpleNamespace(
        output=output,
        seconds=1.5,
        layers=(LayerReport("model.layers.0.self_attn.q_proj.weight"),),
        size_bytes=1000,
        bits_per_weight=2.5,
    )


def _sampling_options(**settings: Any) -> SimpleNamespace:
    House.samplers.append(settings)
    return SimpleNamespace(**settings)


def modules() -> dict[str, ModuleType]:
    """The false modules by their true names."""
    House.clear()
    contents: dict[str, dict[str, Any]] = {
        "gnomon.models": {
            "open_model": _open_model,
            "require_tokenizer": lambda model: model.tokenizer,
        },
        "gnomon.engine": {
            "Engine": Engine,
            "Sampler": lambda options: options,
            "SamplingOptions": _sampling_options,
            "generate": _generate,
            "perplexity": _perplexity,
            "PerplexityResult": SimpleNamespace,
            "Task": SimpleNamespace,
            "TaskResult": SimpleNamespace,
            "find_task": find_task,
            "read_task": read_task,
            "run_task": _run_task,
        },
        "gnomon.compress": {"CompressOptions": CompressOptions, "compress": _compress},
    }
    made = {}
    for name, content in contents.items():
        made[name] = ModuleType(name)
        vars(made[name]).update(content)
    return made
