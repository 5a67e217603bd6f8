"""The texts that travel with the package: to calibrate on, and to measure on.

Two are of WikiText-2 (see LICENSE.md beside them), its whole validation part and a slice of its
test part, so that nothing is measured on what it was calibrated with; the third are conversations
with SmolLM2-135M-Instruct. Nothing is ever downloaded.

>>> from gnomon.data import evaluation_text
>>> evaluation_text().split()[:3]
['=', 'Robert', '<unk>']
"""

import json
from importlib.resources import files

__all__ = ["calibration_text", "conversations", "evaluation_text"]


def calibration_text() -> str:
    """WikiText-2's validation part, 1.1 MB."""
    return _read("calibration.txt")


def evaluation_text() -> str:
    """The first 70 KB of WikiText-2's test part."""
    return _read("evaluation.txt")


def conversations() -> list[list[dict[str, str]]]:
    """Short chats, each a list of messages `{"role", "content"}` as chat templates take them."""
    lines = [json.loads(line) for line in _read("conversations.jsonl").splitlines()]
    return [
        [
            {"role": "user", "content": line["prompt"]},
            {"role": "assistant", "content": line["answer"]},
        ]
        for line in lines
    ]


def _read(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
