"""`python -m edge run FILE` runs the agent of a site file; `check-config FILE` says what it would, or what is wrong."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from edge import config
from edge.config import ConfigError, Site

OK, CANNOT_START, WRONG_CONFIG = 0, 1, 2


def main() -> int:
    """The command line. Exit status 2: the site file is wrong; 1: it is right and the agent cannot start now."""
    parser = argparse.ArgumentParser(prog="python -m edge", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, says in (("run", "run the agent"), ("check-config", "check a site file; nothing is connected or opened")):
        commands.add_parser(name, help=says).add_argument("file", type=Path, help="the site file (TOML)")
    asked = parser.parse_args()
    try:
        if asked.command == "check-config":
            print(described(config.load(asked.file)))
            return OK
        return _run(asked.file)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_CONFIG


def described(site: Site) -> str:
    """What an agent with this site file would run, for a person."""
    lines = [
        f"device {site.agent.device} at site {site.agent.site}, state in {site.path(site.agent.state_dir)}",
        f"broker {site.mqtt.host}:{site.mqtt.port} {'with' if site.mqtt.ca_file else 'without'} TLS",
    ]
    for unit in site.units:
        how = "its simulated twin" if unit.simulated else "made up" if unit.kind.made_up else "the hardware"
        pace = "presses" if config.reports_presses(unit.kind) else f"every {unit.interval_s:g} s"
        lines.append(f"{unit.name}: {unit.driver}, {how}, {pace}")
    return "\n".join([*lines, "the site file is right"])


def _run(path: Path) -> int:
    from edge import main as agent  # noqa: PLC0415 a check needs neither paho nor SQLite

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        return agent.run(path)
    except agent.CannotStart as error:
        print(f"{path}: {error}", file=sys.stderr)
        return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
