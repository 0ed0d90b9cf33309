"""Which network addresses may be asked for a page that somebody else has named.

Documents and web pages may name any address, also one inside of the company's network or of the
cloud's own services. So only public addresses are asked, by a table of our own: Python's
`is_global` takes NAT64, 6to4 and a cloud's metadata service for public.
"""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from knowledge.errors import AddressRefusedError

# IANA's registries of special addresses, and what clouds put at public ones.
_REFUSED_V4 = {
    "0.0.0.0/8": "this machine",
    "10.0.0.0/8": "a private network",
    "100.64.0.0/10": "a provider's own network",
    "127.0.0.0/8": "this machine",
    "168.63.129.16/32": "a cloud's own service",
    "169.254.0.0/16": "the local link, where clouds have their metadata",
    "172.16.0.0/12": "a private network",
    "192.0.0.0/24": "a protocol's own address",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "a protocol's own address",
    "192.52.193.0/24": "a protocol's own address",
    "192.88.99.0/24": "6to4",
    "192.168.0.0/16": "a private network",
    "192.175.48.0/24": "a protocol's own address",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
# Of IPv6 only global unicast is asked at all: loopback, private, link-local, site-local, multicast,
# NAT64 and what holds an IPv4 address lie outside of it. Within it, these are refused.
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = {
    "2001::/23": "a protocol's own address (Teredo, benchmarks, ORCHID)",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "a protocol's own address",
    "3fff::/20": "documentation",
}
_TABLE: tuple[tuple[IPv4Network | IPv6Network, str], ...] = tuple(
    (ip_network(network), what) for network, what in (_REFUSED_V4 | _REFUSED_V6).items()
)


def why_refused(address: str) -> str | None:
    """What an address stands for that must not be asked; None: it is a public one.

    Raises:
        AddressRefusedError: it is not written as an address.
    """
    try:
        ip: IPv4Address | IPv6Address = ip_address(address)
    except ValueError as error:
        raise AddressRefusedError(f"{address!r} is not an IP address.") from error
    if isinstance(ip, IPv6Address) and (ip.scope_id or ip not in _GLOBAL_V6):
        return "not a public address"
    return next((what for network, what in _TABLE if ip in network), None)
