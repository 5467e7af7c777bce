"""`python -m broker` as a person runs it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from broker import accounts
from broker.accounts import Account, AccountsError, Watch
from broker.contract.topics import Role
from tests import brokers
from tests.brokers import Broker, account, device
from tests.clients import Client

LISTED = [*brokers.servers(), device("site-1", "own")]


def command(*arguments: str | Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) if path is None else os.environ | {"PATH": path}
    return subprocess.run(
        [sys.executable, "-m", "broker", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=environment,
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    accounts.save(tmp_path / "broker" / accounts.FILE, LISTED)
    return tmp_path / "broker"


def test_it_says_which_broker_runs_and_where_and_ends_well_on_sigterm(broker: Broker) -> None:
    broker.wait_for_log("listens on")
    said = [line for line in broker.log.splitlines() if line.startswith("broker: ") and "listens on" in line]
    name = {"mosquitto": "Mosquitto (", "amqtt": "amqtt, in process"}[broker.engine]
    assert len(said) == 1
    assert name in said[0]
    assert f"listens on 127.0.0.1:{broker.port}, accounts from {broker.directory}/accounts.json" in said[0]
    assert broker.end(signal.SIGTERM) == 0
    assert "Traceback" not in broker.log


@pytest.mark.mosquitto
def test_mosquitto_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    running = Broker(tmp_path, "mosquitto", LISTED).start()
    running.kill()
    assert not running.answers()


@pytest.mark.mosquitto
def test_left_to_choose_it_takes_mosquitto_where_that_is_installed(directory: Path) -> None:
    brokers.require("mosquitto")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert command("serve", "--dir", directory, "--port", str(port), path="/usr/bin:/bin").returncode == 2
    running = Broker(directory.parent, "auto").start()
    running.wait_for_log("Mosquitto (")
    running.stop()


@pytest.mark.parametrize("engine", brokers.engines())
def test_a_taken_port_is_named_with_the_setting_that_moves_it(directory: Path, engine: str) -> None:
    brokers.require(engine)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        tried = command("serve", "--dir", directory, "--port", str(port), "--engine", engine)
    assert tried.returncode == 2
    assert f"port {port} on 127.0.0.1 is taken" in tried.stderr
    assert "--port" in tried.stderr
    assert "[mqtt] port" in tried.stderr
    assert "Traceback" not in tried.stderr


@pytest.mark.parametrize("of", ["serve", "render"])
def test_without_accounts_it_says_where_they_should_be_and_who_writes_them(tmp_path: Path, of: str) -> None:
    tried = command(of, "--dir", tmp_path)
    assert tried.returncode == 2
    assert f"no accounts at {tmp_path}/accounts.json" in tried.stderr
    assert "python -m api" in tried.stderr
    assert "Traceback" not in tried.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "--allow-plain"),
        (["--host", "::"], "--allow-plain"),
        (["--host", "no.such.host.invalid"], "--host no.such.host.invalid is no address"),
        (["--host", "192.0.2.1", "--allow-plain"], "--host 192.0.2.1 is no address of this machine"),
        (["--port", "0"], "--port 0 is no port"),
        (["--port", "65536"], "--port 65536 is no port"),
        (["--cert", "/nowhere.pem"], "--cert and --key go together"),
        (["--cert", "/nowhere.pem", "--key", "/nowhere.pem"], "--cert /nowhere.pem is not a file"),
    ],
)
def test_p6_a_listener_that_would_be_wrong_is_refused_with_the_remedy(
    directory: Path, arguments: list[str], said: str
) -> None:
    tried = command("serve", "--dir", directory, "--engine", "amqtt", *arguments)
    assert tried.returncode == 2
    assert said in tried.stderr
    assert "Traceback" not in tried.stderr


@pytest.mark.parametrize("engine", brokers.engines())
def test_a_plain_listener_for_others_opens_when_that_is_said(tmp_path: Path, engine: str) -> None:
    running = Broker(tmp_path, engine, LISTED, options=["--allow-plain"])
    running.host = "0.0.0.0"
    running.start()
    running.stop()


def test_rendering_writes_files_for_their_owner_alone_and_runs_nothing(directory: Path) -> None:
    done = command("render", "--dir", directory, "--port", "18830")
    assert (done.returncode, done.stderr) == (0, "")
    assert "mosquitto -c" in done.stdout
    made = {path.name for path in directory.iterdir()}
    assert made == {"accounts.json", "mosquitto.conf", "acl", "passwords", "store"}
    assert {(directory / name).stat().st_mode & 0o777 for name in made} == {0o600, 0o700}
    assert "listener 18830 127.0.0.1" in (directory / "mosquitto.conf").read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Input data was truncated"),
        ("[]", "Expected `object`"),
        ('{"accounts":[{"name":"a"}]}', "missing required field `role`"),
        ('{"accounts":[{"name":"a","role":"king"}]}', "Invalid enum value 'king'"),
        ('{"accounts":[{"name":"a","role":"api","admin":true}]}', "unknown field `admin`"),
        ('{"accounts":[{"name":"","role":"api","hash":"HASH"}]}', "no name"),
        ('{"accounts":[{"name":"a\\nuser b","role":"api","hash":"HASH"}]}', "is not 1 to 48 of"),
        ('{"accounts":[{"name":"a","role":"device","site":"#","device":"a","hash":"HASH"}]}', "site '#' is not"),
        ('{"accounts":[{"name":"a","role":"device","site":"s","hash":"HASH"}]}', "role device has a site and a device"),
        ('{"accounts":[{"name":"a","role":"api","site":"s","hash":"HASH"}]}', "role api has no site and no device"),
        ('{"accounts":[{"name":"a","role":"watcher","hash":"HASH"}]}', "role watcher has a site and no device"),
        ('{"accounts":[{"name":"a","role":"api","hash":"plain"}]}', "its hash is not one"),
        ('{"accounts":[{"name":"a","role":"api","hash":"HASH"},{"name":"a","role":"api","hash":"HASH"}]}', "twice"),
    ],
)
def test_p6_accounts_that_break_a_rule_are_refused_with_the_file_and_the_rule(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / accounts.FILE
    path.write_text(content.replace("HASH", accounts.hash_password("x")))
    with pytest.raises(AccountsError) as caught:
        accounts.load(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_accounts_are_read_as_they_were_written_and_their_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / accounts.FILE
    accounts.save(path, LISTED)
    assert accounts.load(path) == {one.name: one for one in LISTED}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    accounts.save(path, accounts.load(path))
    assert [one["name"] for one in msgspec.json.decode(path.read_bytes())["accounts"]] == sorted(
        one.name for one in LISTED
    )
    assert [left.name for left in path.parent.iterdir()] == [accounts.FILE]


def test_p6_an_account_that_breaks_a_rule_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / accounts.FILE
    accounts.save(path, LISTED)
    before = path.read_bytes()
    with pytest.raises(AccountsError, match="is not 1 to 48 of"):
        accounts.save(path, [*LISTED, Account("a\ntopic readwrite #", Role.API, hash=LISTED[0].hash)])
    assert path.read_bytes() == before


def test_a_watch_sees_each_change_once_and_keeps_the_last_good_accounts(tmp_path: Path) -> None:
    path = tmp_path / accounts.FILE
    accounts.save(path, LISTED)
    watch = Watch(path)
    assert not watch.changed()
    accounts.save(path, LISTED)
    assert not watch.changed(), "the same accounts written again are no change"
    accounts.save(path, LISTED[:1])
    assert watch.changed()
    assert list(watch.accounts) == [LISTED[0].name]
    path.write_text("{")
    assert not watch.changed()
    path.unlink()
    assert not watch.changed()
    assert list(watch.accounts) == [LISTED[0].name]
    accounts.save(path, LISTED)
    assert watch.changed()
    assert len(watch.accounts) == len(LISTED)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, cert.pem and key.pem for 127.0.0.1, and other-ca.pem of somebody else."""
    if shutil.which("openssl") is None:
        if os.environ.get("CI"):
            pytest.fail("openssl is not installed, and in CI no test is skipped")
        pytest.skip("openssl is not installed")
    made = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=made, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    authority = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")  # Python 3.13 refuses one without
    for name in ("ca", "other-ca"):
        openssl(
            "req", "-x509", *curve, *authority, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}"
        )
    openssl("req", *curve, "-keyout", "key.pem", "-out", "cert.csr", "-subj", "/CN=broker")
    (made / "extensions").write_text("subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n")
    signer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions")
    openssl("x509", "-req", "-in", "cert.csr", "-out", "cert.pem", *signer)
    return made


