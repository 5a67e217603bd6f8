"""simonw's `llm` as an editor's user has it: the server is a line in its configuration."""

from __future__ import annotations

import os
import subprocess
import sys


def test_llm_talks_to_the_server(smollm, tmp_path):
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: here\n  model_name: local\n  api_base: {smollm.address}/v1\n"
    )
    options = ["-o", "temperature", "0", "-o", "max_tokens", "16"]
    run = subprocess.run(
        [sys.executable, "-m", "llm", "-m", "here", *options, "What is the capital of France?"],
        env=os.environ
        | {"LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": "any", "LLM_LOAD_PLUGINS": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert "Paris" in run.stdout
