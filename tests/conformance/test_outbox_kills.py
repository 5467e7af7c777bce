"""P1, P2: the agent is killed before each statement of its outbox, and nothing is lost, doubled or renumbered."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

MANY = 80


@pytest.mark.slow
def test_p1_a_kill_at_any_statement_loses_nothing_and_uses_no_number_twice(tmp_path: Path) -> None:
    """In a process of its own, because it forks; in memory where it can be, for a kill is no power cut."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else tmp_path) as directory:
        sweep = subprocess.run(
            [sys.executable, "-m", "tests.conformance.kill_sweep", directory],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    assert sweep.returncode == 0, sweep.stdout + sweep.stderr
    assert "every promise held" in sweep.stdout
    assert int(sweep.stdout.split()[0]) >= MANY, "the sweep reached every statement"
