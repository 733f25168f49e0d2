"""What are ids worth? They grow as they are made, and a text names one id or none."""

from __future__ import annotations

from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.ids import uuid7, uuid_of


def test_ids_are_uuids_of_version_7_that_grow() -> None:
    made = [uuid7() for _ in range(1_000)]
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}
    assert sorted(set(made)) == made


@given(st.uuids())
def test_a_text_names_the_id_that_it_was_made_of(id_: UUID) -> None:
    assert uuid_of(str(id_)) == id_
    assert str(uuid_of(str(id_))) == str(id_)
    assert hash(uuid_of(str(id_))) == hash(id_)


@pytest.mark.parametrize(
    "text", ["", "x", "0199f0a4-6c4e-7d52-9a8e-3f1d2c4b5a6", "0199f0a4-6c4e-7d52-9a8e-3f1d2c4b5a6g"]
)
def test_what_names_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid UUID"):
        uuid_of(text)
