"""Which hosts are reached without a proxy: `no_proxy`, read as curl, Go and Python together read it."""

from __future__ import annotations


def is_exempt(host: str, names: str, port: str = "") -> bool:
    """Says whether `names` has `host`: itself, a domain above it, a network (CIDR), or `*`.

    A name with a port is for that port alone; `port` is that of a host without one.
    """
    bare, own = _split(host.lower())
    port = own or port
    return any(word == "*" or _covers(word, bare, port) for word in names.lower().replace(",", " ").split())


def _covers(word: str, bare: str, port: str) -> bool:
    if "/" in word:
        return _inside(bare, word)
    name, only = _split(word)
    if only and only != port:
        return False
    name = name.removeprefix("*").strip(".")
    return bool(name) and (bare == name or bare.endswith(f".{name}"))


def _inside(address: str, network: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:  # a name, or no network
        return False


def _split(host: str) -> tuple[str, str]:
    """Returns name and port; the brackets round an address of IPv6 go."""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name, rest.removeprefix(":")
    name, _, port = host.partition(":")
    return (host, "") if ":" in port else (name, port)
