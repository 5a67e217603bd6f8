"""`Engine`: a model ready to run on this CPU.

Weights go into native layers once; a `Session` then holds the keys and values of one text.

>>> engine = Engine(model)  # doctest: +SKIP
>>> session = engine.session()  # doctest: +SKIP
>>> logits = session.forward(np.array([1, 2, 3], np.int32))  # doctest: +SKIP
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np

from gnomon import _native
from gnomon.engine.memory import require_memory
from gnomon.engine.native_layers import Dense, LayerFactory
from gnomon.errors import ContextError, ModelError, UsageError
from gnomon.models.architectures import linear_groups
from gnomon.models.config import ModelConfig
from gnomon.models.model import Model
from gnomon.token_ids import as_token_ids

DEFAULT_CAPACITY = 4096  # tokens of a session if nothing else is asked for

Session = _native.Session
Cache = Literal["auto", "float32", "float16", "int8"]
_CACHE_BYTES = {"float32": 4, "float16": 2, "int8": 1}  # a number
_SCALE_BYTES = 4  # of each head and token, in an int8 cache


class Engine:
    """A model's weights in native form, with a pool of threads.

    `threads` defaults to the cores this process may use. `dense` is the form of weights that are
    not coded; "auto" keeps float32 and bfloat16 and makes everything else float16. Sessions of one
    engine may be used from several Python threads; they take turns.
    Raises ModelError if tensors are missing or do not fit the configuration, GnomonError if the
    weights do not fit into memory.
    """

    def __init__(self, model: Model, *, threads: int | None = None, dense: Dense = "auto") -> None:
        if threads is not None and not 1 <= threads <= 1024:
            raise UsageError(f"threads is {threads}; expected 1 to 1024.")
        if _native.available_isas() == ["scalar"]:
            warnings.warn(
                "This processor has none of AVX2, AVX-512 and NEON: all works, but slowly.",
                RuntimeWarning,
                stacklevel=2,
            )
        self.model = model
        self.config = model.config
        self.threads = threads if threads is not None else _native.usable_cores()
        self._dense = dense
        factory = LayerFactory(model.weights, dense=dense, source=str(model.source))
        require_memory(factory.memory_bytes(), f"Running {model.name}")
        try:
            self._decoder = _build_decoder(model.config, factory, self.threads)
        except ValueError as error:
            raise ModelError(f"{model.name}: {error}") from error

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights read for each decoded token."""
        return self._decoder.weight_bytes

    def session(self, capacity: int | None = None, *, cache: Cache = "auto") -> Session:
        """An empty session for `capacity` tokens, by default the model's context up to 4096.

        `cache` is the form of keys and values; "auto" is float16 unless the engine's weights were
        asked to be float32, and "int8" takes half the memory of that. Raises ContextError if the
        model's context is shorter, GnomonError if the cache does not fit into memory.
        """
        if capacity is None:
            capacity = min(self.config.max_context, DEFAULT_CAPACITY)
        needed_bytes = self.session_bytes(capacity, cache=cache)
        require_memory(needed_bytes, f"A session for {capacity} tokens")
        return _native.Session(self._decoder, capacity, self._cache_form(cache))

    def session_bytes(self, capacity: int, *, cache: Cache = "auto") -> int:
        """Memory that a session for `capacity` tokens takes once it is full; `session` says what it
        raises.
        """
        limit = self.config.max_context
        if capacity < 1:
            raise UsageError(f"A session's capacity is {capacity}; expected at least 1 token.")
        if capacity > limit:
            raise ContextError(
                f"A session for {capacity} tokens was asked for; the model's context is {limit}."
            )
        form = self._cache_form(cache)
        head_bytes = self.config.head_dim * _CACHE_BYTES[form]
        if form == "int8":
            head_bytes += _SCALE_BYTES
        return 2 * self.config.num_layers * self.config.num_kv_heads * head_bytes * capacity

    def owns(self, session: Session) -> bool:
        """Whether `session` is one of this engine's."""
        return session.belongs_to(self._decoder)

    def forward_together(
        self, readings: Sequence[tuple[Session, Sequence[int] | np.ndarray]]
    ) -> np.ndarray:
        """Let several sessions read on, each its own tokens; logits [sessions, vocab] after them.

        Weights are read once for all of them, and the numbers are, to the last bit, those of
        `session.forward` one by one. Call it once a step; sessions may come and go between calls.

        Raises ValueError, and changes no session, if tokens are not the model's or do not fit, or a
        session is named twice; UsageError if a session is another engine's.

        >>> logits = engine.forward_together([(a, [4]), (b, [1, 2, 3])])  # doctest: +SKIP
        """
        if not all(self.owns(session) for session, _ in readings):
            raise UsageError("A session is another engine's; make them with this engine.session().")
        return _native.forward_together(
            [session for session, _ in readings], [as_token_ids(tokens) for _, tokens in readings]
        )

    def _cache_form(self, cache: Cache) -> str:
        if cache == "auto":
            return "float32" if self._dense == "float32" else "float16"
        if cache not in _CACHE_BYTES:
            raise UsageError(f"cache={cache!r}; expected auto, {', '.join(_CACHE_BYTES)}.")
        return cache


