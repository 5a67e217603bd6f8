"""A mixture of experts in two bits: what helps the experts that the calibration hardly meets.

Trains a small model of Mixtral's shape on the bundled text (a few minutes, kept under `--folder`).
Compresses it on calibration texts of several lengths, and on chats, which are none of what it was
trained on, each with and without the help for experts that saw few tokens
(`gnomon.compress.statistics.support_experts`). Says how far the answers on the bundled evaluation
text are from the original's: the mean over some seeds of the KL divergence in nats a token, its
standard error, and the perplexity.

    OMP_NUM_THREADS=1 python benchmarks/mixture.py --folder DIR [--steps N] [--seeds N] [--keep]
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from gnomon.compress import CompressOptions, compress, compressor
from gnomon.compress.calibration import calibration_sequences
from gnomon.data import calibration_text, conversations, evaluation_text
from gnomon.models import Model, open_model, require_tokenizer
from gnomon.models.architectures import parse_config
from gnomon.models.forward import BlockState, advance, embed, forward, linear_inputs
from gnomon.models.tensor_check import expected_shapes
from record import print_table, publish

CONFIG = {
    "architectures": ["MixtralForCausalLM"],
    "model_type": "mixtral",
    "vocab_size": 1024,
    "hidden_size": 128,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 256,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "sliding_window": None,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10_000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "eos_token_id": 0,
}
SEQUENCE, BATCH, RATE = 128, 8, 4e-3
WINDOW = 256
WINDOWS = 30  # of the evaluation text
CHAT_TOKENS = 4096


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="of the trained model")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 1024, 4096])
    parser.add_argument("--seeds", type=int, default=4, help="compressions for each row")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    if not (options.folder / "model.safetensors").exists():
        train(options.folder, steps=options.steps)
    model = open_model(str(options.folder))
    tokens = np.array(require_tokenizer(model).encode(evaluation_text(), add_special=False))
    tokens = tokens[: WINDOWS * WINDOW].reshape(WINDOWS, WINDOW)
    original = log_probabilities(model, tokens)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        chats = Path(scratch) / "chats.txt"
        chats.write_text("\n".join(m["content"] for chat in conversations() for m in chat))
        texts = [(None, length) for length in options.lengths] + [(chats, CHAT_TOKENS)]
        for (text, length), is_helped in itertools.product(texts, (False, True)):
            divergences, perplexities = [], []
            for seed in range(options.seeds):
                how = CompressOptions(
                    bits=2, head_bits=16, calibration=text, calibration_tokens=length, seed=seed
                )
                with help_of_experts(is_helped):
                    result = compress(model, Path(scratch) / "out", options=how, overwrite=True)
                rounded = log_probabilities(open_model(str(result.output)), tokens)
                divergences.append(divergence(original, rounded))
                perplexities.append(perplexity(rounded, tokens))
            spread = np.std(divergences, ddof=1) / np.sqrt(options.seeds)
            rows.append(
                {
                    "calibration": "bundled text" if text is None else "chats",
                    "tokens": length,
                    "least of an expert": fewest_tokens(model, text, length),
                    "help": "yes" if is_helped else "no",
                    "KL": float(np.mean(divergences)),
                    "±": float(spread),
                    "perplexity": float(np.mean(perplexities)),
                }
            )
    print_table(rows)
    publish(
        "quality_mixture",
        {
            "model": "Mixtral's shape: 4 blocks, 8 experts of which 2, hidden size 128",
            "text": "bundled slice of wikitext2.test",
            "windows": WINDOWS,
            "window": WINDOW,
            "seeds": options.seeds,
            "perplexity_of_the_original": perplexity(original, tokens),
            "rows": rows,
        },
        is_kept=options.keep,
    )


@contextmanager
def help_of_experts(is_given: bool):
    usual = compressor.support_experts
    try:
        if not is_given:
            compressor.support_experts = list
        yield
    finally:
        compressor.support_experts = usual


def log_probabilities(model: Model, tokens: np.ndarray) -> np.ndarray:
    """float32 [windows, window, vocab], by the reference forward pass."""
    weights = {name: model.weights.load(name) for name in model.weights.names()}
    logits = np.concatenate([forward(model.config, weights, row[None]) for row in tokens])
    logits -= logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def divergence(original: np.ndarray, other: np.ndarray) -> float:
    """The mean KL divergence of the answers from the original's, in nats a token."""
    return float((np.exp(original) * (original - other)).sum(-1).mean())


def perplexity(answers: np.ndarray, tokens: np.ndarray) -> float:
    likelihood = np.take_along_axis(answers[:, :-1], tokens[:, 1:, None], -1)
    return float(np.exp(-likelihood.mean()))


def fewest_tokens(model: Model, text: Path | None, count: int) -> int:
    """How many of `count` calibration tokens the least used expert of all blocks gets."""
    config, weights = model.config, {n: model.weights.load(n) for n in model.weights.names()}
    tokens = calibration_sequences(
        require_tokenizer(model), file=text, tokens=count, max_context=config.max_context
    )
    hidden = embed(config, weights["model.embed_tokens.weight"], tokens)
    seen = []
    for layer in range(config.num_layers):
        state = BlockState(hidden=hidden)
        for step in range(4):
            if step == 2:
                groups = linear_inputs(config, layer, step, weights, state)
                seen += [len(group.inputs) for group in groups]
            state = advance(config, layer, step, weights, state)
        hidden = state.hidden
    return min(seen)


def train(folder: Path, *, steps: int) -> None:
    """Trains the model and its tokenizer and writes both as Hugging Face does."""
    import torch
    from safetensors.torch import save_file
    from torch.nn import functional as F

    from gnomon.compress.torch_forward import PlainLayers, rms_norm, run_block

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(folder)
    config = parse_config(CONFIG)
    text = torch.tensor(tokenizer.encode(calibration_text()).ids)
    torch.manual_seed(0)
    weights = {
        name: (torch.ones(shape) if len(shape) == 1 else torch.randn(shape) * 0.05).requires_grad_()
        for name, shape in expected_shapes(config).items()
        if name != "lm_head.weight"
    }
    table = weights["model.embed_tokens.weight"]
    optimizer = torch.optim.AdamW(weights.values(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.1)
    start = time.monotonic()
    for step in range(steps):
        starts = torch.randint(len(text) - SEQUENCE - 1, (BATCH,))
        batch = torch.stack([text[at : at + SEQUENCE + 1] for at in starts.tolist()])
        layers = PlainLayers(weights)
        hidden = table[batch[:, :-1]]
        for layer in range(config.num_layers):
            hidden = run_block(config, layer, layers, hidden)
        logits = rms_norm(hidden, weights["model.norm.weight"], config) @ table.T
        loss = F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == steps - 1:
            print(f"step {step}: loss {loss.item():.3f}, {time.monotonic() - start:.0f} s")
    save_file({name: weight.detach() for name, weight in weights.items()}, folder / "part")
    (folder / "part").rename(folder / "model.safetensors")


def train_tokenizer(folder: Path) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=CONFIG["vocab_size"],
        special_tokens=["<|endoftext|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([calibration_text()], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1), encoding="utf-8")
    settings = {"eos_token": "<|endoftext|>", "bos_token": None}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return tokenizer


if __name__ == "__main__":
    main()
