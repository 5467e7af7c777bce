"""Mosquitto as a child process, on files rendered from the accounts and the table of kinds."""

from __future__ import annotations

import ctypes
import logging
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from broker import accounts
from broker.accounts import Account, write_private
from broker.client import MAX_INFLIGHT
from broker.contract import access, codec
from broker.listener import Listener

QUEUED_MESSAGES = 20_000
"""Waiting at most for one client that is away or slow. Receipts make the broker's queue a convenience: what it drops is
sent again by its outbox. So it holds about ten minutes of a large city's messages, not an outage."""

QUEUED_BYTES = 32 * 1024 * 1024
"""The same in bytes of payload, so that large messages do not fill the memory of a small machine."""

SESSION_EXPIRY = "7d"
"""A session whose client never comes back is forgotten after this."""

AUTOSAVE_S = 60
"""Retained messages and sessions reach the disk this often; more often wears an SD card for what receipts secure."""

WATCH_S = 0.5
"""How often the accounts are looked at; a revoked account is cut within this time and a reload."""

START_S = 10
"""Time to open the listener."""

CONF, ACL, PASSWORDS, STORE = "mosquitto.conf", "acl", "passwords", "store"
"""The files in the broker's directory, and the directory in it where Mosquitto keeps its own."""

_log = logging.getLogger(__name__)
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG, prctl(2)


def find() -> str | None:
    """The path of Mosquitto, None when it is not installed; Debian keeps it where a user's PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def config_text(listener: Listener, directory: Path, user: str | None) -> str:
    """mosquitto.conf: one listener, nobody without a password, nothing beyond the table of access.

    Args:
        listener: where.
        directory: of the rendered files, absolute.
        user: whom Mosquitto becomes when it is started by root; None when that has no name.
    """
    lines = [
        "# rendered by `python -m broker`; changes are overwritten",
        f"listener {listener.port} {listener.host}",
        "allow_anonymous false",
        "use_username_as_clientid true",
        f"password_file {directory / PASSWORDS}",
        f"acl_file {directory / ACL}",
        "set_tcp_nodelay true",
        f"max_inflight_messages {MAX_INFLIGHT}",
        f"max_queued_messages {QUEUED_MESSAGES}",
        f"max_queued_bytes {QUEUED_BYTES}",
        f"max_packet_size {codec.MAX_PACKET}",
        f"persistent_client_expiration {SESSION_EXPIRY}",
        "persistence true",
        f"persistence_location {directory / STORE}/",
        f"autosave_interval {AUTOSAVE_S}",
        "sys_interval 0",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
    ]
    if user is not None:
        lines.append(f"user {user}")
    if listener.tls:
        lines += [f"certfile {listener.cert}", f"keyfile {listener.key}", "tls_version tlsv1.2"]
    return "\n".join(lines) + "\n"


def acl_text(listed: Iterable[Account]) -> str:
    """The ACL file: each account's grants; Mosquitto refuses whatever no line allows."""
    blocks = ["# rendered by `python -m broker`; changes are overwritten\n"]
    for account in listed:
        grants = access.grants(account.role, account.site, account.device)
        blocks.append(f"\nuser {account.name}\n")
        blocks += [f"topic {'write' if grant.write else 'read'} {grant.filter}\n" for grant in grants]
    return "".join(blocks)


def password_text(listed: Iterable[Account]) -> str:
    """The password file."""
    return "".join(f"{account.name}:{account.hash}\n" for account in listed)


def render(listener: Listener, directory: Path, listed: Iterable[Account]) -> Path:
    """Write the three files, mode 0600, and make the store; the path of mosquitto.conf."""
    directory = directory.absolute()
    (directory / STORE).mkdir(mode=0o700, exist_ok=True)
    _give(directory / STORE)
    _write(directory / CONF, config_text(listener, directory, _owner_name(directory)))
    write_access(directory, listed)
    return directory / CONF


def write_access(directory: Path, listed: Iterable[Account]) -> None:
    """Write ACL and passwords; Mosquitto reads them when it starts and at SIGHUP."""
    listed = list(listed)
    _write(directory / ACL, acl_text(listed))
    _write(directory / PASSWORDS, password_text(listed))


def serve(binary: str, listener: Listener, directory: Path, announce: Callable[[], None]) -> int:
    """Run Mosquitto until it ends or this process is told to; follow changes of the accounts; its exit code.

    Args:
        binary: path of Mosquitto.
        listener, directory: as for `render`.
        announce: called once, when it accepts connections.

    Raises:
        AccountsError: the accounts cannot be read at the start. Later that keeps the last good ones in force.
    """
    watch = accounts.Watch(directory / accounts.FILE)
    conf = render(listener, directory, watch.accounts.values())
    process = _start([binary, "-c", str(conf)], directory)

    def stop(_number: int, _frame: FrameType | None) -> None:
        process.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if _listening(process, listener):
        announce()
    due = False
    while (code := _wait(process, WATCH_S)) is None:
        due = watch.changed() or due
        if due and _reload(process, directory.absolute(), watch.accounts.values()):
            due = False
    return code


def _reload(process: subprocess.Popen[bytes], directory: Path, listed: Iterable[Account]) -> bool:
    """Put changed accounts in force; False when the disk does not take them now."""
    try:
        write_access(directory, listed)
    except OSError as error:
        _log.error("changed accounts are not in force yet: %s", error)
        return False
    process.send_signal(signal.SIGHUP)
    return True


def _start(command: list[str], directory: Path) -> subprocess.Popen[bytes]:
    """Start it as the owner of the directory, and so that it never outlives this process, whatever ends that."""
    owner = directory.stat()
    other = os.geteuid() == 0 and owner.st_uid != 0
    libc = ctypes.CDLL(None, use_errno=True)

    def die_with_parent() -> None:
        libc.prctl(_DIES_WITH_PARENT, signal.SIGKILL)

    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        user=owner.st_uid if other else None,
        group=owner.st_gid if other else None,
        extra_groups=[] if other else None,
        preexec_fn=die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - there are no threads, and it calls nothing but prctl
    )


def _listening(process: subprocess.Popen[bytes], listener: Listener) -> bool:
    """Whether it accepts connections within START_S; False when it ended instead."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to look for one that listens there
    host = everywhere.get(listener.host, listener.host)
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((host, listener.port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Its exit code, None when it runs on; the end that SIGTERM brings is a good one."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _write(path: Path, text: str) -> None:
    write_private(path, text.encode())
    _give(path)


def _give(path: Path) -> None:
    """Root's files go to the owner of the directory, whom Mosquitto becomes."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _owner_name(directory: Path) -> str | None:
    try:
        return pwd.getpwuid(directory.stat().st_uid).pw_name
    except KeyError:
        return None
