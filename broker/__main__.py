"""`python -m broker serve | render | docs`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from broker import accounts, docs, mosquitto
from broker.accounts import AccountsError
from broker.listener import Listener, ServeError, check

BAD_SETTING = 2
"""Exit code when the command has to be changed, and trying again cannot help."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="broker: %(levelname)s %(name)s: %(message)s")
    try:
        return int(options.run(options))
    except (ServeError, AccountsError) as error:
        print(f"broker: {error}", file=sys.stderr)
        return BAD_SETTING
    except OSError as error:
        print(f"broker: {error}", file=sys.stderr)
        return 1


def _serve(options: argparse.Namespace) -> int:
    listener, directory = _listener(options), options.dir
    binary = mosquitto.find() if options.engine != "amqtt" else None
    if options.engine == "mosquitto" and binary is None:
        raise ServeError("Mosquitto is not installed: `apt install mosquitto`, or take --engine amqtt")
    accounts.load(directory / accounts.FILE)
    check(listener)
    name = f"Mosquitto ({binary})" if binary else "amqtt, in process"

    def announce() -> None:
        print(f"broker: {name} listens on {listener}, accounts from {directory / accounts.FILE}", flush=True)

    if binary:
        return mosquitto.serve(binary, listener, directory, announce)
    from broker import embedded  # noqa: PLC0415 - amqtt costs memory and start time, and Mosquitto needs none of it

    return embedded.serve(listener, directory, announce)


def _render(options: argparse.Namespace) -> int:
    listed = accounts.load(options.dir / accounts.FILE)
    conf = mosquitto.render(_listener(options), options.dir, listed.values())
    print(f"broker: rendered for {len(listed)} accounts; run: mosquitto -c {conf}")
    return 0


def _docs(options: argparse.Namespace) -> int:
    page = docs.topics_page()
    if not options.check:
        options.out.write_text(page, encoding="utf-8")
    elif not options.out.exists() or options.out.read_text(encoding="utf-8") != page:
        print(f"broker: {options.out} is not what the contract says: run `python -m broker docs`", file=sys.stderr)
        return 1
    return 0


def _listener(options: argparse.Namespace) -> Listener:
    cert, key = (path.absolute() if path else None for path in (options.cert, options.key))
    return Listener(options.host, options.port, cert, key, plain_anywhere=options.allow_plain)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m broker", description="The MQTT broker of a node.")
    commands = parser.add_subparsers(required=True)
    serve = commands.add_parser("serve", help="run the broker: Mosquitto where it is installed, else amqtt in process")
    serve.add_argument("--engine", choices=("auto", "mosquitto", "amqtt"), default="auto")
    serve.set_defaults(run=_serve)
    render = commands.add_parser("render", help="write Mosquitto's configuration, ACL and passwords, and run nothing")
    render.set_defaults(run=_render)
    page = commands.add_parser("docs", help="write docs/topics.md from the contract")
    page.add_argument("--check", action="store_true", help="write nothing; exit code 1 when the page is out of date")
    page.add_argument("--out", type=Path, default=Path("docs/topics.md"))
    page.set_defaults(run=_docs)
    for command in (serve, render):
        command.add_argument("--dir", type=Path, default=Path("var/broker"), help="where accounts.json is")
        command.add_argument("--host", default="127.0.0.1")
        command.add_argument("--port", type=int, default=1883)
        command.add_argument("--cert", type=Path, help="certificate chain of the broker, PEM")
        command.add_argument("--key", type=Path, help="its private key, PEM")
        command.add_argument("--allow-plain", action="store_true", help="no TLS although other machines reach it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