@pytest.mark.parametrize("engine", brokers.engines())
def test_with_a_certificate_only_clients_that_know_its_authority_come_in(
    tmp_path: Path, certificates: Path, engine: str
) -> None:
    running = Broker(tmp_path, engine, LISTED, tls=(certificates / "cert.pem", certificates / "key.pem")).start()
    try:
        with Client(running.login("own", certificates / "ca.pem")) as agent:
            agent.publish("city/site-1/own/up/press", b"x")
        stranger = Client(running.login("own", certificates / "other-ca.pem"))
        with pytest.raises(OSError, match=r"(?i)certificate"):
            stranger.begin()
        plain = Client(running.login("own"))
        plain.begin()
        plain.wait(lambda: plain.failed > 0, "the end of a plain connection")
        plain.__exit__()
        assert plain.connects == 0
    finally:
        running.stop()


def test_an_engine_that_is_not_installed_is_named_with_the_remedy(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from broker import __main__, mosquitto

    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert mosquitto.find() is None
    assert __main__.main(["serve", "--dir", str(directory), "--engine", "mosquitto"]) == 2
    assert "apt install mosquitto" in capsys.readouterr().err


def test_the_page_of_topics_is_written_and_checked(tmp_path: Path) -> None:
    page = tmp_path / "topics.md"
    assert command("docs", "--check", "--out", page).returncode == 1
    assert command("docs", "--out", page).returncode == 0
    assert command("docs", "--check", "--out", page).returncode == 0
    page.write_text(page.read_text() + "x")
    stale = command("docs", "--check", "--out", page)
    assert stale.returncode == 1
    assert "python -m broker docs" in stale.stderr


def test_a_third_party_account_is_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / accounts.FILE
    accounts.save(path, [device("s", "buoy", Role.SENSOR), account("wall", Role.WATCHER, "s")])
    assert {one.role for one in accounts.load(path).values()} == {Role.SENSOR, Role.WATCHER}
