"""A hash of a model's weights, for what is kept about them: a name may come to mean others."""

from __future__ import annotations

import hashlib

from gnomon.models.model import Model


def fingerprint(model: Model) -> str:
    """SHA-256 over all the bytes of the weights' files, in hexadecimal."""
    source = model.source
    files = [source] if source.is_file() else sorted(source.glob("*.safetensors"))
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
