"""The server beside the bare engine, and beside llama.cpp's own server under the same load.

Three questions, each asked by turns: what a token costs more through HTTP than from the engine, how
much more eight clients get than one, and how long the first byte takes. llama.cpp's figures are of
the model it is given, in its own form, so they are ratios of whole systems on one machine.

    python benchmarks/serve.py out/smollm2-2bit --peer-model model.gguf [--soak 60] [--keep]

llama-server is built from source (benchmarks/llama_cpp.py) unless --peer-server names one.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from gnomon.engine import Engine, Sampler, SamplingOptions, generate
from gnomon.models import open_model, require_tokenizer
from llama_cpp import build_tools
from record import print_table, publish

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "serve"))
from soak import soak

PROMPT = "The gnomon of a sundial is the part that"  # about ten tokens
SAMPLING = {"temperature": 0.8, "seed": 1}  # greedy text lets gnomon guess ahead when alone
SECONDS_TO_START = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A server that runs. `extra` goes into every request, so that no answer ends early."""

    name: str
    port: int
    process: subprocess.Popen
    extra: dict

    def memory_bytes(self) -> int:
        """Resident and not of a file."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(r"RssAnon:\s+(\d+)", status)[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    first_s: float
    seconds: float  # from the first to the last token
    tokens: int


def ask(peer: Peer, *, tokens: int, number: int = 0) -> Stream:
    """One streamed completion, read with as little work as can be."""
    body = {"prompt": f"{number} {PROMPT}", "max_tokens": tokens, "stream": True} | SAMPLING
    body |= {"stream_options": {"include_usage": True}}
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=600)
    start_s = time.perf_counter()
    connection.request(
        "POST",
        "/v1/completions",
        json.dumps(body | peer.extra),
        {"content-type": "application/json"},
    )
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{peer.name}: status {answer.status}: {answer.read()[:300]!r}")
    first_s = last_s = None
    count = None  # a server may send several tokens at a time
    for line in iter(answer.readline, b""):
        if line.startswith(b"data: {"):
            event = json.loads(line[len(b"data: ") :])
            if event.get("choices"):
                last_s = time.perf_counter()
                first_s = first_s or last_s
            if event.get("usage"):
                count = event["usage"]["completion_tokens"]
    connection.close()
    if count != tokens or first_s is None or last_s is None:
        raise RuntimeError(f"{peer.name} gave {count} tokens instead of {tokens}")
    return Stream(first_s=first_s - start_s, seconds=last_s - first_s, tokens=count)


def ask_together(peer: Peer, *, clients: int, tokens: int) -> float:
    """Tokens a second of all clients together."""
    streams: list[Stream] = []
    threads = [
        threading.Thread(target=lambda n=n: streams.append(ask(peer, tokens=tokens, number=n)))
        for n in range(clients)
    ]
    start_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(streams) != clients:
        raise RuntimeError(f"{peer.name}: {clients - len(streams)} of {clients} clients failed")
    return sum(stream.tokens for stream in streams) / (time.perf_counter() - start_s)


class Bare:
    """The engine without a server: the same prompt and sampling."""

    def __init__(self, model: str, threads: int) -> None:
        opened = open_model(model)
        self.engine = Engine(opened, threads=threads)
        self.prompt = require_tokenizer(opened).encode(f"0 {PROMPT}")

    def ask(self, *, tokens: int) -> Stream:
        arrivals_s = []
        start_s = time.perf_counter()
        sampler = Sampler(SamplingOptions(**SAMPLING))
        for _ in generate(
            self.engine, self.prompt, max_tokens=tokens, stop_ids=(), sampler=sampler
        ):
            arrivals_s.append(time.perf_counter())
        return Stream(
            first_s=arrivals_s[0] - start_s,
            seconds=arrivals_s[-1] - arrivals_s[0],
            tokens=len(arrivals_s),
        )


@contextmanager
def running(name: str, command: Sequence[str], port: int, extra: dict) -> Iterator[Peer]:
    """A server, once it answers; SIGTERM at the end."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
    )
    try:
        end_s = time.monotonic() + SECONDS_TO_START
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > end_s:
                raise RuntimeError(f"{name} did not start: {' '.join(command)}")
            time.sleep(0.2)
        yield Peer(name=name, port=port, process=process, extra=extra)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v1/models")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ours(model: str, threads: int, slots: int) -> contextmanager:
    eos = require_tokenizer(open_model(model)).eos_ids
    port = _free_port()
    command = [sys.executable, "-m", "gnomon", "serve", model, "--port", str(port)]
    command += ["--threads", str(threads), "--slots", str(slots), "--context", "2048"]
    extra = {"logit_bias": {str(token): -100 for token in eos}}
    return running("gnomon", command, port, extra)


