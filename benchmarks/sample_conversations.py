"""Lets the embedded model answer some everyday questions: the chat part of the calibration text.

A chat model meets its template's special tokens at every turn, and plain text never shows them to
the compressor. Writes src/gnomon/data/conversations.jsonl, one `{"prompt", "answer"}` a line.

    python benchmarks/sample_conversations.py            # about two minutes on two cores
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import gnomon.data
from gnomon.conversation import Conversation
from gnomon.engine import Engine, Sampler, SamplingOptions
from gnomon.models import open_model, require_tokenizer

TOPICS = (
    "why the sea is salty", "how bread rises", "what a library is for", "how a bicycle works",
    "the difference between weather and climate", "what a prime number is", "how to boil an egg",
    "why leaves turn brown in autumn", "what a democracy is", "how rainbows form",
    "the water cycle", "what gravity does", "how a telephone works", "photosynthesis",
    "why we sleep", "how mountains form", "what a poem is", "how vaccines work",
    "what a recursive function is", "how to sharpen a pencil",
)  # fmt: skip
REQUESTS = (
    "Explain {} to a child.", "Tell me about {}.", "In two sentences: {}?",
)  # fmt: skip
QUESTIONS = (
    "What is the capital of Italy?", "Who wrote Hamlet?", "What is 7 times 8?",
    "Name five fruits.", "List three planets and one fact about each.",
    "How many legs has a spider?",
    "Write a haiku about winter.", "Write a short letter to a friend who moved away.",
    "Write a Python function that adds two numbers.",
    "Write a short story about a dog and a river.",
    "Translate 'good morning' into Spanish.", "Give me a recipe for pancakes.",
    "Summarise the plot of Robinson Crusoe.", "What should I pack for a week in the mountains?",
    "How do I politely decline an invitation?", "What is the largest ocean?",
    "Give me three ideas for a birthday present.", "What does the word 'serendipity' mean?",
    "Correct this sentence: he go to school yesterday.", "Is a tomato a fruit or a vegetable?",
    "What happened in 1969?", "Compare cats and dogs.", "How far away is the Moon?",
    "What are the primary colours?", "Hello! How are you today?",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-tokens", type=int, default=110)
    parser.add_argument("--seed", type=int, default=0)
    folder = Path(gnomon.data.__file__).parent
    parser.add_argument("--output", type=Path, default=folder / "conversations.jsonl")
    options = parser.parse_args()
    model = open_model()
    engine, tokenizer = Engine(model), require_tokenizer(model)
    asked = [request.format(topic) for topic in TOPICS for request in REQUESTS]
    prompts = [*QUESTIONS, *asked]
    lines = []
    for index, prompt in enumerate(prompts):
        sampling = SamplingOptions(temperature=0.7, top_p=0.95, seed=options.seed + index)
        conversation = Conversation(engine, tokenizer, capacity=512)
        pieces = conversation.say(prompt, max_tokens=options.max_tokens, sampler=Sampler(sampling))
        answer = "".join(piece.text for piece in pieces).strip()
        lines.append(json.dumps({"prompt": prompt, "answer": answer}, ensure_ascii=False))
    options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} conversations, {options.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
