"""Which documents does the code write of itself?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from fillstream.catalogue import write
from fillstream.contexts import load_all
from fillstream.openapi import merged_document


def openapi() -> None:
    """Print the OpenAPI document of all services."""
    typer.echo(json.dumps(merged_document(load_all()), indent=2))


def catalogue(folder: Annotated[Path, typer.Argument()] = Path("docs")) -> None:
    """Write the event catalogue and the AsyncAPI document into a folder."""
    for path in write(folder, load_all()):
        typer.echo(path)
