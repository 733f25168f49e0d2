"""What if commands work on what one service alone has? They are imported when somebody asks for one of them.

A service's image has the libraries of that service: its other commands must not fall over those of auth.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

from fillstream.cli.shell import fail

if TYPE_CHECKING:
    from typer._click.core import Command, Context  # what Typer's own groups are written with has no public name


def deferred(module: str, purpose: str) -> typer.Typer:
    """The commands of `app` in a module of this package, imported at their first use; `purpose` is their help."""

    class Deferred(TyperGroup):
        def list_commands(self, ctx: Context) -> list[str]:
            return _loaded(module).list_commands(ctx)

        def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
            return _loaded(module).get_command(ctx, cmd_name)

    return typer.Typer(cls=Deferred, no_args_is_help=True, help=purpose)


def _loaded(module: str) -> TyperGroup:
    try:
        found = importlib.import_module(f"fillstream.cli.{module}")
    except ModuleNotFoundError as error:
        fail(f"{error.name} is not there: run this in the image of all services, or in that of auth")
    return typer.main.get_group(found.app)
