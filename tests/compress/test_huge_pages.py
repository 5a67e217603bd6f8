"""Training asks the system for memory in huge pages, where it gives them to who asks."""

import subprocess
import sys
from pathlib import Path

import pytest

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
ROLLUP = Path("/proc/self/smaps_rollup")
SCRIPT = """
import gnomon.compress, torch
values = torch.ones(16 << 20)
rollup = open("/proc/self/smaps_rollup").read().split()
print(rollup[rollup.index("AnonHugePages:") + 1])
"""


@pytest.mark.skipif(
    not (SETTING.exists() and ROLLUP.exists()) or "[madvise]" not in SETTING.read_text(),
    reason="the system has none, or gives them unasked",
)
def test_large_tensors_lie_in_huge_pages():
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    assert int(said.stdout) > 0, "kibibytes"
