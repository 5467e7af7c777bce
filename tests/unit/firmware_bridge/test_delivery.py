"""P1, P2: over a cable that drops, flips, splits and delays, with hosts that are killed and cables that are pulled."""

from __future__ import annotations

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from firmware_bridge.device_sim import SimulatedPanel
from firmware_bridge.transport import Cable
from tests.unit.firmware_bridge.world import MS, World

BAD = Cable(drop=0.004, flip=0.004, split=9, delay_s=0.02)


def check(world: World) -> None:
    """Every press exactly once, in order, with a time that is as good as it says."""
    assert world.numbers() == list(range(1, len(world.pressed_ns) + 1))
    for event, true_ns in zip(world.stored, world.pressed_ns, strict=True):
        assert abs(event.time.at_ns - true_ns) <= event.time.uncertainty_ns


class Deliveries(RuleBasedStateMachine):
    @initialize(
        seed=st.integers(0, 1000),
        started_ms=st.sampled_from([0, 2**32 - 3000]),
        rate=st.sampled_from([0.997, 1, 1.003]),
    )
    def begin(self, seed: int, started_ms: int, rate: float) -> None:
        self.world = World(SimulatedPanel(started_ms=started_ms, rate=rate, ring=64), BAD, seed=seed)

    @rule(button=st.integers(0, 7))
    def press(self, button: int) -> None:
        self.world.press(button)

    @rule(ms=st.integers(10, 3000))
    def time_passes(self, ms: int) -> None:
        self.world.run(ms)

    @rule()
    def kill(self) -> None:
        self.world.start_host()

    @rule()
    def kill_between_storing_and_accepting(self) -> None:
        self.world.dies_before_accepting = True

    @rule()
    def pull(self) -> None:
        self.world.pull()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()
            check(self.world)


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=25, stateful_step_count=20, deadline=None, derandomize=True)


def test_p1_p2_a_thousand_presses_arrive_once_and_in_order_while_hosts_are_killed_and_cables_pulled() -> None:
    rng = random.Random(11)
    world = World(SimulatedPanel(rate=1.0005), BAD, seed=11)
    while len(world.pressed_ns) < 1000:
        world.press(rng.randrange(8))
        world.run(rng.randrange(20, 400))
        match rng.randrange(40):
            case 0:
                world.start_host()
            case 1:
                world.dies_before_accepting = True
            case 2:
                world.pull()
    world.settle()

    check(world)
    assert sum(world.session.receiver.faults.values()) > 0, "the cable was bad"
    errors_ms = [
        abs(event.time.at_ns - true_ns) / MS for event, true_ns in zip(world.stored, world.pressed_ns, strict=True)
    ]
    assert sorted(errors_ms)[len(errors_ms) * 99 // 100] < 25, "of 20 ms of delay each way and steps of 10 ms"