def _build_decoder(config: ModelConfig, factory: LayerFactory, threads: int) -> _native.Decoder:
    embedding = factory.linear("model.embed_tokens.weight")
    return _native.Decoder(
        config=_native.DecoderConfig(
            vocab=config.vocab_size,
            hidden=config.hidden_size,
            heads=config.num_heads,
            kv_heads=config.num_kv_heads,
            head_dim=config.head_dim,
            attention_scale=config.attention_scale,
            attention_softcap=config.attention_softcap or 0.0,
            rope_frequencies=[rope.inverse_frequencies.tolist() for rope in config.ropes],
            rope_amplitudes=[rope.amplitude for rope in config.ropes],
            activation=config.activation,
            norm_eps=config.norm_eps,
            norm_offset=config.norm_offset,
            embedding_scale=config.embedding_scale,
            logit_softcap=config.logit_softcap or 0.0,
            experts_per_token=config.num_experts_per_token,
        ),
        embedding=embedding,
        blocks=[_build_block(config, factory, layer) for layer in range(config.num_layers)],
        final_norm=factory.vector("model.norm.weight"),
        head=embedding if config.is_head_tied else factory.linear("lm_head.weight"),
        threads=threads,
    )


def _build_block(config: ModelConfig, factory: LayerFactory, layer: int) -> _native.Block:
    prefix = f"model.layers.{layer}"

    def norm(name: str, is_present: bool = True) -> np.ndarray | None:
        return factory.vector(f"{prefix}.{name}.weight") if is_present else None

    groups = linear_groups(config, layer)
    layers = [[factory.linear(name) for name in group.names] for group in groups]
    (q, k, v), (o,), *parts = layers
    experts = [
        _native.FeedForward(gate=gate, up=up, down=down)
        for (gate, up), (down,) in zip(parts[0::2], parts[1::2], strict=True)
    ]
    has_post = config.has_post_norms
    # Gemma's `post_attention_layernorm` follows attention; everyone else's precedes the next part.
    mlp_norm = "pre_feedforward_layernorm" if has_post else "post_attention_layernorm"
    return _native.Block(
        q=q,
        k=k,
        v=v,
        o=o,
        router=factory.linear(f"{prefix}.block_sparse_moe.gate.weight")
        if config.num_experts
        else None,
        experts=experts,
        attention_norm=norm("input_layernorm"),
        attention_post_norm=norm("post_attention_layernorm", has_post),
        mlp_norm=norm(mlp_norm),
        mlp_post_norm=norm("post_feedforward_layernorm", has_post),
        q_norm=norm("self_attn.q_norm", config.has_qk_norm),
        k_norm=norm("self_attn.k_norm", config.has_qk_norm),
        rope=config.layers[layer].rope_index,
        window=config.layers[layer].sliding_window or 0,
    )
