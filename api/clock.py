"""The server's clock."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Milliseconds since 1970 UTC by the system's clock."""
    return time.time_ns() // 1_000_000
