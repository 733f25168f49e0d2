"""Where may a program call from? From the networks of its key alone; one that names none, from anywhere."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.http.client_address import neighbourhood
from libs.kit.http.programs import is_among, networks_of
from libs.kit.ids import uuid7
from tests.kit.api import Api

addresses = st.ip_addresses().filter(lambda address: address.version == 4 or address.ipv4_mapped is None)


@given(address=addresses | st.text(max_size=40))
def test_a_key_without_networks_works_anywhere(address: IPv4Address | IPv6Address | str) -> None:
    assert is_among(str(address), ())


@given(address=addresses, others=st.lists(addresses, max_size=4))
def test_an_address_is_among_networks_that_hold_it_and_no_others(
    address: IPv4Address | IPv6Address, others: list[IPv4Address | IPv6Address]
) -> None:
    strangers = networks_of([str(one) for one in others if one != address])

    assert is_among(str(address), networks_of([neighbourhood(str(address))]))
    assert is_among(str(address), (*strangers, *networks_of([str(address)])))
    assert is_among(str(address), strangers) is (strangers == ())


@given(address=st.ip_addresses(v=4))
def test_a_caller_over_a_socket_for_both_kinds_of_addresses_is_known_by_the_ipv4_one(address: IPv4Address) -> None:
    assert is_among(f"::ffff:{address}", networks_of([str(address)]))


@pytest.mark.parametrize("nobody", ["unknown", "", "192.0.2.7:80", "192.0.2"])
def test_who_has_no_address_is_in_no_network(nobody: str) -> None:
    assert not is_among(nobody, networks_of(["0.0.0.0/0", "::/0"]))


async def test_a_person_is_neither_counted_nor_held_to_networks(api: Api) -> None:
    token = api.issuer.token(uuid7(), networks=["192.0.2.0/24"])
    async with api.client(token, address="198.51.100.7") as client:
        answer = await client.get("/v1/counters")

    assert (answer.status_code, "ratelimit" in answer.headers) == (200, False)


async def test_a_program_outside_of_its_networks_uses_nothing_up(api: Api) -> None:
    await api.fetch("TRUNCATE probe.rate_limit")
    token = api.issuer.token(uuid7(), client_id=str(uuid7()), networks=["192.0.2.0/24"])
    async with api.client(token, address="198.51.100.7") as outside, api.client(token, address="192.0.2.7") as inside:
        assert (await outside.get("/v1/counters")).status_code == 403
        assert await api.fetch("SELECT FROM probe.rate_limit") == []
        assert (await inside.get("/v1/counters")).status_code == 200
    assert len(await api.fetch("SELECT FROM probe.rate_limit")) == 1
