"""P1, P2 and P4 over the whole chain, with real processes: what was produced is what is stored."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

import pytest

from tests.brokers import require
from tests.chaos.storm import weather


def write_recording(path: Path, *, hours: int) -> Path:
    """A recording with gaps, for the replay driver."""
    rng = random.Random(hours)
    start = dt.datetime(2016, 12, 1, tzinfo=dt.UTC)
    lines = ["time,so2,co"]
    for hour in range(hours):
        at = (start + dt.timedelta(hours=hour)).isoformat()
        so2 = "" if rng.random() < 0.05 else f"{rng.uniform(1, 99):.1f}"
        lines.append(f"{at},{so2},{rng.uniform(100, 5000):.0f}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("engine", [pytest.param("mosquitto", marks=pytest.mark.mosquitto), "amqtt"])
def test_p1_p2_nothing_is_lost_and_nothing_is_there_twice_in_a_storm(engine: str, tmp_path: Path) -> None:
    require(engine)
    csv = write_recording(tmp_path / "past.csv", hours=500)
    verdict, storm = weather(tmp_path, engine, seed=20, seconds=30, agents=3, csv=csv, patience_s=90)
    assert verdict.faults == [], "\n".join([*verdict.faults, *storm.history])
    assert verdict.messages > 300
    assert verdict.readings > 2000
    assert verdict.presses > 20
    assert len(storm.history) > 10
