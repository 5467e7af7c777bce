"""A simulated panel on a pseudo-terminal, for programs that want a serial port."""

from __future__ import annotations

import os
import select
import threading
import time
import tty

from firmware_bridge.device_sim import SimulatedPanel

STEP_S = 0.01


class PtyPanel:
    """Runs a panel on a thread of its own; `path` is the port to open."""

    def __init__(self, panel: SimulatedPanel) -> None:
        """Make the port; the panel's time is the monotonic clock."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._panel = panel
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pty-panel", daemon=True)
        self._thread.start()

    def press(self, button: int) -> bool:
        """As SimulatedPanel.press, now."""
        with self._lock:
            return self._panel.press(button, time.monotonic_ns())

    @property
    def kept(self) -> int:
        """Presses that are not acknowledged."""
        with self._lock:
            return self._panel.kept

    def close(self) -> None:
        """Pull the plug."""
        self._stop.set()
        self._thread.join(2)
        os.close(self._slave)
        os.close(self._master)

    def _run(self) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([self._master], [], [], STEP_S)
            data = os.read(self._master, 4096) if ready else b""
            with self._lock:
                self._panel.receive(data, time.monotonic_ns())
                self._panel.tick(time.monotonic_ns())
                answer = self._panel.data_to_send()
            self._write(answer)

    def _write(self, data: bytes) -> None:
        """What nobody reads is lost, as on a cable."""
        try:
            os.write(self._master, data)
        except BlockingIOError:
            return
