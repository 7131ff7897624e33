"""Proxies, as the environment names them: for a host, or none."""

from __future__ import annotations

from bpfimg.errors import RegistryError
from bpfimg.oci._http._no_proxy import is_exempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urllib3 import PoolManager

    from bpfimg.oci._settings._options import RegistryOptions


def is_loopback(host: str) -> bool:
    """Says whether `host` (with or without port) is this machine by its very name."""
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return name in ("localhost", "::1") or (name.startswith("127.") and name.replace(".", "").isdecimal())


def find_proxy(options: RegistryOptions, scheme: str, host: str) -> str | None:
    """Returns the URL of the proxy for `host` (with or without port), None for none and always for loopback."""
    found = options.proxies.get(scheme)
    if not found or is_loopback(host):
        return None
    if is_exempt(host, options.proxies.get("no", ""), {"http": "80", "https": "443"}.get(scheme, "")):
        return None
    return found if "://" in found else f"http://{found}"


def open_proxy(proxy: str, scheme: str, options: RegistryOptions, **settings: object) -> PoolManager:
    """Returns connections through `proxy`; RegistryError when that is none."""
    from functools import partial
    from urllib.parse import unquote

    import urllib3

    from bpfimg.oci._http._clock import PlainPool, TlsPool

    try:
        parts = urllib3.util.parse_url(proxy)
        login = urllib3.make_headers(proxy_basic_auth=unquote(parts.auth)) if parts.auth else None
        opened = urllib3.ProxyManager(proxy, proxy_headers=login, **settings)  # type: ignore[arg-type]
    except urllib3.exceptions.HTTPError as error:
        # without the URL, in which a password may stand
        raise RegistryError(f"{scheme}_proxy is no proxy that can be used, expected http://HOST:PORT") from error
    pools = {"http": PlainPool, "https": TlsPool}
    opened.pool_classes_by_scheme = {word: partial(pool, options=options) for word, pool in pools.items()}  # type: ignore[misc]
    return opened
