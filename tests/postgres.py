"""A PostgreSQL of the tests' own: its own cluster in a temporary directory, reached through a socket in it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest


def programs() -> Path | None:
    """Where initdb and pg_ctl are; None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
    return Path(found).resolve().parent if found else versions[-1] if versions else None


class Postgres:
    """A running cluster without durability, for one test process."""

    def __init__(self, bin: Path) -> None:
        self._bin = bin
        self._numbers = count(1)
        self.directory = Path(tempfile.mkdtemp(prefix="simpul-pg-"))
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.directory, self._user)
        self._run("initdb", "-D", "data", "-U", "simpul", "-A", "trust", "-N", "-E", "UTF8", "--no-locale")
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.directory}' -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def database(self) -> str:
        """The URL of an empty database."""
        name = f"test_{next(self._numbers)}"
        self._run("createdb", "-h", str(self.directory), "-U", "simpul", name)
        return f"postgresql+psycopg://simpul@/{name}?host={quote(str(self.directory), safe='')}"

    def stop(self) -> None:
        """Stop it and remove everything."""
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "stop")
        shutil.rmtree(self.directory)

    def _run(self, program: str, *arguments: str) -> None:
        as_user = ["setpriv", f"--reuid={self._user}", "--regid=" + self._user, "--clear-groups"]
        command = [*(as_user if os.geteuid() == 0 else []), str(self._bin / program), *arguments]
        with (self.directory / "said").open("w+") as said:  # not a pipe: the server would keep it open
            done = subprocess.run(command, cwd=self.directory, stdout=said, stderr=said, timeout=60, check=False)
            said.seek(0)
            assert done.returncode == 0, f"{program}: {said.read()}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL, where it is installed; a line says so where it is not, and in CI it fails there."""
    found = programs()
    if found is None:
        why = "PostgreSQL is not installed (apt install postgresql)"
        if os.environ.get("CI"):
            pytest.fail(f"{why}, and in CI no test is skipped")
        pytest.skip(why)
    running = Postgres(found)
    yield running
    running.stop()
