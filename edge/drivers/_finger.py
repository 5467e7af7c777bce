"""Simulated people who press simulated buttons, with the bounce of real contacts."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from edge.ports import SensorError

LONGEST_LINE = 200
"""Bytes of a request at the control socket."""

IDLE_S = 30.0
"""A connection that says nothing for this long is closed."""


class Change(NamedTuple):
    """So many seconds after the change before it, the contact closes or opens."""

    wait_s: float
    closed: bool


def contact(rng: random.Random, held_ms: float | None = None) -> Iterator[Change]:
    """One press of a mechanical contact, from its first closing to its last opening.

    Contacts of push buttons bounce up to a dozen times in 6 ms at most, more in closing than in opening (J. Ganssle,
    A Guide to Debouncing, measured 18 kinds: 1.6 ms on the mean, 6.2 ms the longest of good ones).

    Args:
        rng: whose randomness is used.
        held_ms: time from the end of the bouncing to the release; a person's 40 to 180 ms when None.
    """
    yield Change(0.0, closed=True)
    yield from _bounce(rng, rng.randint(0, 5), closed=False)
    yield Change((rng.uniform(40, 180) if held_ms is None else held_ms) / 1000, closed=False)
    yield from _bounce(rng, rng.randint(0, 3), closed=True)


def _bounce(rng: random.Random, times: int, *, closed: bool) -> Iterator[Change]:
    for _ in range(times):
        yield Change(rng.uniform(0.00005, 0.0006), closed)
        yield Change(rng.uniform(0.00005, 0.0006), not closed)


class Finger:
    """Presses mock pins, one press at a time, each as far from the last as two real ones are.

    A pin is told the time of each change, as a kernel stamps it, so a busy machine delays what happens but never
    stretches a bounce.
    """

    def __init__(
        self, pins: Mapping[str, Any], *, seed: int, closed_high: bool, lockout_ms: int, min_open_ms: int
    ) -> None:
        """Take the mock pins by their buttons' names; `closed_high`: a closed contact drives its pin high."""
        self._pins, self._closed_high = pins, closed_high
        self._apart_s, self._rest_s = lockout_ms / 1000, 2 * min_open_ms / 1000
        self._rng = random.Random(seed)  # noqa: S311 bounce is no secret
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._free_at_s = dict.fromkeys(pins, 0.0)
        self._socket: socket.socket | None = None
        self._path = ""

    def start(self, *, press_every_s: float, control: str) -> None:
        """Begin the schedule and listen at the path `control`. Raises SensorError."""
        if control:
            self._listen(control)
            threading.Thread(target=self._serve, name="finger-control", daemon=True).start()
        if press_every_s:
            threading.Thread(target=self._stroll, args=(press_every_s,), name="finger", daemon=True).start()

    def press(self, button: str, held_ms: float | None = None) -> None:
        """Press and release; returns when the finger has left. Raises LookupError."""
        if button not in self._pins:
            raise LookupError(f"no button {button[:48]!r}; there are: {', '.join(self._pins)}")
        with self._turn:
            time.sleep(max(0.0, self._free_at_s[button] - time.monotonic()))
            began_s = at_s = time.monotonic()
            for change in contact(self._rng, held_ms):
                at_s += change.wait_s
                time.sleep(max(0.0, at_s - time.monotonic()))
                report = self._pins[button].when_changed
                if report is not None:
                    report(at_s, int(change.closed == self._closed_high))
            self._free_at_s[button] = max(began_s + self._apart_s, at_s + self._rest_s)

    def close(self) -> None:
        """Press no more, and take the socket away. Never raises."""
        self._stop.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._socket = None
            with contextlib.suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108 `control` is a socket's address, kept as text

    def _listen(self, path: str) -> None:
        listener = socket.socket(socket.AF_UNIX)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 as above
            listener.bind(path)
            listener.listen()
        except OSError as error:
            listener.close()
            raise SensorError(
                f"control = {path[-100:]!r}: {error}; use a path of at most 107 bytes in a folder that exists"
            ) from error
        self._socket, self._path = listener, path

    def _stroll(self, every_s: float) -> None:
        names = sorted(self._pins)
        while not self._stop.wait(self._rng.expovariate(1 / every_s)):
            self.press(self._rng.choice(names))

    def _serve(self) -> None:
        listener = self._socket
        while listener is not None and not self._stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), name="finger-talk", daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(IDLE_S)
        with connection, contextlib.suppress(OSError), connection.makefile("rwb") as stream:
            while line := stream.readline(LONGEST_LINE):
                stream.write(self._answer(line.decode("utf-8", "replace").split()))
                stream.flush()

    def _answer(self, words: list[str]) -> bytes:
        match words:
            case ["press", button, *held]:
                try:
                    self.press(button, min(10_000.0, max(0.0, float(held[0]))) if held else None)
                except (LookupError, ValueError) as error:
                    return f"error: {error}\n".encode()
                return b"ok\n"
            case _:
                return b"error: say `press <button> [<milliseconds held>]`\n"


def send(path: str, button: str) -> str:
    """Ask the twin that listens at `path` for one press; its answer. Raises OSError when none listens."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(IDLE_S)
        connection.connect(path)
        connection.sendall(f"press {button}\n".encode())
        return connection.makefile().readline().strip()
