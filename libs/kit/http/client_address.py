"""Where does a request come from? From its peer, or from where proxies that we trust say; nobody else is believed."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from fastapi import Request

from libs.kit.settings import Network

Address = IPv4Address | IPv6Address
_NOBODY = "unknown"
# What an IPv6 customer gets at least: who has one address has 2^64 of them.
_IPV6_PREFIX = 64


def client_address(request: Request) -> str:
    """The client's address; for a peer without one (a Unix socket), the server's name for it."""
    trusted: Sequence[Network] = request.app.state.trusted_proxies
    peer = request.client.host if request.client else _NOBODY
    return forwarded_for(peer, request.headers.getlist("x-forwarded-for"), trusted)


def forwarded_for(peer: str, lines: Sequence[str], trusted: Sequence[Network]) -> str:
    """The last address in the chain of `X-Forwarded-For` that no trusted proxy has.

    Each proxy appends whom it was asked by, so what stands to the left of a stranger is the stranger's invention; so is
    everything, when the peer is a stranger.
    """
    client = address_of(peer)
    if client is None:
        return peer
    for hop in reversed(",".join(lines).split(",")):
        if not is_in(client, trusted) or (before := address_of(hop.strip())) is None:
            break
        client = before
    return str(client)


def neighbourhood(address: str) -> str:
    """What an address is limited by: an IPv4 address itself, an IPv6 address with all others of its /64."""
    parsed = address_of(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed), _IPV6_PREFIX), strict=False))
    return address if parsed is None else str(parsed)


def address_of(text: str) -> Address | None:
    """The address that a text names, or None; that of an IPv4 client of a socket for both kinds is its IPv4 address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_in(address: Address, networks: Sequence[Network]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address in network for network in networks)
