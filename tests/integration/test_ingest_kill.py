"""The sweep over every statement (promises P1 and P2)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_a_kill_at_any_statement_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.ingest_kill", str(tmp_path)],
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["wrong"] == []
    assert found["statements"] >= 30
