"""What the repositories of one process share: connections, tokens, and what was learned about registries."""

from __future__ import annotations

from _thread import allocate_lock

from bpfimg.oci._http._proxy import find_proxy, open_proxy
from bpfimg.oci._http._tls import context
from bpfimg.oci._login._tokens import Tokens
from bpfimg.oci._settings._options import RegistryOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from urllib3 import HTTPConnectionPool, PoolManager

    from bpfimg.oci._digest import Digest
    from bpfimg.oci._http._ask import Answer

    Pool = HTTPConnectionPool | PoolManager

_KEPT = 16
"""Connections to one host that wait for further requests."""
_CERTAIN = 2
_MOST_SAID = 1000


class Connections:
    """Connections to registries, for many `Registry` objects and threads to share; `close` or `with` ends them."""

    def __init__(self, options: RegistryOptions | None = None) -> None:
        self.options = options or RegistryOptions()
        self.tokens = Tokens()
        self._lock = allocate_lock()
        self._asking = allocate_lock()
        self._tls: dict[str, bool] = {}
        self._pools: dict[tuple[object, ...], tuple[Pool, str]] = {}
        self._said: set[str] = set()
        self._down: set[tuple[str, str]] = set()
        self._silent: dict[str, set[Digest] | None] = {}

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every connection; the next request opens new ones."""
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool, prefix in pools:
            if prefix:
                pool.clear()  # type: ignore[union-attr]
            else:
                pool.close()  # type: ignore[union-attr]

    def pool(self, scheme: str, host: str, options: RegistryOptions) -> tuple[Pool, str]:
        """Returns the connections to `host` (with its port), and what stands before a path that they are asked for.

        RegistryError for certificates or a proxy that cannot be used.
        """
        key = (scheme, host, options.ca_file, options.insecure_skip_tls_verify)
        found = self._pools.get(key)
        if found is None:
            with self._lock:
                found = self._pools.get(key) or _open(scheme, host, options)
                self._pools[key] = found
        return found

    def ask(
        self,
        method: str,
        url: str,
        doing: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int = 1 << 20,
    ) -> Answer:
        """Returns the answer of a web service that is no registry: one request, no login, no redirect, no second try.

        RegistryError (`cannot DOING: ...`) when none comes in time and in at most `limit` bytes. Without TLS only on
        loopback.
        """
        from bpfimg.oci._http._ask import ask

        return ask(self, method, url, doing, body=body, headers=headers or {}, limit=limit)

    def say(self, sentence: str) -> None:
        """Tells the user, once."""
        with self._lock:
            new = sentence not in self._said and len(self._said) < _MOST_SAID
            if new:
                self._said.add(sentence)
        if new:
            self.options.warn(sentence)

    def speaks_tls(self, host: str, ask: Callable[[], bool]) -> bool:
        """Returns what `ask` finds out about a registry that may be without TLS: once, whoever wants to know."""
        with self._asking:
            if host not in self._tls:
                self._tls[host] = ask()
            return self._tls[host]

    def is_down(self, base: str, path: str) -> bool:
        """Says whether a mirror has failed in this process, for everything or for one repository."""
        return (base, "") in self._down or (base, path) in self._down

    def mark_down(self, base: str, path: str) -> None:
        """Takes note that a mirror has failed, for the repository `path` or ("") for everything."""
        self._down.add((base, path))

    # the referrers API (distribution-spec 1.1, 'Listing Referrers')

    def knows_referrers(self, place: str) -> bool:
        """Says whether it is worth asking `place` for its referrers API: not when it was certain not to have one."""
        asked = self._silent.get(place)
        return asked is None or len(asked) < _CERTAIN

    def answered_referrers(self, place: str, digest: Digest, *, there: bool) -> None:
        """Takes note of an answer. One "no such page" may be a slip of a gateway, and would hide signatures from all
        that follows: two, for different digests and with no list in between or ever before, are believed."""
        with self._lock:
            if there:
                self._silent[place] = None
            else:
                known = self._silent.setdefault(place, set())
                if known is not None:
                    known.add(digest)


def _open(scheme: str, host: str, options: RegistryOptions) -> tuple[Pool, str]:
    import urllib3

    from bpfimg.oci._http._clock import PlainPool, TlsPool

    timeout = urllib3.Timeout(connect=options.connect, read=options.silence)
    tls = None
    if scheme == "https":
        tls = context(options, host)
        if options.insecure_skip_tls_verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # said already, once and in our words
    proxy = find_proxy(options, scheme, host)
    # never `block`: a response that is closed unread gives its place in the pool back to nobody
    if proxy is not None:
        opened = open_proxy(proxy, scheme, options, maxsize=_KEPT, timeout=timeout, ssl_context=tls)
        return opened, f"{scheme}://{host}"
    name, port = _split(scheme, host)
    if tls is None:
        return PlainPool(name, port, maxsize=_KEPT, timeout=timeout, options=options), ""
    return TlsPool(name, port, maxsize=_KEPT, timeout=timeout, ssl_context=tls, options=options), ""


def _split(scheme: str, host: str) -> tuple[str, int]:
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host, {"http": 80, "https": 443}[scheme]
    return name, int(port)
