"""Is a client where it really is, whatever it says of itself?"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.http.client_address import forwarded_for, neighbourhood
from libs.kit.settings import Settings

OURS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
strangers = st.ip_addresses(v=4, network="192.0.2.0/24") | st.ip_addresses(v=6, network="2001:db8::/32")
proxies = st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=6, network="fd00::/8")
lies = st.lists(st.text(max_size=30) | strangers.map(str) | proxies.map(str), max_size=5)


@given(peer=strangers, said=lies)
def test_a_stranger_is_not_believed(peer: IPv4Address | IPv6Address, said: Sequence[str]) -> None:
    assert forwarded_for(str(peer), said, OURS) == str(peer)


@given(said=lies, client=strangers, way=st.lists(proxies, max_size=4), peer=proxies)
def test_behind_our_proxies_a_client_is_the_first_stranger_from_the_end(
    said: Sequence[str], client: IPv4Address, way: Sequence[IPv4Address], peer: IPv4Address
) -> None:
    lines = [*said, ", ".join(map(str, [client, *way]))]
    assert forwarded_for(str(peer), lines, OURS) == str(client)


@pytest.mark.parametrize("said", ["", "nonsense", "192.0.2.1:80", "unknown", "_hidden", "192.0.2.1, 10.0.0.999"])
def test_who_sends_nonsense_through_a_proxy_is_taken_for_the_proxy(said: str) -> None:
    assert forwarded_for("10.0.0.1", [said], OURS) == "10.0.0.1"


def test_a_chain_of_our_own_addresses_begins_at_the_first() -> None:
    assert forwarded_for("10.0.0.1", ["10.0.0.3, 10.0.0.2"], OURS) == "10.0.0.3"


def test_an_ipv4_client_of_a_socket_for_both_is_that_client() -> None:
    assert forwarded_for("::ffff:10.0.0.1", ["::ffff:192.0.2.1"], OURS) == "192.0.2.1"


def test_a_peer_without_an_address_is_what_the_server_calls_it() -> None:
    assert forwarded_for("unknown", ["192.0.2.1"], OURS) == "unknown"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unknown", "unknown"),
    ],
)
def test_an_ipv6_customer_is_one_however_many_addresses_they_have(address: str, expected: str) -> None:
    assert neighbourhood(address) == expected


def test_proxies_are_told_by_commas(settings: Settings) -> None:
    told = Settings(**(settings.model_dump() | {"trusted_proxies": "127.0.0.1, 10.0.0.0/8,::1"}))
    assert told.trusted_proxies == (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("::1"))
