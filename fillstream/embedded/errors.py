"""What can go wrong with the embedded stack, said in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from libs.kit.errors import FillstreamError


class StackError(FillstreamError):
    """The embedded stack cannot start or go on; the message is one sentence for the person at the terminal."""


@contextmanager
def said(what: str) -> Iterator[None]:
    """Turn an error of the operating system, such as a full disk, into a StackError that says what did not work."""
    try:
        yield
    except OSError as error:
        raise StackError(f"{what}: {error.strerror or error}.") from error
