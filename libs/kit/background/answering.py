"""What does a helper do? What it is asked, one thing after the other, until nobody can ask any more."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from socket import socket
from typing import BinaryIO

SIZE_BYTES = 4
"""Those before each answer, which say how long it is."""
NICENESS = 5
"""A third of others' share: of a core that two others want all of the time, a seventh. With 19 it was a hundred-and-fortieth."""


def answer() -> None:
    """Answer whoever holds the other end of standard input."""
    # Of Ctrl-C in a terminal every process hears; ours ends with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket(fileno=sys.stdin.fileno()) as line, line.makefile("rb") as questions:
        while (answered := _answered(questions)) is not None:
            line.sendall(len(answered).to_bytes(SIZE_BYTES) + answered)
            let_others_go_first()


def let_others_go_first() -> None:
    """Not before the first answer, for which it had to start and to import, and somebody has waited for all of that.

    Never above whoever started it: that takes rights.
    """
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(mine, NICENESS))


def _answered(questions: BinaryIO) -> bytes | None:
    """A pickled pair of what was done and why it failed, or None when there is nobody to ask."""
    try:
        work, arguments = pickle.load(questions)  # noqa: S301 from our parent, over a line that nobody else holds
    except EOFError:
        return None
    try:
        return pickle.dumps((work(*arguments), None))
    except Exception as error:  # noqa: BLE001 whoever asked is told
        return pickle.dumps((None, error))
