"""Where a broker listens, and what is checked before it does."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


class ServeError(Exception):
    """The broker cannot serve as asked.

    Args:
        what: what is wrong, where, and the setting that remedies it, in one line.
    """

    retryable = False


@dataclass(frozen=True, slots=True)
class Listener:
    """One TCP listener.

    Attributes:
        host: address or name to bind to; 0.0.0.0 or :: for every interface.
        port: 1 to 65535.
        cert, key: PEM files of the broker's certificate chain and private key; both or none.
        plain_anywhere: passwords may travel in the clear over a network, as inside a container network.
    """

    host: str
    port: int
    cert: Path | None = None
    key: Path | None = None
    plain_anywhere: bool = False

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.cert is not None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}{' (TLS)' if self.tls else ''}"


def check(listener: Listener) -> None:
    """Whether a broker may and can listen there.

    Raises:
        ServeError: half a key pair, a file that cannot be read, a plain listener that other machines reach, or a port
            that is taken; names the option that changes it.
    """
    if not 0 < listener.port < 65536:
        raise ServeError(f"--port {listener.port} is no port: 1 to 65535")
    if (listener.cert is None) is not (listener.key is None):
        raise ServeError("--cert and --key go together: name both PEM files, or neither")
    for option, path in (("--cert", listener.cert), ("--key", listener.key)):
        if path is not None and not (path.is_file() and os.access(path, os.R_OK)):
            raise ServeError(f"{option} {path} is not a file that can be read")
    addresses = _addresses(listener)
    if not (listener.tls or listener.plain_anywhere or all(_loopback(address[1][0]) for address in addresses)):
        raise ServeError(
            f"--host {listener.host} is reached from other machines, and without TLS passwords would travel in the "
            "clear: name --cert and --key, or say --allow-plain where the network itself is trusted"
        )
    for family, address in addresses:
        _try_bind(listener, family, address)


def _addresses(listener: Listener) -> list[tuple[int, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(
            listener.host, listener.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise ServeError(f"--host {listener.host} is no address of this machine: {error.strerror}") from None
    return [(family, _pair(address)) for family, _, _, _, address in found]


def _pair(address: Iterable[object]) -> tuple[str, int]:
    host, port, *_ = address
    return str(host), int(str(port))


def _loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _try_bind(listener: Listener, family: int, address: tuple[str, int]) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            raise ServeError(_why(listener, error)) from None


def _why(listener: Listener, error: OSError) -> str:
    place = f"port {listener.port} on {listener.host}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"{place} is taken by another program: choose another with --port, and name the same in [mqtt] port of "
            "simpul.toml and in each agent's site file"
        )
    if error.errno == errno.EACCES:
        return f"{place} may not be opened by this user: choose one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host {listener.host} is no address of this machine"
    return f"{place} cannot be opened: {error.strerror}"
