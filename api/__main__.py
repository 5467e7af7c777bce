"""`python -m api`: the server's processes, and the registry's commands."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from api import commands
from api.access.registry import SCOPES
from api.config import ConfigError, Settings, load, locate
from api.errors import Problem
from api.ports import SeriesStoreError
from broker.accounts import AccountsError

Command = Callable[[Settings, argparse.Namespace], None]

WILL_NOT_HELP = 2
"""Exit status of what fails again when it is started again: a supervisor need not."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    asked = _parser().parse_args(arguments)
    os.umask(0o077)  # what the server writes is for its own user
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        run: Command = asked.run
        run(load(locate(asked.config)), asked)
    except (ConfigError, Problem, SeriesStoreError, AccountsError) as error:
        print(f"api: {error}", file=sys.stderr)
        return 1 if error.retryable else WILL_NOT_HELP
    except OSError as error:
        print(f"api: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _serve(settings: Settings, _: argparse.Namespace) -> None:
    from api.serving import serve  # noqa: PLC0415 - the registry's commands need no web server

    commands.check(settings)
    serve(settings)


def _process(module: str) -> Command:
    """The `main(settings)` of one of the other processes; it is loaded only when it is run."""

    def run(settings: Settings, _: argparse.Namespace) -> None:
        commands.check(settings)
        status = importlib.import_module(module).main(settings)
        if status:
            raise SystemExit(status)

    return run


def _check_config(settings: Settings, asked: argparse.Namespace) -> None:
    """Reaching here means that it was read."""
    print(f"{locate(asked.config)}: good; data in {settings.data_dir}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m api", description="Simpul's server.")
    parser.add_argument("--config", metavar="FILE", help="settings (TOML); default $SIMPUL_CONFIG, else ./simpul.toml")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    plain: dict[str, tuple[Command, str]] = {
        "serve": (_serve, "answer the API and the pages"),
        "ingest": (_process("api.ingest.main"), "take what devices send, and store it"),
        "worker": (_process("api.worker.main"), "carry readings into the series store, and tidy up"),
        "check-config": (_check_config, "say whether the settings can be used; touches nothing"),
    }
    for name, (run, says) in plain.items():
        subparsers.add_parser(name, help=says, description=says).set_defaults(run=run)
    for name, run, says in (
        ("init", commands.init, "make the data directory, the schema and the server's accounts; what is there stays"),
        ("migrate", commands.migrate, "bring the schema of the facts up to date"),
    ):
        parser_of = subparsers.add_parser(name, help=says, description=says)
        parser_of.add_argument("--draft", metavar="MESSAGE", help="for developers: also draft the next migration")
        parser_of.set_defaults(run=run)
    _site(subparsers.add_parser("site", help="places: add, list"))
    _device(subparsers.add_parser("device", help="agents and instruments: add, list, revoke, rotate"))
    _token(subparsers.add_parser("token", help="who may call the API and open the pages: add, list, revoke"))
    return parser


def _site(parser: argparse.ArgumentParser) -> None:
    subparsers = parser.add_subparsers(required=True, metavar="ACTION")
    add = _action(subparsers, "add", commands.site_add, "register a place")
    add.add_argument("id", help="1 to 48 of a-z, 0-9 and inner hyphens")
    _place(add)
    _if_missing(add)
    _action(subparsers, "list", commands.site_list, "id, title, latitude, longitude")


def _device(parser: argparse.ArgumentParser) -> None:
    subparsers = parser.add_subparsers(required=True, metavar="ACTION")
    add = _action(subparsers, "add", commands.device_add, "register a device; prints its password, once")
    add.add_argument("id", help="1 to 48 of a-z, 0-9 and inner hyphens; unique in the city, also its MQTT user name")
    add.add_argument("--site", required=True, help="the site it stands at")
    _place(add)
    add.add_argument(
        "--role",
        choices=("device", "sensor"),
        default="device",
        help="device: an agent of ours (default); sensor: a third party's instrument that sends SenML",
    )
    _secret_file(add)
    _if_missing(add)
    _action(subparsers, "list", commands.device_list, "id, site, role, state, last contact, title")
    revoke = _action(subparsers, "revoke", commands.device_revoke, "shut a device out; what it sent stays")
    revoke.add_argument("id")
    rotate = _action(subparsers, "rotate", commands.device_rotate, "give a device a new password; prints it, once")
    rotate.add_argument("id")
    _secret_file(rotate)


def _token(parser: argparse.ArgumentParser) -> None:
    subparsers = parser.add_subparsers(required=True, metavar="ACTION")
    add = _action(subparsers, "add", commands.token_add, "make a token; prints it, once")
    add.add_argument("title", help="what or whom it is for")
    add.add_argument("--scope", choices=SCOPES, default="read", help="default: read")
    add.add_argument("--site", help="only this site; default: all")
    add.add_argument("--expires", type=int, metavar="DAYS", help="default: never")
    _secret_file(add)
    _if_missing(add)
    _action(subparsers, "list", commands.token_list, "id, scope, site, state, expiry, last use, title")
    _action(subparsers, "revoke", commands.token_revoke, "end a token and its web sessions").add_argument("id")


def _action(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: Command, says: str
) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(name, help=says, description=says)
    parser.set_defaults(run=run)
    return parser


def _place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--title", help="what people call it; default: its id")
    parser.add_argument("--latitude", type=float, metavar="DEGREES", help="north, WGS 84")
    parser.add_argument("--longitude", type=float, metavar="DEGREES", help="east, WGS 84")


def _secret_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--secret-file", type=Path, metavar="PATH", help="write the secret there (0600) and not on the screen"
    )


def _if_missing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--if-missing", action="store_true", help="leave it as it is when it is there already")


if __name__ == "__main__":
    sys.exit(main())
