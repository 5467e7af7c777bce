"""`python -m api`: what a person types, and what a script relies on."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.__main__ import main
from api.access.tokens import Access
from api.config import load
from api.db import open_engine
from broker import accounts

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs a command with a settings file in `tmp_path`; returns its exit status."""
    (tmp_path / "simpul.toml").write_text("data_dir = 'node'\n")
    umask = os.umask(0o022)
    yield lambda *arguments: main(["--config", str(tmp_path / "simpul.toml"), *arguments])
    os.umask(umask)


@pytest.fixture
def ready(run: Run, capsys: pytest.CaptureFixture[str]) -> Run:
    """The same on a node that is set up, with a site `north`."""
    assert run("init") == 0
    assert run("site", "add", "north", "--title", "North", "--latitude", "-6.2", "--longitude", "106.8") == 0
    capsys.readouterr()
    return run


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_init_makes_a_node_and_doing_it_again_changes_nothing(run: Run, tmp_path: Path) -> None:
    node = tmp_path / "node"
    assert run("init") == 0
    secrets = {name: (node / "secrets" / name).read_text() for name in ("ingest", "api", "worker")}
    listed = accounts.load(node / "broker" / "accounts.json")
    assert {name: account.role.value for name, account in listed.items()} == {name: name for name in secrets}
    assert all(accounts.verify(listed[name].hash, word.strip()) for name, word in secrets.items())
    assert {mode(node / "secrets" / name) for name in secrets} == {0o600}
    assert mode(node / "facts.db") == 0o600
    assert run("init") == 0
    assert run("migrate") == 0
    assert secrets == {name: (node / "secrets" / name).read_text() for name in secrets}
    assert accounts.load(node / "broker" / "accounts.json") == listed


def test_init_repairs_a_lost_secret(run: Run, tmp_path: Path) -> None:
    assert run("init") == 0
    file = tmp_path / "node" / "secrets" / "ingest"
    file.unlink()
    assert run("init") == 0
    assert accounts.verify(
        accounts.load(tmp_path / "node" / "broker" / "accounts.json")["ingest"].hash, file.read_text().strip()
    )


def test_a_device_password_is_told_once_on_standard_output_alone(
    ready: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ready("device", "add", "st-1", "--site", "north") == 0
    said = capsys.readouterr()
    password = said.out.strip()
    listed = accounts.load(tmp_path / "node" / "broker" / "accounts.json")
    assert accounts.verify(listed["st-1"].hash, password)
    assert password not in said.err
    assert password.encode() not in (tmp_path / "node" / "facts.db").read_bytes()


def test_a_secret_file_is_for_its_owner_alone_and_if_missing_keeps_it(ready: Run, tmp_path: Path) -> None:
    file = tmp_path / "agents" / "st-1.secret"
    command = ("device", "add", "st-1", "--site", "north", "--secret-file", str(file), "--if-missing")
    assert ready(*command) == 0
    word = file.read_text()
    assert mode(file) == 0o600
    assert ready(*command) == 0
    assert file.read_text() == word
    file.unlink()
    assert ready(*command) == 2


def test_a_secret_that_cannot_be_written_registers_nothing(
    ready: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "occupied").mkdir()
    assert ready("device", "add", "st-1", "--site", "north", "--secret-file", str(tmp_path / "occupied")) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert ready("device", "list") == 0
    assert capsys.readouterr().out == ""


def test_p6_revoking_and_rotating_reach_the_brokers_file(
    ready: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node" / "broker" / "accounts.json"
    ready("device", "add", "st-1", "--site", "north", "--role", "sensor")
    first = capsys.readouterr().out.strip()
    assert ready("device", "rotate", "st-1") == 0
    second = capsys.readouterr().out.strip()
    assert not accounts.verify(accounts.load(file)["st-1"].hash, first)
    assert accounts.verify(accounts.load(file)["st-1"].hash, second)
    assert ready("device", "revoke", "st-1") == 0
    assert "st-1" not in accounts.load(file)
    assert ready("device", "list") == 0
    assert capsys.readouterr().out.split("\t")[:4] == ["st-1", "north", "sensor", "revoked"]


def test_a_token_is_told_once_opens_and_can_be_revoked(
    ready: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ready("token", "add", "wall display", "--site", "north", "--expires", "30") == 0
    text = capsys.readouterr().out.strip()
    engine = open_engine(load(tmp_path / "simpul.toml").facts_url)
    assert Access(engine, lambda: 0).bearer(text, "here").site == "north"
    assert ready("token", "add", "wall display", "--if-missing") == 0
    assert ready("token", "list") == 0
    token_id, scope, site, state, *_, title = capsys.readouterr().out.strip().split("\t")
    assert (scope, site, state, title) == ("read", "north", "in force", "wall display")
    assert token_id in text
    assert ready("token", "revoke", token_id) == 0
    capsys.readouterr()
    assert ready("token", "list") == 0
    assert "revoked" in capsys.readouterr().out
    engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("site", "add", "north"), "--if-missing"),
        (("site", "add", "North"), "a-z"),
        (("site", "add", "x", "--latitude", "99", "--longitude", "1"), "-90 to 90"),
        (("device", "add", "d", "--site", "nowhere"), "site add nowhere"),
        (("device", "add", "api", "--site", "north"), "choose another id"),
        (("device", "add", "a'; DROP TABLE device; --", "--site", "north"), "a-z"),
        (("device", "rotate", "none"), "device list"),
        (("device", "revoke", "none"), "device list"),
        (("token", "revoke", "none"), "token list"),
        (("token", "add", "t", "--site", "nowhere"), "no site"),
        (("token", "add", "t", "--expires", "0"), "36500 days"),
        (("token", "add", ""), "printable"),
    ],
)
def test_a_mistake_is_one_line_with_a_remedy(
    ready: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], remedy: str
) -> None:
    assert ready(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert remedy in said.err
    assert len(said.err.splitlines()) == 1


def test_check_config_touches_nothing(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check-config") == 0
    assert "good" in capsys.readouterr().out
    assert not (tmp_path / "node").exists()
    (tmp_path / "simpul.toml").write_text("[http]\nport = 'x'\n")
    assert run("check-config") == 2
    assert "http.port" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "ingest", "worker"])
def test_no_process_starts_on_facts_that_are_not_migrated(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert run(command) == 1
    assert "api init" in capsys.readouterr().err
    (tmp_path / "node").mkdir()
    assert run(command) == 1
    assert "api migrate" in capsys.readouterr().err


def test_a_taken_port_is_named_with_the_setting_that_moves_it(
    ready: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (tmp_path / "simpul.toml").write_text(f"data_dir = 'node'\n[http]\nport = {port}\n")
        assert ready("serve") == 2
    said = capsys.readouterr().err
    assert str(port) in said
    assert "[http] port" in said


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_named(
    ready: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    (tmp_path / "simpul.toml").write_text(f"data_dir = 'node'\n[http]\nhost = '{host}'\n")
    assert ready("serve") == 2
    assert host in capsys.readouterr().err


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ([], ["serve"], ["device", "add"], ["token", "add"], ["site", "add"], ["migrate"], ["init"]):
        with pytest.raises(SystemExit) as ended:
            main([*command, "--help"])
        assert ended.value.code == 0
        assert "usage: python -m api" in capsys.readouterr().out
