"""What rounding one layer costs, predicted by one backward pass and measured.

Fourteen linear layers of SmolLM2-135M, of every kind and from all depths, are rounded to two bits
one at a time, on the Gram matrix of the original's inputs, and the Kullback-Leibler divergence from
the original is measured on the last tokens of the bundled calibration text, which neither the
importance nor the rounding has seen. What is predicted is the sensitivity
(`gnomon.compress.importance`) times the error of the code on unit Gaussians.

    python benchmarks/sensitivity.py [--held-out 2048] [--keep]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from gnomon.codecs import decode
from gnomon.compress.backward import block_weights, propagate_back
from gnomon.compress.calibration import calibration_sequences
from gnomon.compress.forms import TRELLIS_ERROR
from gnomon.compress.importance import ImportanceSums, importance_tokens
from gnomon.compress.rounding import WeightRounder
from gnomon.compress.torch_forward import PlainLayers, as_tensor, rms_norm, run_block
from gnomon.data import calibration_text
from gnomon.models import Model, open_model, require_tokenizer
from gnomon.models.forward import embed
from record import print_table, publish

BITS = 2
LAYERS = [
    (0, "mlp.down_proj"), (0, "self_attn.v_proj"), (2, "mlp.gate_proj"), (4, "self_attn.o_proj"),
    (7, "mlp.up_proj"), (9, "self_attn.q_proj"), (12, "mlp.down_proj"), (15, "self_attn.k_proj"),
    (18, "self_attn.v_proj"), (21, "mlp.up_proj"), (24, "self_attn.o_proj"), (27, "mlp.gate_proj"),
    (29, "mlp.down_proj"), (29, "self_attn.q_proj"),
]  # fmt: skip
NAMES = [f"model.layers.{block}.{part}.weight" for block, part in LAYERS]


class Sums(ImportanceSums):
    """The importance, and the Gram matrices of the inputs of the layers to round."""

    def __init__(self, model: Model):
        super().__init__(model)
        self.grams: dict[str, np.ndarray] = {}

    def linear(self, name, inputs, outputs, gradients) -> None:
        super().linear(name, inputs, outputs, gradients)
        if name in NAMES:
            self.grams[name] = self.grams.get(name, 0) + inputs.T @ inputs


class HeldOut:
    """The original on tokens that nothing was made from: what its blocks read, what it answers."""

    def __init__(self, model: Model, tokens: np.ndarray):
        self.config = model.config
        self.layers = [
            PlainLayers(block_weights(model, block)) for block in range(model.config.num_layers)
        ]
        table = model.weights.load("model.embed_tokens.weight")
        self.head = as_tensor(table)
        self.norm = as_tensor(model.weights.load("model.norm.weight"))
        self.read = [torch.from_numpy(embed(model.config, table, tokens))]
        for block, layers in enumerate(self.layers):
            self.read.append(run_block(model.config, block, layers, self.read[-1]))
        self.answers = [self.log_probabilities(each) for each in self.read[-1]]

    def log_probabilities(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(rms_norm(hidden, self.norm, self.config) @ self.head.T, -1)

    def divergence(self, name: str, weight: np.ndarray) -> float:
        """From the original, in nats a token, with this weight in the place of its own."""
        first = int(name.split(".")[2])
        weights = self.layers[first].weights
        original, weights[name] = weights[name], as_tensor(weight)
        hidden = self.read[first]
        for block in range(first, self.config.num_layers):
            hidden = run_block(self.config, block, self.layers[block], hidden)
        weights[name] = original
        divergences = [
            (p.exp() * (p - self.log_probabilities(each))).sum(-1).mean()
            for p, each in zip(self.answers, hidden, strict=True)
        ]
        return float(torch.stack(divergences).mean())


def agreement(rows: list[dict]) -> dict[str, float]:
    """The correlation of the logarithms, and by what factor the ratio usually goes astray."""
    predicted, measured = (
        np.log([row[each] for row in rows]) for each in ("predicted", "measured")
    )
    return {
        "correlation": float(np.corrcoef(predicted, measured)[0, 1]),
        "spread": float(np.exp(np.std(predicted - measured))),
        "mean_ratio": float(np.exp(np.mean(predicted - measured))),
    }


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=None, help="default: the embedded SmolLM2-135M")
    parser.add_argument("--held-out", type=int, default=2048, help="tokens")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    model = open_model(options.model)
    tokenizer = require_tokenizer(model)
    calibration = importance_tokens(
        calibration_sequences(
            tokenizer, file=None, tokens=16_384, max_context=model.config.max_context
        )
    )
    ids = tokenizer.encode(calibration_text(), add_special=False)[-options.held_out :]
    sums = Sums(model)
    start = time.perf_counter()
    with torch.enable_grad():
        propagate_back(model, calibration, sums, seed=0)
    seconds = time.perf_counter() - start
    sensitivity = sums.sensitivity(calibration.size)
    held_out = HeldOut(model, np.array(ids).reshape(-1, 512))
    rows = []
    for name in NAMES:
        rounder = WeightRounder(sums.grams[name], codec="trellis", bits=BITS, input_seed=1)
        result = rounder.encode(model.weights.load(name), output_seed=2, seed=3)
        rows.append(
            {
                "layer": name.removeprefix("model.layers.").removesuffix(".weight"),
                "error": result.relative_error,
                "predicted": sensitivity[name] * TRELLIS_ERROR[BITS],
                "measured": held_out.divergence(name, decode(result.encoded)),
            }
        )
    print_table(rows)
    summary = agreement(rows)
    print_table([summary])
    publish(
        "sensitivity",
        {
            "model": model.name,
            "bits": BITS,
            "importance_tokens": int(calibration.size),
            "importance_seconds": seconds,
            "held_out_tokens": len(ids),
            "rows": rows,
            "sensitivity": {name: float(f"{value:.4g}") for name, value in sensitivity.items()},
            **summary,
        },
        is_kept=options.keep,
    )


if __name__ == "__main__":
    main()
