"""Real brokers for tests: either engine as the process that a node runs, on a free port, killed and started at will.

def test_something(broker: Broker) -> None:          # runs on Mosquitto and on amqtt
    broker.add(device("rsud", "roof"))               # before or after start(); in force within two seconds
    client = new_client(broker.login("roof"), clean=True)
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from broker import accounts, mosquitto
from broker.accounts import Account
from broker.client import Login
from broker.contract.topics import Role

ENGINES = ("mosquitto", "amqtt")
_UNCHECKED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_UNCHECKED.check_hostname = False
_UNCHECKED.verify_mode = ssl.CERT_NONE

CONNECT = bytes.fromhex("100c00044d5154540402003c0000")
"""An anonymous CONNECT: a broker that answers it, with whatever refusal, is up."""


def password(name: str) -> str:
    """The password of a test account."""
    return f"the password of {name}"


def account(name: str, role: Role, site: str = "", device: str = "") -> Account:
    """A test account; its password is `password(name)`."""
    return Account(name, role, site, device, accounts.hash_password(password(name)))


def device(site: str, name: str, role: Role = Role.DEVICE) -> Account:
    """The account of a device (or, by role, of a third party's sensor)."""
    return account(name, role, site, name)


def servers() -> list[Account]:
    """The accounts of the server's processes: ingest, api, worker."""
    return [account(role.value, role) for role in (Role.INGEST, Role.API, Role.WORKER)]


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require(engine: str) -> None:
    """Skip, with a line that says so, where Mosquitto is not installed; fail there in CI."""
    if engine == "mosquitto" and mosquitto.find() is None:
        why = "Mosquitto is not installed (apt install mosquitto)"
        if os.environ.get("CI"):
            pytest.fail(f"{why}, and in CI no test is skipped")
        pytest.skip(why)


class Broker:
    """`python -m broker serve` on 127.0.0.1.

    Args:
        data_dir: of a node; accounts are in broker/accounts.json, passwords in secrets/<account>.
        engine: "mosquitto" or "amqtt".
        listed: accounts to write; None leaves the file that the registry wrote.
        port: None for a free one, known after the first start.
        options: further arguments of `serve`.
        tls: certificate and key, PEM; None for a plain listener.
    """

    def __init__(
        self,
        data_dir: Path,
        engine: str,
        listed: Iterable[Account] | None = None,
        *,
        port: int | None = None,
        options: Iterable[str] = (),
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        require(engine)
        self.engine = engine
        self.host = "127.0.0.1"
        self.port = port or 0
        self.data_dir = data_dir
        self.directory = data_dir / "broker"
        self.tls = tls is not None
        self._options = (*options, *(("--cert", str(tls[0]), "--key", str(tls[1])) if tls else ()))
        self._process: subprocess.Popen[bytes] | None = None
        if listed is not None:
            self._save({one.name: one for one in listed})

    @property
    def log(self) -> str:
        """What the broker has said so far."""
        path = self.data_dir / "broker.log"
        return path.read_text() if path.exists() else ""

    def start(self) -> Broker:
        """Start it, on the same port every time, and wait until it answers."""
        while self.port == 0:
            self.port = free_port()
            if not self._try_start():  # another test was faster to take the port
                self.port = 0
        if self._process is None and not self._try_start():
            raise AssertionError(f"{self.engine} did not start:\n{self.log}")
        return self

    def _try_start(self) -> bool:
        """False when the port is taken."""
        command = [
            sys.executable,
            "-m",
            "broker",
            "serve",
            "--engine",
            self.engine,
            "--dir",
            str(self.directory),
            "--host",
            self.host,
            "--port",
            str(self.port),
            *self._options,
        ]
        with (self.data_dir / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self.answers():
            if self._process.poll() is not None and "is taken" in self.log:
                self._process = None
                return False
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.engine} did not start:\n{self.log}")
            time.sleep(0.02)
        return True

    def wait_for_log(self, text: str, patience_s: float = 10) -> None:
        """Wait until the broker has said that."""
        deadline = time.monotonic() + patience_s
        while text not in self.log:
            assert time.monotonic() < deadline, f"{text!r} is not in:\n{self.log}"
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it answers a CONNECT now."""
        try:
            with contextlib.ExitStack() as stack:
                connection = stack.enter_context(socket.create_connection((self.host, self.port), timeout=2))
                if self.tls:
                    connection = stack.enter_context(_UNCHECKED.wrap_socket(connection))
                connection.sendall(CONNECT)
                return len(connection.recv(4)) == 4
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL: nothing is saved and nobody is told."""
        self.end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        self.end(signal.SIGTERM)

    def end(self, number: int) -> int | None:
        """Send a signal and wait until the broker is gone; its exit code, None when it did not run."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        process.send_signal(number)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        deadline = time.monotonic() + 10
        while self._listens():  # Mosquitto dies with its parent, but a moment after it
            assert time.monotonic() < deadline, f"port {self.port} is still open"
            time.sleep(0.005)
        return process.returncode

    def login(self, name: str, ca_file: Path | None = None) -> Login:
        """What a client needs to be that account here."""
        return Login(self.host, self.port, name, password(name), ca_file)

    def add(self, *added: Account) -> None:
        """Put accounts into the file; a running broker takes them in force within two seconds."""
        self._save(self._accounts() | {one.name: one for one in added})

    def revoke(self, name: str) -> None:
        """Take an account out of the file; a running broker cuts it within two seconds."""
        self._save({key: one for key, one in self._accounts().items() if key != name})

    def _accounts(self) -> dict[str, Account]:
        return accounts.load(self.directory / accounts.FILE)

    def _save(self, listed: dict[str, Account]) -> None:
        accounts.save(self.directory / accounts.FILE, listed)
        for name in listed:
            secret = self.data_dir / "secrets" / name
            if not secret.exists():
                accounts.write_private(secret, password(name).encode())

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0


def engines() -> list[object]:
    """Both engines as parameters of a fixture."""
    return [pytest.param("mosquitto", marks=pytest.mark.mosquitto), "amqtt"]


@pytest.fixture(params=engines())
def engine(request: pytest.FixtureRequest) -> str:
    """The name of each engine in turn."""
    require(request.param)
    return str(request.param)


@pytest.fixture
def broker(engine: str, tmp_path: Path) -> Iterator[Broker]:
    """A running broker with the server's accounts; runs the test once on each engine."""
    running = Broker(tmp_path, engine, servers()).start()
    yield running
    running.stop()


@pytest.fixture(scope="module", params=engines())
def shared_broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One running broker for all tests of a file, with devices and watchers; runs each test once on each engine."""
    require(request.param)
    listed = [
        *servers(),
        device("site-1", "dev-a"),
        device("site-1", "dev-b"),
        device("site-2", "dev-c"),
        account("watch-1", Role.WATCHER, "site-1"),
        account("watch-2", Role.WATCHER, "site-1"),
    ]
    running = Broker(tmp_path_factory.mktemp(request.param), request.param, listed).start()
    yield running
    running.stop()
