"""What does a context hold? It says of each of its tables whether that is personal, and what an erasure leaves of it.

Holding
├── Erased         the rows go
├── Anonymised     the rows stay, since others refer to them, but say nothing of anybody; the context does it itself
├── Kept           the rows stay, because the law says so
├── Logged         the same of what is only ever dropped whole: too much to be counted, or given out
└── NotPersonal    the rows are about nobody
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import MetaData, Table

from libs.kit.errors import Fatal

_YEAR = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Ground:
    """What in law allows or demands that something is kept, and for how long from the erasure on."""

    law: str
    kept_for: timedelta


TRADING_RECORDS = Ground(
    "records of orders and transactions: Directive 2014/65/EU (MiFID II), Art. 16(6) and (7), 5 to 7 years; "
    "GDPR, Art. 17(3)(b)",
    7 * _YEAR,
)
TAX_RECORDS = Ground("accounts for tax authorities, up to 10 years by national law; GDPR, Art. 17(3)(b)", 10 * _YEAR)
LEGAL_CLAIMS = Ground("the audit trail, to establish and defend legal claims: GDPR, Art. 17(3)(e)", 7 * _YEAR)
ACCOUNTABILITY = Ground("proof that the erasure was done: GDPR, Art. 5(2)", 7 * _YEAR)


@dataclass(frozen=True, slots=True)
class Erased:
    """The rows are deleted. A row is somebody's when one of `owners` is them, or a workspace of theirs alone."""

    owners: tuple[str, ...] = ("tenant_id",)
    withheld: frozenset[str] = frozenset()
    """Columns that nobody is given: secrets, and what is good for nothing but to check them."""


@dataclass(frozen=True, slots=True)
class Anonymised:
    """The rows stay, and the context's own code takes everything personal out of them."""

    owners: tuple[str, ...] = ("tenant_id",)
    withheld: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Kept:
    """The rows stay, but for what a person wrote into them, which the ground does not cover."""

    ground: Ground
    owners: tuple[str, ...] = ("tenant_id",)
    withheld: frozenset[str] = frozenset()
    blanked: Mapping[str, str] = field(default_factory=dict)
    """Columns that a person wrote in their own words, and what is there instead after an erasure."""


@dataclass(frozen=True, slots=True)
class Logged:
    """Messages that go as a whole when they are as old as the installation's retention says."""

    law: str


@dataclass(frozen=True, slots=True)
class NotPersonal:
    """The rows are about nobody."""

    why: str


Personal = Erased | Anonymised | Kept
Holding = Personal | Logged | NotPersonal

_MESSAGES: Mapping[str, Holding] = MappingProxyType({
    "outbox": NotPersonal("messages on their way to event_log, where they are within moments"),
    "event_log": Logged(
        "messages as they were told, here and in the broker's topics, to establish and defend legal claims: "
        "GDPR, Art. 17(3)(e); dropped a month at a time"
    ),
    "inbox": NotPersonal("ids of events that were handled"),
    "dead_letter": Logged(
        "messages that could not be handled, until an operator has resolved them: GDPR, Art. 6(1)(f); what they say is "
        "forgotten when they have been resolved for as long as messages are kept; one that nobody resolves stays longer"
    ),
    "idempotency_key": Erased(withheld=frozenset({"request_hash"})),
    "rate_limit": NotPersonal("digests of who asked, for hours"),
    "data_key": Erased(withheld=frozenset({"wrapped_key", "wrapped_by"})),
    "erased_workspace": NotPersonal("ids alone, so that nothing of an erased person's comes back"),
})  # fmt: skip


class Unsaid(Fatal):
    """Nobody has said what becomes of a table."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose data are meant: a person, and the workspaces that are theirs alone."""

    user_id: UUID
    workspace_ids: tuple[UUID, ...]

    @property
    def ids(self) -> list[UUID]:
        """All of them. No workspace has the id of a person, so that one list finds the rows of either."""
        return [self.user_id, *self.workspace_ids]


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a context holds, table by table; what the kit has made in its schema is said here already."""

    metadata: MetaData
    own: Mapping[str, Holding]

    @property
    def context(self) -> str:
        """Whose they are."""
        return self.metadata.schema or ""

    def of(self, table: Table) -> Holding:
        """What becomes of a table. Raises Unsaid."""
        said = self.own.get(table.name) or _MESSAGES.get(table.name)
        if said is None:
            raise Unsaid(f"{table.fullname} says neither that it is personal nor that it is not")
        return said

    def personal(self) -> Iterator[tuple[Table, Personal]]:
        """The tables that hold something about people, those that others refer to first. Raises Unsaid."""
        for table in self.metadata.sorted_tables:
            holding = self.of(table)
            if isinstance(holding, Erased | Anonymised | Kept):
                yield table, holding

    def logged(self) -> Iterator[tuple[Table, Logged]]:
        """The tables of messages that go as a whole. Raises Unsaid."""
        for table in self.metadata.sorted_tables:
            holding = self.of(table)
            if isinstance(holding, Logged):
                yield table, holding
