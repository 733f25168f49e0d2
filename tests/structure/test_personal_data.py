"""Has somebody said of every table what becomes of it when a person wants it all, or wants it gone? And is it so?"""

from __future__ import annotations

import importlib
import re
from typing import cast

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Uuid

from fillstream.contexts import load, names
from libs.kit.handlers import preparations_of
from libs.kit.personal_data.erased import take_turns
from libs.kit.personal_data.holdings import (
    TRADING_RECORDS,
    Erased,
    Holding,
    Holdings,
    Kept,
    NotPersonal,
    Personal,
    Unsaid,
)
from libs.schema.privacy import HOLDERS, DataExportRequested, UserErased

_SECRET = re.compile(r"hash|secret|token|private|wrapped|password(?!_changed)")
_OWNERS = {"tenant_id", "user_id"}


def holdings_of(name: str) -> Holdings:
    """What a context says that it holds."""
    return cast("Holdings", importlib.import_module(f"services.{name}.personal_data").HOLDINGS)


def unsaid(holdings: Holdings) -> set[str]:
    """Tables that nobody has said anything of."""
    found = set()
    for table in holdings.metadata.tables.values():
        try:
            holdings.of(table)
        except Unsaid:
            found.add(table.name)
    return found


def gone(holdings: Holdings) -> set[str]:
    """What is said of tables and columns that do not exist."""
    tables = {table.name: table for table in holdings.metadata.tables.values()}
    columns = {
        f"{name}.{column}"
        for name, holding in holdings.own.items()
        if isinstance(holding, Personal) and name in tables
        for column in {*holding.owners, *holding.withheld, *(holding.blanked if isinstance(holding, Kept) else ())}
        if column not in tables[name].columns
    }
    return columns | (set(holdings.own) - set(tables))


def owned_and_not_personal(holdings: Holdings) -> set[str]:
    """Tables that name a tenant or a person, and are said to be about nobody."""
    return {
        table.name
        for table in holdings.metadata.tables.values()
        if isinstance(holdings.of(table), NotPersonal)
        and table.name not in {"outbox", "erased_workspace"}
        and _OWNERS & {column.name for column in table.columns}
    }


def given_out(holdings: Holdings) -> set[str]:
    """Columns that look like secrets and are in an export."""
    return {
        f"{table.name}.{column.name}"
        for table, holding in holdings.personal()
        for column in table.columns
        if _SECRET.search(column.name) and column.name not in holding.withheld
    }


def torn(holdings: Holdings) -> set[str]:
    """Rows that stay and refer to rows that go: nobody could erase those."""
    going = {table.name for table, holding in holdings.personal() if isinstance(holding, Erased)}
    return {
        f"{table.name} -> {key.column.table.name}"
        for table in holdings.metadata.tables.values()
        if table.name not in going
        for key in table.foreign_keys
        if key.column.table.name in going
    }


@pytest.mark.parametrize("name", names())
def test_every_table_says_what_becomes_of_it(name: str) -> None:
    assert not unsaid(holdings_of(name))


@pytest.mark.parametrize("name", names())
def test_what_is_said_is_about_tables_and_columns_that_exist(name: str) -> None:
    assert holdings_of(name).metadata is load(name).metadata
    assert not gone(holdings_of(name))


@pytest.mark.parametrize("name", names())
def test_no_table_with_an_owner_is_said_to_be_about_nobody(name: str) -> None:
    assert not owned_and_not_personal(holdings_of(name))


@pytest.mark.parametrize("name", names())
def test_no_secret_is_given_out(name: str) -> None:
    assert not given_out(holdings_of(name))


@pytest.mark.parametrize("name", names())
def test_nothing_that_stays_refers_to_what_goes(name: str) -> None:
    assert not torn(holdings_of(name))


def test_every_context_answers_and_is_waited_for() -> None:
    answering = {name for name in names() if {DataExportRequested, UserErased} <= load(name).listens_to()}
    # Auth asks, and answers by its own tasks, which know how to open what is sealed.
    assert answering | {"auth"} == set(names()) == set(HOLDERS)


@pytest.mark.parametrize("name", names())
def test_every_certificate_says_that_messages_are_kept_and_not_counted(name: str) -> None:
    assert {table.name for table, _ in holdings_of(name).logged()} == {"event_log", "dead_letter"}


@pytest.mark.parametrize("name", names())
def test_whoever_waits_for_an_erasure_holds_nothing_else(name: str) -> None:
    context = load(name)
    before = preparations_of(context.handlers(context.settings.model_construct()))
    assert before[0] is take_turns


def a_context(**said: Holding) -> Holdings:
    metadata = MetaData(schema="probe")
    Table("thing", metadata, Column("id", Uuid, primary_key=True), Column("tenant_id", Uuid))
    Table("key", metadata, Column("tenant_id", Uuid), Column("secret", LargeBinary), Column("number", Integer))
    return Holdings(metadata, said)


def test_what_is_wrong_is_found() -> None:
    assert unsaid(a_context(thing=Erased())) == {"key"}
    assert gone(a_context(other=Erased(), key=Erased(withheld=frozenset({"hash"})))) == {"other", "key.hash"}
    assert owned_and_not_personal(a_context(thing=NotPersonal("nobody's"), key=Erased())) == {"thing"}
    assert given_out(a_context(thing=Kept(TRADING_RECORDS), key=Erased())) == {"key.secret"}
