"""Small vocabularies as GGUF metadata, for `write_gguf(**BYTE_LEVEL)`; 48 tokens each."""

from __future__ import annotations

BPE_MERGES = ["Ġ t", "h e", "Ġt he", "l l", "o Ġ", "1 2"]
BPE_TOKENS = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdefghilmnorstw.!?123Ċ", "Ġ", "Ã", "©",
    "ð", "Ł", "İ", "ī", "Ġt", "he", "Ġthe", "ll", "oĠ", "12",
]  # fmt: skip
BPE_TOKENS += [f"[PAD{index}]" for index in range(len(BPE_TOKENS), 48)]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
BYTE_LEVEL = {
    "tokenizer__ggml__model": "gpt2",
    "tokenizer__ggml__pre": "qwen2",
    "tokenizer__ggml__tokens": BPE_TOKENS,
    "tokenizer__ggml__token_type": [3, 3, 3] + [1] * (len(BPE_TOKENS) - 3),
    "tokenizer__ggml__merges": BPE_MERGES,
    "tokenizer__ggml__bos_token_id": 0,
    "tokenizer__ggml__eos_token_id": 2,
    "tokenizer__ggml__padding_token_id": 0,
    "tokenizer__ggml__add_bos_token": False,
    "tokenizer__chat_template": TEMPLATE,
}

SPM_BYTES = ["<0x0A>", "<0xC3>", "<0xA9>", "<0xF0>", "<0x9F>", "<0x8E>", "<0x89>"]
SPM_TOKENS = [
    "<unk>", "<s>", "</s>", *SPM_BYTES, "▁t", "he", "▁the", "ab", "bc", "abc", "▁a", "ll", "▁▁",
    "<tag>", "\n\n", "▁", *"abcdehlotw.!",
]  # fmt: skip
SPM_TOKENS += [f"<unused{index}>" for index in range(len(SPM_TOKENS), 48)]
SPM_TYPES = [
    {"<unk>": 2, "<s>": 3, "</s>": 3, "<tag>": 4, "\n\n": 4}.get(
        token, 6 if token in SPM_BYTES else 3 if token.startswith("<unused") else 1
    )
    for token in SPM_TOKENS
]
SENTENCEPIECE = {
    "tokenizer__ggml__model": "llama",
    "tokenizer__ggml__tokens": SPM_TOKENS,
    "tokenizer__ggml__scores": [-float(index) for index in range(48)],
    "tokenizer__ggml__token_type": SPM_TYPES,
    "tokenizer__ggml__bos_token_id": 1,
    "tokenizer__ggml__eos_token_id": 2,
    "tokenizer__ggml__unknown_token_id": 0,
    "tokenizer__ggml__add_bos_token": True,
    "tokenizer__ggml__add_space_prefix": False,
}
