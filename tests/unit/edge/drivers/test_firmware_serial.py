"""A panel's presses as the agent's edges."""

from __future__ import annotations

import os
import threading
import time
import tty

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.presses import MS, Debouncer, Edge
from edge.drivers.firmware_serial import DRIVER, Config, FirmwareButtons, SimulatedButtons, decode
from edge.ports import SensorError
from firmware_bridge.device_sim import SimulatedPanel
from firmware_bridge.pty_panel import PtyPanel
from firmware_bridge.serial_transport import SerialTransport

S = 1_000_000_000


def config(**fields: object) -> Config:
    return msgspec.convert({"port": "/dev/null", "buttons": {"pharmacy": 0, "cashier": 5}, **fields}, Config)


class Agent:
    """Debounces as the agent does."""

    def __init__(self) -> None:
        self.pressed: list[str] = []
        self._debouncers: dict[str, Debouncer] = {}
        self._more = threading.Condition()

    def __call__(self, button: str, edge: Edge) -> None:
        with self._more:
            if self._debouncers.setdefault(button, Debouncer()).edge(edge) is not None:
                self.pressed.append(button)
                self._more.notify_all()

    def wait(self, presses: int) -> None:
        with self._more:
            assert self._more.wait_for(lambda: len(self.pressed) >= presses, 10)


@given(
    times_ns=st.lists(st.integers(0, 10 * S), min_size=1, max_size=50),
    lockout_ms=st.integers(2, 500),
    share=st.integers(2, 50),
)
def test_p3_each_press_of_a_panel_is_one_press_of_the_debouncer_however_close(
    times_ns: list[int], lockout_ms: int, share: int
) -> None:
    debouncer = Debouncer(lockout_ms=lockout_ms, min_open_ms=max(1, lockout_ms // share))
    before_ns, presses = None, []
    for at_ns in times_ns:
        edges = decode(at_ns, before_ns, lockout_ms)
        before_ns = edges[0].at_ns
        presses += [press for edge in edges if (press := debouncer.edge(edge)) is not None]

    assert len(presses) == len(times_ns)
    assert presses[0] == times_ns[0]


def test_a_press_keeps_its_time_when_it_is_far_enough_from_the_one_before() -> None:
    assert decode(S, S - 80 * MS, 80)[0] == Edge(S, closed=True)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"buttons": {}}, "length >= 1"),
        ({"buttons": {"a": 16}}, "<= 15"),
        ({"buttons": {"a": 1, "b": 1}}, "two buttons share one number"),
        ({"lockout_ms": 30, "min_open_ms": 20}, "at least twice min_open_ms"),
        ({"panel": "0x12"}, "matching regex"),
    ],
)
def test_a_configuration_that_cannot_be_right_is_refused(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=complaint):
        config(**fields)


def test_p1_presses_made_before_the_agent_listens_and_after_it_restarts_arrive_through_a_serial_port() -> None:
    panel = PtyPanel(SimulatedPanel())
    try:
        panel.press(0)
        for count in (1, 2):
            agent = Agent()
            buttons = DRIVER.open(config(port=panel.path))
            assert isinstance(buttons, FirmwareButtons)
            buttons.start(agent)
            agent.wait(1)
            panel.press(5)
            agent.wait(2)
            assert agent.pressed == ["pharmacy", "cashier"]
            _until_kept(panel, 0)
            buttons.close()
            panel.press(0)
            assert panel.kept == 1, f"nobody listens after round {count}"
    finally:
        panel.close()


def _until_kept(panel: PtyPanel, count: int) -> None:
    waiting = threading.Event()
    for _ in range(500):
        if panel.kept == count:
            return
        waiting.wait(0.01)
    raise AssertionError(f"the panel keeps {panel.kept} presses")


def test_a_button_without_a_name_is_passed_over_and_acknowledged() -> None:
    panel = PtyPanel(SimulatedPanel())
    agent = Agent()
    buttons = DRIVER.open(config(port=panel.path))
    try:
        buttons.start(agent)  # type: ignore[union-attr]
        panel.press(3)
        panel.press(0)
        agent.wait(1)
        _until_kept(panel, 0)
        assert agent.pressed == ["pharmacy"]
    finally:
        buttons.close()
        panel.close()


def test_a_panel_with_another_id_or_newer_protocol_is_refused_with_a_remedy() -> None:
    for fields, speaks, remedy in (
        ({"panel": "0011223344556677"}, (1, 1), "check which cable is where"),
        ({}, (2, 2), "update this program"),
    ):
        panel = PtyPanel(SimulatedPanel(speaks=speaks))
        buttons = DRIVER.open(config(port=panel.path, **fields))
        try:
            with pytest.raises(SensorError, match=remedy):
                buttons.start(Agent())  # type: ignore[union-attr]
        finally:
            buttons.close()
            panel.close()


def test_a_port_where_nobody_answers_says_what_to_check() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    buttons = FirmwareButtons(config(port=path), lambda: SerialTransport(path), time.monotonic_ns, answer_s=0.2)
    try:
        with pytest.raises(SensorError, match="no panel answers on the port: check its power"):
            buttons.start(Agent())  # type: ignore[union-attr]
    finally:
        buttons.close()
        os.close(master)
        os.close(slave)


def test_the_twin_presses_by_itself_when_asked() -> None:
    agent = Agent()
    buttons = SimulatedButtons(config(press_every_s=0.1), 3)
    buttons.start(agent)
    agent.wait(6)
    buttons.close()

    assert set(agent.pressed) == {"pharmacy", "cashier"}


def test_an_unknown_button_of_the_twin_is_named() -> None:
    buttons = SimulatedButtons(config(), 1)
    with pytest.raises(LookupError, match="no button 'kitchen'; there are: pharmacy, cashier"):
        buttons.press("kitchen")
    buttons.close()
