"""What is the SQL of what is held about somebody? Rows as JSON for them to read, deleted, or without their words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Column, LargeBinary, Numeric, Table

from libs.kit.crypto.keyring import Keyring, Unsealable
from libs.kit.crypto.places import Place, SealedTable, sealed_tables
from libs.kit.db import Tx
from libs.kit.logging import logger
from libs.kit.personal_data.holdings import Kept, Personal, Subject

log = logger(__name__)

ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Lines:
    """Some rows of a table as JSON Lines (UTF-8)."""

    rows: int
    text: bytes


async def lines(
    tx: Tx, table: Table, holding: Personal, subject: Subject, keyrings: Mapping[UUID, Keyring]
) -> AsyncIterator[Lines]:
    """The rows that are somebody's. Amounts are texts, as everywhere; what is sealed is opened, where it is not withheld.

    Raises KeyError when a sealed row's workspace has no keyring among these.
    """
    sealed = _sealed(table, holding)
    shown = [column for column in table.columns if column.name not in holding.withheld | set(sealed.columns)]
    plain = ", ".join(f"{_value(column)} AS {_quoted(column.name)}" for column in shown)
    extra = "".join(f", t.{_quoted(name)}" for name in (sealed.row, "tenant_id", *sealed.columns) if sealed.columns)
    cursor = await tx.driver.cursor(
        f"SELECT (SELECT row_to_json(r)::text FROM (SELECT {plain}) r){extra} "
        f"FROM {_name(table)} t WHERE {_whose(holding)} ORDER BY {_order(table)}",
        subject.ids,
    )
    while rows := await cursor.fetch(ROWS_AT_ONCE):
        texts = [_line(sealed, tuple(row), keyrings) for row in rows]
        yield Lines(len(texts), b"".join(texts))


def _line(sealed: SealedTable, row: tuple[object, ...], keyrings: Mapping[UUID, Keyring]) -> bytes:
    text = str(row[0])
    if sealed.columns:
        _, row_id, tenant_id, *values = row
        if not isinstance(row_id, UUID) or not isinstance(tenant_id, UUID):
            raise TypeError(f"a row of {sealed.name} has no place")
        ring = keyrings[tenant_id]
        opened = {
            name: _opened(ring, sealed.place(name, row_id), value) if isinstance(value, bytes) else None
            for name, value in zip(sealed.columns, values, strict=True)
        }
        # As text: what PostgreSQL wrote stays as it is, to the last digit.
        text = f"{text[:-1]},{json.dumps(opened, ensure_ascii=False)[1:]}"
    return text.encode() + b"\n"


def _opened(ring: Keyring, place: Place, value: bytes) -> str:
    try:
        return ring.open(value, place).decode()
    except Unsealable as error:
        # Whoever asks is given all the rest, and told that there is something that nobody can read.
        log.exception("sealed_value_unreadable", error=str(error))
        return "(unreadable)"


def _sealed(table: Table, holding: Personal) -> SealedTable:
    """What is to be opened of a table; no columns where there is nothing."""
    found = [one for one in sealed_tables(table.metadata) if one.name == table.name]
    columns = tuple(name for one in found for name in one.columns if name not in holding.withheld)
    return SealedTable(table.schema or "", table.name, found[0].row if found else "", columns)


def _value(column: Column[object]) -> str:
    name = f"t.{_quoted(column.name)}"
    if isinstance(column.type, Numeric):
        return f"{name}::text"
    return f"encode({name}, 'base64')" if isinstance(column.type, LargeBinary) else name


async def count(tx: Tx, table: Table, holding: Personal, subject: Subject) -> int:
    """How many rows are somebody's."""
    rows = await tx.fetch(f"SELECT count(*) FROM {_name(table)} t WHERE {_whose(holding)}", subject.ids)
    return int(rows[0][0])


async def delete(tx: Tx, table: Table, holding: Personal, subject: Subject) -> int:
    """Delete the rows that are somebody's; gives how many."""
    rows = await tx.fetch(
        f"WITH gone AS (DELETE FROM {_name(table)} t WHERE {_whose(holding)} RETURNING 1) SELECT count(*) FROM gone",
        subject.ids,
    )
    return int(rows[0][0])


async def blank(tx: Tx, table: Table, holding: Kept, subject: Subject) -> None:
    """Take out of somebody's rows what they wrote in their own words; their locks are held until the transaction ends."""
    # In one order, as all who lock several rows of a table.
    await tx.fetch(
        f"SELECT FROM {_name(table)} t WHERE {_whose(holding)} ORDER BY {_order(table)} FOR UPDATE", subject.ids
    )
    changes = ", ".join(f"{_quoted(name)} = ${number}" for number, name in enumerate(holding.blanked, start=2))
    await tx.fetch(
        f"UPDATE {_name(table)} t SET {changes} WHERE {_whose(holding)}", subject.ids, *holding.blanked.values()
    )


def _whose(holding: Personal) -> str:
    return "(" + " OR ".join(f"t.{_quoted(name)} = ANY($1::uuid[])" for name in holding.owners) + ")"


def _order(table: Table) -> str:
    return ", ".join(f"t.{_quoted(column.name)}" for column in table.primary_key.columns)


def _name(table: Table) -> str:
    return f"{table.schema}.{_quoted(table.name)}"


def _quoted(name: str) -> str:
    return f'"{name}"'
