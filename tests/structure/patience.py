"""Where does a test give up too soon? On a machine whose cores are busy, half a minute is not long.

A wait ends as soon as what is waited for is there, so that patience costs nothing where all is well.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from tests.structure.rules import scoped
from tests.structure.sources import Finding, Source

LEAST_SECONDS = 30

_LIMITS = {"timeout", "patience", "within", "timeout_seconds", "patience_seconds"}
"""What parameters are called that say how long is waited."""
_PLACES = {"timeout": 0, "wait_for": 1, "wait": 0, "join": 0, "result": 0, "to_thread": 1}
"""Calls whose argument at this place says so."""
_CLIENTS = {"AsyncClient", "Client"}
_CLOCKS = {"monotonic", "perf_counter"}
_DURATIONS = {"seconds", "elapsed", "took"}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: float.__add__,
    ast.Sub: float.__sub__,
    ast.Mult: float.__mul__,
    ast.Div: float.__truediv__,
}

Numbers = Mapping[str, float]
"""What the constants of a file are."""


def impatience(source: Source) -> Iterator[Finding]:
    """What waits for less than half a minute, or must not take longer; says in which function."""
    numbers = _constants(source.tree)
    for scope, node in scoped(source.tree):
        for limit in _limits(node, numbers):
            # To look once is not to wait.
            if 0 < limit < LEAST_SECONDS:
                yield source.finding(node, f"{scope} waits for {limit:g} s alone")
        if isinstance(node, ast.Call) and _is_client_by_default(node):
            yield source.finding(node, f"{scope} makes a client that waits for 5 s alone: say how long")
        if isinstance(node, ast.keyword) and _hurries_examples(node):
            yield source.finding(node, f"{scope} wants examples to be made or tried in a given time")


def _limits(node: ast.AST, numbers: Numbers) -> Iterator[float]:
    if isinstance(node, ast.Call):
        yield from _limits_of_call(node, numbers)
    elif isinstance(node, ast.arguments):
        yield from _defaults(node, numbers)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and _asks_the_clock(node):
        yield from _known([node.left, node.right], numbers)
    elif isinstance(node, ast.Compare) and _is_duration(node) and isinstance(node.ops[0], ast.Lt | ast.LtE):
        yield from _known(node.comparators, numbers)
    elif isinstance(node, ast.Assign | ast.AnnAssign) and "PATIENCE" in ast.unparse(node).partition("=")[0]:
        yield from _known([node.value], numbers)


def _limits_of_call(call: ast.Call, numbers: Numbers) -> Iterator[float]:
    yield from _known([keyword.value for keyword in call.keywords if keyword.arg in _LIMITS], numbers)
    place = _PLACES.get(_name(call.func))
    if place is not None:
        yield from _known(call.args[place : place + 1], numbers)


def _defaults(given: ast.arguments, numbers: Numbers) -> Iterator[float]:
    positional = [*given.posonlyargs, *given.args]
    pairs = chain(
        zip(positional[len(positional) - len(given.defaults) :], given.defaults, strict=True),
        zip(given.kwonlyargs, given.kw_defaults, strict=True),
    )
    yield from _known([default for argument, default in pairs if argument.arg in _LIMITS], numbers)


def _is_client_by_default(call: ast.Call) -> bool:
    given = {keyword.arg for keyword in call.keywords}
    return _name(call.func) in _CLIENTS and bool(given) and not given & {"timeout", "transport"}


def _hurries_examples(setting: ast.keyword) -> bool:
    said = ast.unparse(setting.value)
    if setting.arg == "suppress_health_check":
        return "too_slow" not in said
    return setting.arg == "deadline" and said != "None"


def _is_duration(comparison: ast.Compare) -> bool:
    return _asks_the_clock(comparison) or _name(comparison.left) in _DURATIONS


def _asks_the_clock(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Call) and _name(part.func) in _CLOCKS for part in ast.walk(node))


def _known(values: list[ast.expr | None] | list[ast.expr], numbers: Numbers) -> Iterator[float]:
    for value in values:
        number = None if value is None else _number(value, numbers)
        if number is not None:
            yield number


def _number(value: ast.expr, numbers: Numbers) -> float | None:
    """What an expression of constants is; None where it takes running the code to know."""
    if isinstance(value, ast.Constant):
        known = isinstance(value.value, int | float) and not isinstance(value.value, bool)
        return float(value.value) if known else None
    if isinstance(value, ast.Name):
        return numbers.get(value.id)
    if isinstance(value, ast.BinOp) and type(value.op) in _ARITHMETIC:
        left, right = _number(value.left, numbers), _number(value.right, numbers)
        return None if left is None or right is None else _ARITHMETIC[type(value.op)](left, right)
    return None


def _constants(tree: ast.Module) -> Numbers:
    numbers: dict[str, float] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            number = _number(node.value, numbers)
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            numbers |= {one.id: number for one in targets if isinstance(one, ast.Name) and number is not None}
    return numbers


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
