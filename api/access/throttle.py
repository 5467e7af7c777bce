"""How many failures an address may have in a while; pure, and its memory is bounded."""

from __future__ import annotations

from collections import OrderedDict


class Throttle:
    """Counts failures by address in windows that begin with the first of them.

    Args:
        allowed: failures in one window before the address has to wait.
        window_ms: how long a window lasts.
        remembered: addresses kept at once; the one that failed longest ago is forgotten first.
    """

    def __init__(self, *, allowed: int = 10, window_ms: int = 300_000, remembered: int = 10_000) -> None:
        self._allowed = allowed
        self._window_ms = window_ms
        self._remembered = remembered
        self._windows: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def failed(self, address: str, now_ms: int) -> None:
        """Count one failure of `address`."""
        began_ms, failures = self._windows.pop(address, (now_ms, 0))
        if now_ms - began_ms >= self._window_ms:
            began_ms, failures = now_ms, 0
        self._windows[address] = (began_ms, failures + 1)
        while len(self._windows) > self._remembered:
            self._windows.popitem(last=False)

    def wait_s(self, address: str, now_ms: int) -> int:
        """Seconds that `address` has to wait before it may fail again; 0 when it need not."""
        began_ms, failures = self._windows.get(address, (0, 0))
        left_ms = began_ms + self._window_ms - now_ms
        return -(-left_ms // 1000) if failures >= self._allowed and left_ms > 0 else 0

    def __len__(self) -> int:
        return len(self._windows)
