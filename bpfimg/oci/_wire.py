"""HTTP to one registry: credentials, redirects, retries, and nobody's defaults but ours."""

from __future__ import annotations

import os
import time
from contextlib import closing

from bpfimg import __version__
from bpfimg.errors import RegistryError, quoted
from bpfimg.oci._answers import Interrupted, no_answer, refusal
from bpfimg.oci._auth import Auth
from bpfimg.oci._tls import CERTS_D

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3 import BaseHTTPResponse, PoolManager

    from bpfimg.oci._options import RegistryOptions
    from bpfimg.oci._reference import Repository

_TRY_AGAIN = frozenset((408, 429, 500, 502, 503, 504))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_MOST_REDIRECTS = 5
_LONGEST_WAIT = 30.0
"""Seconds: a server that asks for a longer pause gets no further try, its user an answer."""
_CONNECT, _READ = 10.0, 60.0


class Wire:
    """Requests to the registry of one repository. Responses come unread and undecoded; the caller closes them."""

    def __init__(self, repository: Repository, options: RegistryOptions) -> None:
        self.host = repository.endpoint
        self._options = options
        self._plain = is_plain(self.host, options)
        self.base = f"{'http' if self._plain else 'https'}://{self.host}"
        self._pool: PoolManager | None = None
        self._auth = Auth(repository, options, plain_http=self._plain, ask=self._ask)

    def close(self) -> None:
        """Closes every connection."""
        if self._pool is not None:
            self._pool.clear()

    def request(
        self,
        method: str,
        url: str,
        doing: str,
        *,
        expect: tuple[int, ...] = (200,),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        actions: str = "pull",
        again: bool = True,
    ) -> BaseHTTPResponse:
        """Sends a request until it is answered with an expected status; RegistryError, NotFound when it is not.

        `url` is absolute or starts with /. `doing` completes the sentence "cannot ...". With `again` the request is
        tried again after broken connections and on statuses that mean "not now".
        """
        url = url if "://" in url else self.base + url
        patience = Patience(self._options, self.host)
        while True:
            try:
                response = self._through(method, url, doing, headers or {}, body, actions=actions)
            except Interrupted as error:
                if not again or not patience.wait(str(error)):
                    raise
                continue
            if response.status in expect:
                return response
            denied = response.status in (401, 403)
            refused = self._auth.refused(response, doing) if denied else refusal(response, doing, self.host)
            response.close()
            later = response.headers.get("Retry-After")
            if response.status not in _TRY_AGAIN or not again or not patience.wait(str(refused), later):
                raise refused

    def patience(self) -> Patience:
        """Returns a fresh supply of further tries, for what `request` cannot repeat by itself."""
        return Patience(self._options, self.host)

    def _through(
        self, method: str, url: str, doing: str, headers: Mapping[str, str], body: bytes | None, *, actions: str
    ) -> BaseHTTPResponse:
        """Follows redirects and answers challenges."""
        asked = False
        redirects = 0
        while True:
            ours = origin(url) == origin(self.base)
            known = self._auth.header(actions) if ours else None
            response = self._send(method, url, doing, {**headers, **({"Authorization": known} if known else {})}, body)
            if response.status == 401 and ours and not asked:
                asked = True
                with closing(response):
                    self._auth.learn(response, actions, doing)
            elif response.status in _REDIRECTS and method in ("GET", "HEAD"):
                response.close()
                redirects += 1
                url = self._redirected(url, response.headers.get("Location"), redirects, doing)
            else:
                return response

    def _redirected(self, url: str, location: str | None, count: int, doing: str) -> str:
        if location is None or count > _MOST_REDIRECTS:
            raise RegistryError(f"cannot {doing}: {self.host} redirects without end, expected at most 5 times")
        return self.join(url, location)

    def join(self, url: str, location: str) -> str:
        """Returns where a `Location` leads; RegistryError when that is not HTTP or would leave TLS."""
        from urllib.parse import urljoin

        schemes = ("https",) if url.startswith("https:") else ("https", "http")
        try:
            found = urljoin(url, location)
            scheme, host, _ = origin(found)
        except ValueError:
            scheme = host = ""
        if scheme not in schemes or not host:
            raise RegistryError(f"{self.host} sends us from {quoted(url)} to {quoted(location)}, expected an https URL")
        return found

    def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> BaseHTTPResponse:
        doing = f"get a token from {quoted(url.partition('?')[0])}"
        patience = self.patience()
        while True:
            response = self._send(method, url, doing, dict(headers), body)
            if response.status not in _TRY_AGAIN:
                return response
            response.close()
            if not patience.wait(f"{doing}: HTTP {response.status}", response.headers.get("Retry-After")):
                return response

    def _send(self, method: str, url: str, doing: str, headers: dict[str, str], body: bytes | None) -> BaseHTTPResponse:
        """One request, one response."""
        from urllib3.exceptions import HTTPError

        if self._pool is None:
            self._pool = open_pool(self._options, self.host, url)
        try:
            response = self._pool.urlopen(
                method,
                url,
                body=body,
                headers={"User-Agent": f"bpfimg/{__version__}", "Accept-Encoding": "identity", **headers},
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        except HTTPError as error:
            raise no_answer(error, doing, self.host) from error
        coding = response.headers.get("Content-Encoding", "identity")
        if coding.lower() != "identity":
            response.close()
            raise RegistryError(
                f"cannot {doing}: {self.host} sends content encoded as {quoted(coding)}, expected it as it is stored",
                status=response.status,
            )
        return response


class Patience:
    """Further tries of one request: so many, so long, each said to the user."""

    def __init__(self, options: RegistryOptions, host: str) -> None:
        self._options = options
        self._host = host
        self._waits = list(options.waits)
        self._end = time.monotonic() + options.patience

    def wait(self, reason: str, later: str | None = None) -> bool:
        """Waits and says True, or says False when there is to be no further try.

        `later` is the server's `Retry-After`, in seconds.
        """
        if not self._waits:
            return False
        pause = self._waits.pop(0) * (0.75 + os.urandom(1)[0] / 512)  # jitter keeps many clients apart
        if later is not None and later.strip().isdecimal():
            pause = float(later)
        if pause > _LONGEST_WAIT or time.monotonic() + pause > self._end:
            return False
        self._options.warn(f"{reason}; trying again in {pause:.1f} s")
        time.sleep(pause)
        return True


def is_loopback(host: str) -> bool:
    """Says whether `host` (with or without port) is this machine by its very name."""
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return name in ("localhost", "::1") or (name.startswith("127.") and name.replace(".", "").isdecimal())


def is_plain(host: str, options: RegistryOptions) -> bool:
    """Says whether to speak HTTP without TLS: when told to, and on loopback unless something about TLS is set up."""
    if options.plain_http:
        return True
    tls = options.ca_file or options.insecure_skip_tls_verify or any(os.path.isdir(f"{d}/{host}") for d in CERTS_D)
    return is_loopback(host) and not tls


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Returns scheme, host and port: credentials go to the same three only. ValueError for a URL that has no form."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def open_pool(options: RegistryOptions, host: str, url: str) -> PoolManager:
    """Returns the connections, through a proxy where one is set for the URL and not for loopback."""
    import urllib3

    from bpfimg.oci._tls import context

    if options.insecure_skip_tls_verify:
        options.warn(f"the TLS certificate of {host} is not checked: anybody on the way can read and change everything")
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # said already, once and in our words
    tls = None if url.startswith("http:") else context(options, host)
    timeout = urllib3.Timeout(connect=_CONNECT, read=_READ)
    proxy = _proxy(options, host, url)
    # never `block`: a response that is closed unread gives its place in the pool back to nobody
    if proxy is None:
        return urllib3.PoolManager(maxsize=8, ssl_context=tls, timeout=timeout)
    from urllib.parse import unquote

    try:
        parts = urllib3.util.parse_url(proxy)
        login = urllib3.make_headers(proxy_basic_auth=unquote(parts.auth)) if parts.auth else None
        return urllib3.ProxyManager(proxy, proxy_headers=login, maxsize=8, ssl_context=tls, timeout=timeout)
    except urllib3.exceptions.HTTPError as error:
        word = url.partition(":")[0]
        # without the URL, in which a password may stand
        raise RegistryError(f"{word}_proxy is no proxy that can be used, expected http://HOST:PORT") from error


def _proxy(options: RegistryOptions, host: str, url: str) -> str | None:
    found = options.proxies.get(url.partition(":")[0])
    if not found or is_loopback(host):
        return None
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    if proxy_bypass_environment(host, dict(options.proxies)):
        return None
    return found if "://" in found else f"http://{found}"