def theirs(options: argparse.Namespace, threads: int, slots: int) -> contextmanager:
    """llama.cpp's own server; `ignore_eos` is its own word."""
    if options.peer_model is None:
        return nullcontext()
    server = options.peer_server or build_tools().folder / "llama-server"
    port = _free_port()
    command = [str(server), "-m", str(options.peer_model), "--port", str(port)]
    command += ["-t", str(threads), "-np", str(slots), "-c", str(2048 * slots)]
    return running("llama-server", command, port, {"ignore_eos": True})


def compare(peers: Sequence[Peer], bare: Bare, *, tokens: int, rounds: int, clients: int) -> dict:
    """All take turns; medians."""
    bare_s, bare_first_s = [], []
    single_s = {peer.name: [] for peer in peers}
    first_s = {peer.name: [] for peer in peers}
    alone = {peer.name: [] for peer in peers}
    together = {peer.name: [] for peer in peers}
    for number in range(rounds):
        stream = bare.ask(tokens=tokens)
        bare_s.append(stream.seconds / (stream.tokens - 1))
        bare_first_s.append(stream.first_s)
        for peer in peers:
            stream = ask(peer, tokens=tokens, number=1000 + number)
            single_s[peer.name].append(stream.seconds / (stream.tokens - 1))
            first_s[peer.name].append(stream.first_s)
            alone[peer.name].append(ask_together(peer, clients=1, tokens=tokens))
            together[peer.name].append(ask_together(peer, clients=clients, tokens=tokens))
    median = statistics.median
    token_ms = 1000 * median(bare_s)
    rows = [
        {
            "server": peer.name,
            "ms a token": 1000 * median(single_s[peer.name]),
            "overhead": median(single_s[peer.name]) / median(bare_s) - 1,
            "first byte ms": 1000 * median(first_s[peer.name]),
            "1 client tokens/s": median(alone[peer.name]),
            f"{clients} clients tokens/s": median(together[peer.name]),
            "gain": median(together[peer.name]) / median(alone[peer.name]),
        }
        for peer in peers
    ]
    return {"bare_token_ms": token_ms, "bare_first_ms": 1000 * median(bare_first_s), "rows": rows}


def endure(peer: Peer, seconds: float, clients: int) -> dict:
    """The soak: 16 clients, random disconnects; memory before and after."""
    body = {"prompt": PROMPT, "max_tokens": 40} | peer.extra
    address = f"http://127.0.0.1:{peer.port}"
    soak(address, clients=clients, seconds=seconds / 4, body=body)  # every page touched once
    before = peer.memory_bytes()
    result = soak(address, clients=clients, seconds=seconds, body=body, seed=1000)
    return {
        "seconds": seconds,
        "clients": clients,
        "ends": dict(result.ends),
        "broken": result.broken[:5],
        "memory_growth": peer.memory_bytes() / before - 1,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--peer-model", type=Path, help="a GGUF file for llama.cpp")
    parser.add_argument("--peer-server", type=Path, help="llama.cpp's own llama-server")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--soak", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--name", default="serve", help="of the result's file")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    bare = Bare(options.model, options.threads)
    with (
        ours(options.model, options.threads, options.clients) as server,
        theirs(options, options.threads, options.clients) as peer,
    ):
        peers = [each for each in (server, peer) if each is not None]
        for each in peers:
            ask(each, tokens=8)  # warm
        result = compare(
            peers, bare, tokens=options.tokens, rounds=options.rounds, clients=options.clients
        )
        print_table(result["rows"])
        if options.soak:
            result["soak"] = endure(server, options.soak, clients=16)
    if len(peers) == 2:
        one, other = result["rows"]
        result["ratios"] = {
            key: one[key] / other[key] for key in one if isinstance(one[key], float) and other[key]
        }
    settings = ("threads", "tokens", "rounds", "clients")
    publish(
        options.name,
        result | {name: getattr(options, name) for name in settings},
        is_kept=options.keep,
    )


if __name__ == "__main__":
    main()
