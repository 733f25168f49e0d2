"""Which commands are there?"""

from __future__ import annotations

import asyncio
import sys

import typer

from fillstream.cli import bars, dead_letters, documents, events, login, running, upkeep
from fillstream.cli.deferred import deferred
from fillstream.cli.shell import fail
from libs.kit.errors import FillstreamError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A multi-tenant, event-driven trading backend.",
)
app.command("demo")(running.demo)
app.command("up")(running.up)
app.command("serve")(running.serve)
app.command("migrate")(upkeep.migrate)
app.command("doctor")(upkeep.doctor)
app.command("maintain")(upkeep.maintain)
app.command("replay")(bars.replay)
app.add_typer(bars.app, name="bars")
app.add_typer(events.app, name="events")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(deferred("keys", "Make keys, and make them new."), name="keys")
app.add_typer(deferred("admin", "Do what only an operator may."), name="admin")
app.add_typer(deferred("users", "Work on users."), name="users")
app.command("login")(login.login)
app.command("logout")(login.logout)
app.add_typer(deferred("audit", "Look at audit trails."), name="audit")
app.add_typer(deferred("erasures", "Look at erasures of people, and begin one."), name="erasure")
app.command("openapi")(documents.openapi)
app.command("catalogue")(documents.catalogue)


def main() -> None:
    """Run the command; an error of ours is one sentence and exit code 1."""
    try:
        app()
    except FillstreamError as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except asyncio.CancelledError:
        sys.exit(143)
