"""Is who was erased gone? Each context has said what it erased and what it keeps; its tables say the same."""

from __future__ import annotations

from collections.abc import Iterator

from tests.proof.invariants.evidence import Answer, Evidence
from tests.proof.invariants.tables import Table, of_contexts
from tests.proof.invariants.violation import Invariant


async def what_was_erased_is_gone(evidence: Evidence) -> list[str]:
    """No row of an erased person's workspaces is in a table that its context has erased them from."""
    return [
        f"{table} has {rows} rows of {sorted(map(str, answer.workspaces))}, which {answer.context} erased"
        for answer in evidence.answers
        for table in _tables(evidence, answer)
        if table.name in answer.erased and (rows := await _rows(evidence, table, answer))
    ]


async def what_was_kept_is_there(evidence: Evidence) -> list[str]:
    """Of an erased person's workspaces there are at least as many rows as their context has said that it keeps."""
    return [
        f"{table} has {rows} rows of {sorted(map(str, answer.workspaces))}, of {answer.kept[table.name]} kept"
        for answer in evidence.answers
        for table in _tables(evidence, answer)
        if table.name in answer.kept and (rows := await _rows(evidence, table, answer)) < answer.kept[table.name]
    ]


def _tables(evidence: Evidence, answer: Answer) -> Iterator[Table]:
    for table in (*of_contexts(evidence.tables), *(one for one in evidence.tables if one.name == "idempotency_key")):
        if table.schema == answer.context and table.is_uuid("tenant_id"):
            yield table


async def _rows(evidence: Evidence, table: Table, answer: Answer) -> int:
    count: int = await evidence.database.fetchval(
        f"SELECT count(*) FROM {table} WHERE tenant_id = ANY($1::uuid[])", list(answer.workspaces)
    )
    return count


INVARIANTS = (Invariant(what_was_erased_is_gone), Invariant(what_was_kept_is_there))
