"""Where does a secret live? In a column that is marked as sealed, in one row, which is bound to what is sealed there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from sqlalchemy import Column, LargeBinary, MetaData, Table
from sqlalchemy.orm import mapped_column

from libs.kit.errors import Fatal

_MARK = "sealed"

Sealed = Annotated[bytes, mapped_column(LargeBinary, info={_MARK: True})]
"""The type of a mapped column that holds what a keyring sealed: `secret: Mapped[Sealed]`.

Its table has a `tenant_id` and one more column in its primary key or instead of it, a UUID: the row of its places.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A column of a row, in the tenant and the context of the keyring. `row` is the UUID of the primary key."""

    table: str
    column: str
    row: UUID

    def __str__(self) -> str:
        return f"{self.table}.{self.column} of {self.row}"


class Unmarkable(Fatal):
    """A table can't have sealed columns, since its rows have no single UUID beside the tenant."""


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table with sealed columns. `row` is the name of the column that tells its places apart."""

    schema: str
    name: str
    row: str
    columns: tuple[str, ...]

    def place(self, column: str, row: UUID) -> Place:
        """Where the secret of one column in one row lives."""
        return Place(self.name, column, row)


def sealed_tables(metadata: MetaData) -> list[SealedTable]:
    """The tables of a context that hold secrets. Raises Unmarkable for one whose rows can't be told apart."""
    return list(_sealed(metadata))


def _sealed(metadata: MetaData) -> Iterator[SealedTable]:
    for table in metadata.sorted_tables:
        columns = tuple(column.name for column in table.columns if column.info.get(_MARK))
        if columns:
            yield SealedTable(table.schema or "", table.name, _row_of(table).name, columns)


def _row_of(table: Table) -> Column[object]:
    rows = [column for column in table.primary_key.columns if column.name != "tenant_id"]
    if len(rows) != 1 or rows[0].type.python_type is not UUID or "tenant_id" not in table.columns:
        raise Unmarkable(f"{table.fullname} has sealed columns: it needs a tenant_id and one UUID that names a row")
    return rows[0]
