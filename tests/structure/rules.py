"""Which rules can be read off the code? Each checker is one function from a file to the places that break it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from tests.structure.sources import Finding, Source

Checker = Callable[[Source], Iterator[Finding]]

_STATEMENTS = {"select", "insert", "update", "delete", "union", "union_all", "exists", "text", "literal_column"}
_SQL = re.compile(
    r"\b(SELECT\b.*\bFROM|INSERT\s+INTO|UPDATE\b.*\bSET|DELETE\s+FROM|(CREATE|ALTER|DROP)\s+(TABLE|INDEX|ROLE))\b",
    re.DOTALL,
)
_QUERIES = {"fetch", "execute", "scalar", "scalars"}
_ENGINES = {"create_engine", "create_async_engine", "engine_from_config", "async_engine_from_config", "create_pool"}
_CLOCKS = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {"time", "time_ns", "gmtime", "localtime"},
}
_BROAD = {"Exception", "BaseException"}
_NAMELESS = {"utils", "util", "helpers", "helper", "base", "common", "misc"}


def commits(source: Source) -> Iterator[Finding]:
    """Only the kit ends transactions."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _attribute(node.func) in {"commit", "rollback"}:
            yield source.finding(node, f"calls {_attribute(node.func)}(): only the kit ends a transaction")


def sql(source: Source) -> Iterator[Finding]:
    """SQL stands in `repository` and `queries` alone; `model` may say it inside of its mapping."""
    texts = _documentation(source.tree)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            names = {alias.name for alias in node.names} & _STATEMENTS
            if source.room == "model":
                names -= {"text"}  # the condition of a partial index
            if names:
                yield source.finding(node, f"imports {', '.join(sorted(names))} from SQLAlchemy")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in texts:
            if _SQL.search(node.value):
                yield source.finding(node, "holds SQL")
        elif isinstance(node, ast.Call) and _attribute(node.func) in _QUERIES and _owner(node.func) == "tx":
            yield source.finding(node, f"runs a statement by tx.{_attribute(node.func)}()")


def engines(source: Source) -> Iterator[Finding]:
    """Only the kit builds engines and pools."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and (_attribute(node.func) or _name(node.func)) in _ENGINES:
            yield source.finding(node, "builds an engine or a pool")


def connections(source: Source) -> Iterator[Finding]:
    """Services get their connections from the kit."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and (_owner(node.func), _attribute(node.func)) == ("asyncpg", "connect"):
            yield source.finding(node, "connects to the database by itself")


def wall_clock(source: Source) -> Iterator[Finding]:
    """Time comes in from outside, so that everything can be replayed."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in _CLOCKS.get(_owner(node) or "", ()):
            yield source.finding(node, f"looks at the clock by {_owner(node)}.{node.attr}")
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            if names & _CLOCKS.get(node.module or "", set()) and node.module == "time":
                yield source.finding(node, "imports the clock")
            if "utc_now" in names:
                yield source.finding(node, "imports the kit's clock")


def floats(source: Source) -> Iterator[Finding]:
    """No binary fraction comes near money."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id == "float":
            yield source.finding(node, "uses float")
        elif isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield source.finding(node, f"writes {node.value} as a float")


def broad_excepts(source: Source) -> Iterator[Finding]:
    """What catches everything and neither raises it again nor lets through all but outages; says in which function."""
    for scope, node in scoped(source.tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _lets_through(node):
            yield source.finding(node, f"{scope} catches everything")
        elif isinstance(node, ast.Call) and _suppresses_everything(node):
            yield source.finding(node, f"{scope} suppresses everything")


def undocumented(source: Source) -> Iterator[Finding]:
    """Public things and modules have a docstring."""
    if ast.get_docstring(source.tree) is None:
        yield source.finding(source.tree, "the module has no docstring")
    for node in _public(source.tree):
        if ast.get_docstring(node) is None:
            yield source.finding(node, f"{node.name} has no docstring")


def nameless(source: Source) -> Iterator[Finding]:
    """No file is called after the lack of an idea."""
    for part in source.path.removesuffix(".py").split("/"):
        if part.strip("_") in _NAMELESS:
            yield source.finding(source.tree, f"{part} says nothing about what is in it")


def _attribute(node: ast.expr) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else None


def _name(node: ast.expr) -> str | None:
    return node.id if isinstance(node, ast.Name) else None


def _owner(node: ast.expr) -> str | None:
    """`b` of `a.b.c` and of `b.c`."""
    return _attribute(node.value) or _name(node.value) if isinstance(node, ast.Attribute) else None


def _documentation(tree: ast.Module) -> set[ast.AST]:
    """Texts that stand alone: docstrings of modules, classes, functions and fields."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _is_broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or _name(kind) in _BROAD for kind in kinds)


def _suppresses_everything(call: ast.Call) -> bool:
    name = _attribute(call.func) or _name(call.func)
    return name == "suppress" and any(_name(argument) in _BROAD for argument in call.args)


def _lets_through(handler: ast.ExceptHandler) -> bool:
    """Whether it ends with `raise`."""
    return isinstance(handler.body[-1], ast.Raise)


def scoped(tree: ast.AST, scope: str = "the module") -> Iterator[tuple[str, ast.AST]]:
    """Every node of a file with the function or class that it stands in."""
    for node in ast.iter_child_nodes(tree):
        yield scope, node
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else None
        yield from scoped(node, scope if inner is None else inner)


def _public(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public functions, classes and methods, but not what is inside of functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)
