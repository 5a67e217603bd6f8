"""`gnomon generate`: continue or answer one prompt."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from gnomon.cli import options, output
from gnomon.cli.sampling import make_sampler
from gnomon.cli.text_input import read_text
from gnomon.errors import UsageError


def generate(
    model: options.ModelArgument = None,
    *,
    prompt: Annotated[
        str,
        typer.Option(
            "--prompt",
            "-p",
            metavar="TEXT",
            show_default=False,
            help="What to answer; '-' reads it from stdin.",
        ),
    ],
    max_tokens: options.MaxTokens = 256,
    chat: Annotated[
        bool | None,
        typer.Option(
            "--chat/--raw",
            show_default="chat if the model has a template",
            help="Put the prompt as a user's message, or continue it just as it is.",
        ),
    ] = None,
    temperature: options.Temperature = 0.7,
    top_k: options.TopK = 0,
    top_p: options.TopP = 0.95,
    min_p: options.MinP = 0.05,
    repetition_penalty: options.RepetitionPenalty = 1.1,
    seed: options.Seed = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Answer one prompt, or continue it, and write the text to stdout as it comes.

    Example: gnomon generate out/smollm2-2bit --prompt "Why is the sky blue?"
    """
    # What `echo` adds is not meant; a model goes on differently after a line's end.
    text = read_text("-").removesuffix("\n").removesuffix("\r") if prompt == "-" else prompt
    if not text:
        raise UsageError("--prompt is empty; give the model something to answer")
    from gnomon.conversation import stream_text
    from gnomon.engine import Engine
    from gnomon.models import open_model, require_tokenizer

    opened = open_model(model)
    tokenizer = require_tokenizer(opened)
    if chat is None:
        chat = tokenizer.chat_template is not None
    if chat:
        rendered = tokenizer.apply_chat_template([{"role": "user", "content": text}])
        prompt_ids = tokenizer.encode(rendered, add_special=False)
    else:
        prompt_ids = tokenizer.encode(text)
    sampler, used_seed = make_sampler(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        seed=seed,
    )
    engine = Engine(opened, threads=threads)

    pieces = []
    arrivals_s = []
    for piece in stream_text(engine, tokenizer, prompt_ids, max_tokens=max_tokens, sampler=sampler):
        pieces.append(piece)
        arrivals_s.append(time.perf_counter())
        if not as_json:
            print(piece.text, end="", flush=True)
    if not as_json:
        print()
        return
    tokens = [piece.token for piece in pieces if piece.token is not None]
    # The first token waits for the prompt, so decoding is timed from it on.
    decoding_s = arrivals_s[-1] - arrivals_s[0] if len(arrivals_s) > 1 else 0.0
    is_ended = any(piece.stop_reason == "stop_token" for piece in pieces)
    output.print_json(
        {
            "model": opened.name,
            "prompt": text,
            "is_chat": chat,
            "prompt_tokens": len(prompt_ids),
            "text": "".join(piece.text for piece in pieces),
            "tokens": tokens,
            "logprobs": [piece.log_probability for piece in pieces if piece.token is not None],
            "finish_reason": "stop" if is_ended else "length",
            "tokens_per_second": (len(tokens) - 1) / decoding_s if decoding_s > 0 else None,
            "seed": used_seed,
            "threads": engine.threads,
        }
    )
