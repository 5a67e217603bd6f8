"""The native core, as cpp/bind_*.cpp export it."""

from collections.abc import Sequence

import numpy as np

def usable_cores() -> int: ...
def chosen_isa() -> str: ...
def available_isas() -> list[str]: ...
def log_sum_exp(x: np.ndarray) -> float: ...
def choose_token(
    logits: np.ndarray,
    seen: np.ndarray,
    at: float,
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    repetition_penalty: float = 1.0,
) -> int: ...
def read_bandwidth(threads: int, size_bytes: int, passes: int) -> float: ...
def rotate(
    x: np.ndarray,
    signs: np.ndarray | None = None,
    inverse: bool = False,
    threads: int = 1,
    isa: str | None = None,
) -> None: ...

class Rotation:
    def __init__(self, width: int, signs: np.ndarray | None = None) -> None: ...
    @property
    def width(self) -> int: ...

class Linear:
    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def weight_bytes(self) -> int: ...
    def multiply(self, x: np.ndarray, threads: int = 1, isa: str | None = None) -> np.ndarray: ...
    def read_row(self, row: int, isa: str | None = None) -> np.ndarray: ...

def dense_linear(
    weights: np.ndarray, scales: np.ndarray | None = None, bias: np.ndarray | None = None
) -> Linear: ...
def trellis_linear(
    codes: np.ndarray,
    table: np.ndarray,
    scales: np.ndarray,
    out: int,
    in_: int,
    input_rotation: Rotation | None = None,
    output_rotation: Rotation | None = None,
    bias: np.ndarray | None = None,
) -> Linear: ...
def additive_linear(
    codes: np.ndarray, codebooks: np.ndarray, scales: np.ndarray, bias: np.ndarray | None = None
) -> Linear: ...

class DecoderConfig:
    def __init__(
        self,
        *,
        vocab: int,
        hidden: int,
        heads: int,
        kv_heads: int,
        head_dim: int,
        attention_scale: float,
        attention_softcap: float,
        rope_frequencies: Sequence[Sequence[float]],
        rope_amplitudes: Sequence[float],
        activation: str,
        norm_eps: float,
        norm_offset: float,
        embedding_scale: float,
        logit_softcap: float,
        experts_per_token: int,
    ) -> None: ...

class FeedForward:
    def __init__(self, *, gate: Linear, up: Linear, down: Linear) -> None: ...

class Block:
    def __init__(
        self,
        *,
        q: Linear,
        k: Linear,
        v: Linear,
        o: Linear,
        router: Linear | None,
        experts: Sequence[FeedForward],
        attention_norm: np.ndarray | None,
        attention_post_norm: np.ndarray | None,
        mlp_norm: np.ndarray | None,
        mlp_post_norm: np.ndarray | None,
        q_norm: np.ndarray | None,
        k_norm: np.ndarray | None,
        rope: int,
        window: int,
    ) -> None: ...

class Decoder:
    def __init__(
        self,
        *,
        config: DecoderConfig,
        embedding: Linear,
        blocks: Sequence[Block],
        final_norm: np.ndarray,
        head: Linear,
        threads: int,
        isa: str | None = None,
    ) -> None: ...
    @property
    def threads(self) -> int: ...
    @property
    def weight_bytes(self) -> int: ...

class Session:
    def __init__(self, decoder: Decoder, capacity: int, cache: str = "float32") -> None: ...
    @property
    def length(self) -> int: ...
    @property
    def capacity(self) -> int: ...
    @property
    def cache_bytes(self) -> int: ...
    @property
    def tokens(self) -> np.ndarray: ...
    def belongs_to(self, decoder: Decoder) -> bool: ...
    def truncate(self, length: int) -> None: ...
    def keep_prefix(self, text: np.ndarray) -> int: ...
    def copy_prefix(self, source: Session, n: int) -> None: ...
    def forward(self, tokens: np.ndarray) -> np.ndarray: ...
    def forward_all(self, tokens: np.ndarray, first: int = 0) -> np.ndarray: ...
    def score(self, tokens: np.ndarray) -> np.ndarray: ...
    def hidden(self, tokens: np.ndarray) -> np.ndarray: ...
    def observe(self, tokens: np.ndarray, layers: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """What was expected at each token but the first, f32 [n - 1, 5] (log-probability, entropy,
        variance of log p, log-probability at a temperature of 1/2, rank), and the hidden states
        after `layers`, f32 [layers, n, hidden]."""

def forward_together(sessions: Sequence[Session], tokens: Sequence[np.ndarray]) -> np.ndarray: ...
def trellis_encode(
    sequences: np.ndarray,
    table: np.ndarray,
    bits: int,
    codes: np.ndarray,
    values: np.ndarray,
    threads: int = 0,
) -> None:
    """Writes codes u8 [n, 32 * bits] and values f32 [n, 256] nearest to sequences f32 [n, 256]."""

def beam_search(
    targets: np.ndarray,
    values: np.ndarray,
    coupling: np.ndarray,
    factors: np.ndarray,
    codebooks: np.ndarray,
    codes: np.ndarray,
    *,
    is_sweep: bool,
    beam: int,
    width: int,
    threads: int = 0,
) -> None:
    """Writes codes u8 [rows, columns / 8, books]; see cpp/codecs/beam_search.h."""

def add_codewords(codes: np.ndarray, codebooks: np.ndarray, sums: np.ndarray) -> None:
    """Writes f32 [n, 8], the sums of codewords f32 [K, 256, 8] for codes u8 [n, K]."""

def sum_by_codeword(codes: np.ndarray, vectors: np.ndarray, totals: np.ndarray) -> None:
    """Writes f64 [K, 256, 8], for every codeword the sum of the vectors f32 [n, 8] that use it."""

_Said = tuple[str, list[int], int, int]

def geometry_proposal_forms() -> list[str]: ...

class GeometryState:
    def __init__(self, first: Sequence[complex], second: Sequence[complex]) -> None: ...
    def copy(self) -> GeometryState: ...
    def add_point(self, first: complex, second: complex) -> None: ...
    def give(self, fact: _Said) -> None: ...
    def solve(self, goal: _Said, time_s: float) -> bool: ...
    def saturate(self, time_s: float) -> bool: ...
    def propose(
        self, goal: _Said, newest_only: bool, most: int
    ) -> list[tuple[int, list[int], complex, complex, float]]: ...
    def extend(
        self,
        points: Sequence[tuple[complex, complex, Sequence[_Said]]],
        goal: _Said,
        time_s: float,
    ) -> tuple[GeometryState, bool]: ...
    def knows(self, statement: _Said) -> bool: ...
    def conclusions(self) -> list[_Said]: ...
    def prove(self, statement: _Said) -> list[tuple[_Said, str, list[tuple[int, int, str]]]]: ...
    @property
    def points(self) -> int: ...
    @property
    def facts(self) -> int: ...
