"""Who may connect to the broker: one file that the registry writes and the broker watches."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from broker.contract.ids import NAME
from broker.contract.topics import Role

FILE = "accounts.json"
"""Its name in the broker's directory."""

ITERATIONS = 101
"""PBKDF2 rounds, Mosquitto's own number. Passwords are random and long, so more rounds would add nothing but the time
in which the broker stands still: it checks every connected client again at each reload."""

SALT_BYTES = 12
"""Mosquitto 2.0 refuses any other length."""

PASSWORD_BYTES = 24
"""Randomness in a password made here."""

_log = logging.getLogger(__name__)
_HASH = re.compile(r"\$7\$(?P<rounds>[1-9][0-9]{0,6})\$(?P<salt>[A-Za-z0-9+/]{16})\$(?P<digest>[A-Za-z0-9+/]{86}==)")
_NAME = re.compile(NAME)


class AccountsError(Exception):
    """The accounts cannot be read or are not right.

    Args:
        what: the file, what is wrong in it, and the remedy, in one line.
    """

    retryable = False


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account: one process, one MQTT client id.

    Attributes:
        name: user name and client id; a device's is its DeviceId.
        role: what it may do, by the table of kinds.
        site, device: its own; a watcher has a site only, a server's role has neither.
        hash: of its password, as `hash_password` makes it.
    """

    name: str
    role: Role
    site: str = ""
    device: str = ""
    hash: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    accounts: tuple[Account, ...]


def load(path: Path) -> dict[str, Account]:
    """The accounts in `path` by name.

    Raises:
        AccountsError: missing, unreadable, not JSON of that shape, or an account that breaks a rule. Nothing of such a
            file is used.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise AccountsError(
            f"no accounts at {path}: the registry writes this file, run `python -m api init` first, or name another "
            "directory with --dir"
        ) from None
    except OSError as error:
        raise AccountsError(
            f"{path} cannot be read: {error.strerror}; it belongs to the user who runs the api"
        ) from None
    try:
        listed = msgspec.json.decode(content, type=_File).accounts
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AccountsError(f"{path}: {error}; write it again with `python -m api init`") from None
    for account in listed:
        if reason := _wrong(account):
            raise AccountsError(f"{path}: account {account.name[:64]!r}: {reason}")
    accounts = {account.name: account for account in listed}
    if len(accounts) != len(listed):
        raise AccountsError(f"{path}: a name stands in it twice")
    return accounts


def save(path: Path, accounts: Mapping[str, Account] | Iterable[Account]) -> None:
    """Write the accounts so that a reader sees either the old file or the new one, whole; mode 0600.

    Raises:
        AccountsError: an account breaks a rule; the file is left as it was.
    """
    listed = tuple(accounts.values() if isinstance(accounts, Mapping) else accounts)
    for account in listed:
        if reason := _wrong(account):
            raise AccountsError(f"account {account.name[:64]!r}: {reason}")
    ordered = tuple(sorted(listed, key=lambda account: account.name))
    write_private(path, msgspec.json.format(msgspec.json.encode(_File(ordered)), indent=1) + b"\n")


class Watch:
    """The accounts in a file, followed as it changes.

    A file that becomes unreadable leaves the last good accounts in force and is logged once; only a new process
    insists on a good one.

    Raises:
        AccountsError: as `load`, at the beginning only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _stamp(path)
        self.accounts = load(path)

    def changed(self) -> bool:
        """Look again; True when `accounts` is another table than before."""
        seen = _stamp(self._path)
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            new = load(self._path)
        except AccountsError as error:
            _log.error("the accounts stay as they were: %s", error)
            return False
        old, self.accounts = self.accounts, new
        return new != old


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` by `content` at once and durably, readable by its owner alone; directories are made with 0700."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_password() -> str:
    """A password that nobody can guess."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def hash_password(password: str, salt: bytes | None = None) -> str:
    """`$7$<rounds>$<salt>$<digest>`: PBKDF2-SHA512 as Mosquitto 2.0 reads it; `salt` is 12 bytes, random by default.

    Raises:
        ValueError: another salt, or a password that is empty or holds a NUL, which ends it for Mosquitto.
    """
    if not _usable(password):
        raise ValueError("a password is not empty and holds no NUL")
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    digest = _digest(password, salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def verify(hash: str, password: str) -> bool:
    """Whether `password` is the one of `hash`, in a time that does not say how wrong it is; False for a broken hash."""
    match = _HASH.fullmatch(hash)
    if match is None or not _usable(password):
        return False
    try:
        salt, digest = base64.b64decode(match["salt"]), base64.b64decode(match["digest"])
    except binascii.Error:
        return False
    return hmac.compare_digest(_digest(password, salt, int(match["rounds"])), digest)


def _usable(password: str) -> bool:
    return bool(password) and "\0" not in password


def _digest(password: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)


def _wrong(account: Account) -> str | None:
    """Which rule an account breaks; names go into Mosquitto's files, so no other character may ever pass."""
    for what, text in (("name", account.name), ("site", account.site), ("device", account.device)):
        if text and _NAME.fullmatch(text) is None:
            return f"{what} {text[:64]!r} is not 1 to 48 of a-z, 0-9 and inner hyphens"
    wants_site = account.role in {Role.DEVICE, Role.SENSOR, Role.WATCHER}
    wants_device = account.role in {Role.DEVICE, Role.SENSOR}
    if not account.name:
        return "it has no name"
    if bool(account.site) is not wants_site or bool(account.device) is not wants_device:
        return f"role {account.role} has {'a' if wants_site else 'no'} site and {'a' if wants_device else 'no'} device"
    return None if _HASH.fullmatch(account.hash) else "its hash is not one that hash_password makes"
