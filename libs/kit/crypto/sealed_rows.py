"""What is the SQL of sealed columns? Rows that an older key sealed, locked in small batches, and sealed anew."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from libs.kit.crypto.keyring import HEADER_BYTES, header_of
from libs.kit.crypto.places import SealedTable
from libs.kit.db import Tx


@dataclass(frozen=True, slots=True)
class SealedRow:
    """The sealed values of one row, in the order of its table's columns."""

    row: UUID
    values: tuple[bytes | None, ...] = field(repr=False)


async def lock_stale(
    tx: Tx, table: SealedTable, tenant_id: UUID, retired: Collection[UUID], after: UUID, limit: int
) -> Sequence[SealedRow]:
    """The next rows of a workspace with a value that a retired key sealed, but those that others have locked.

    To skip them is to wait for nobody: writers and a rotation can't wait for each other.
    """
    columns = ", ".join(f'"{column}"' for column in table.columns)
    rows = await tx.fetch(
        f'SELECT "{table.row}", {columns} FROM {_name(table)} WHERE tenant_id = $1 AND "{table.row}" > $3 '
        f'AND ({_is_sealed_by(table)}) ORDER BY "{table.row}" LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED',
        tenant_id,
        _headers(retired),
        after,
        limit,
    )
    return [SealedRow(row[0], tuple(row[1:])) for row in rows]


async def any_stale(tx: Tx, table: SealedTable, tenant_id: UUID, retired: Collection[UUID]) -> bool:
    """Whether a workspace has a value that a retired key sealed."""
    rows = await tx.fetch(
        f"SELECT EXISTS (SELECT FROM {_name(table)} WHERE tenant_id = $1 AND ({_is_sealed_by(table)}))",
        tenant_id,
        _headers(retired),
    )
    return bool(rows[0][0])


async def count_lost(tx: Tx, table: SealedTable, tenant_id: UUID, known: Collection[UUID]) -> int:
    """How many rows of a workspace have a value that none of its keys sealed: theirs was destroyed."""
    rows = await tx.fetch(
        f"SELECT count(*) FROM {_name(table)} WHERE tenant_id = $1 AND ({_is_sealed_by_others(table)})",
        tenant_id,
        _headers(known),
    )
    return int(rows[0][0])


async def reseal(tx: Tx, table: SealedTable, tenant_id: UUID, rows: Sequence[SealedRow]) -> None:
    """Write the values of rows that this transaction has locked; nothing else of a row changes, its version neither."""
    names = [f"c{number}" for number in range(len(table.columns))]
    changes = ", ".join(f'"{column}" = new.{name}' for column, name in zip(table.columns, names, strict=True))
    arrays = ", ".join(f"${number + 3}::bytea[]" for number in range(len(names)))
    await tx.fetch(
        f"UPDATE {_name(table)} AS old SET {changes} FROM unnest($2::uuid[], {arrays}) AS new (row, {', '.join(names)}) "
        f'WHERE old.tenant_id = $1 AND old."{table.row}" = new.row',
        tenant_id,
        [row.row for row in rows],
        *(list(column) for column in zip(*(row.values for row in rows), strict=True)),
    )


def _name(table: SealedTable) -> str:
    return f'{table.schema}."{table.name}"'


def _headers(keys: Collection[UUID]) -> list[bytes]:
    return [header_of(key) for key in keys]


def _is_sealed_by(table: SealedTable) -> str:
    # NULL stays NULL, and nothing sealed it.
    headers = (f'substring("{column}" FROM 1 FOR {HEADER_BYTES})' for column in table.columns)
    return " OR ".join(f"{header} = ANY($2::bytea[])" for header in headers)


def _is_sealed_by_others(table: SealedTable) -> str:
    headers = (f'substring("{column}" FROM 1 FOR {HEADER_BYTES})' for column in table.columns)
    return " OR ".join(f"{header} <> ALL($2::bytea[])" for header in headers)
