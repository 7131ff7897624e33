"""HTTP to one registry: credentials, redirects, retries, and nobody's defaults but ours."""

from __future__ import annotations

import re
from contextlib import closing

from bpfimg import __version__
from bpfimg._value import replace
from bpfimg.errors import RegistryError, quoted
from bpfimg.oci._http._answers import Interrupted, check_coding, no_answer, refusal, warnings
from bpfimg.oci._http._patience import TRY_AGAIN, Patience
from bpfimg.oci._http._proxy import is_loopback
from bpfimg.oci._http._tls import host_folder
from bpfimg.oci._login._auth import Auth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from urllib3 import BaseHTTPResponse

    from bpfimg.oci._http._connections import Connections, Pool
    from bpfimg.oci._reference import Repository
    from bpfimg.oci._settings._options import RegistryOptions

    Body = bytes | Callable[[], Iterable[bytes]]
    """Content, or what gives it from the beginning, again for each try; its length then stands in the headers."""

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_MOST_REDIRECTS = 5
COMMON = {"User-Agent": f"bpfimg/{__version__}", "Accept-Encoding": "identity"}
_PIECE = 1 << 17
_PLACE = re.compile(r"(?:[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
"""HOST[:PORT] in an address that a server gives: nothing that two readers could take in two ways."""


class Wire:
    """Requests about one repository at one place. Responses come unread and undecoded; the caller closes them.

    An `insecure` place may have a certificate that nobody knows, or none, as podman understands the word.
    """

    def __init__(
        self,
        repository: Repository,
        options: RegistryOptions,
        connections: Connections,
        *,
        insecure: bool = False,
    ) -> None:
        self.host = repository.endpoint
        self.path = repository.path
        self.connections = connections
        self.options = replace(options, insecure_skip_tls_verify=True) if insecure else options
        self._plain = options.plain_http or (not insecure and is_plain(self.host, options))
        self._undecided = insecure and not self._plain
        self._loud = options.insecure_skip_tls_verify
        self._auth = Auth(
            repository, options, plain_http=self._plain or insecure, ask=self._ask, tokens=connections.tokens
        )

    @property
    def base(self) -> str:
        return f"{'http' if self._plain else 'https'}://{self.host}"

    def request(
        self,
        method: str,
        url: str,
        doing: str,
        *,
        expect: tuple[int, ...] = (200,),
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        actions: str = "pull",
        mount: str = "",
        patience: Patience | None = None,
        again: bool = True,
    ) -> BaseHTTPResponse:
        """Sends a request until it is answered with an expected status; RegistryError, NotFound when it is not.

        `url` is absolute or starts with /. `doing` completes the sentence "cannot ...". With `again` the request is
        tried again after broken connections and on statuses that mean "not now", with what is left of `patience`.
        """
        patience = patience or self.patience()
        while True:
            try:
                response = self._through(method, url, doing, headers or {}, body, actions=actions, mount=mount)
            except Interrupted as error:
                if not again or not patience.wait(str(error)):
                    raise
                continue
            if response.status in expect:
                return response
            denied = response.status in (401, 403)
            refused = self._auth.refused(response, doing) if denied else refusal(response, doing, self.host)
            response.close()
            if response.status == 400 and self._plain and url.startswith("/") and not refused.code:
                refused.hint = self._plain_hint()
            later = response.headers.get("Retry-After")
            if response.status not in TRY_AGAIN or not again or not patience.wait(str(refused), later):
                raise refused

    def _plain_hint(self) -> str:
        """Servers that speak TLS answer so, without a word that could be relied on."""
        if self.options.plain_http:
            return "if it speaks TLS, leave --plain-http away"
        return "if it speaks TLS, name its authority with --ca-file: registries on loopback are asked without TLS"

    def authorization(self, actions: str) -> str | None:
        """Returns the `Authorization` that requests carry; None before the registry has asked for any."""
        return self._auth.header(actions)

    def patience(self) -> Patience:
        """Returns a fresh supply of further tries, for what takes several requests."""
        return Patience(self.options)

    def _through(
        self,
        method: str,
        url: str,
        doing: str,
        headers: Mapping[str, str],
        body: Body | None,
        *,
        actions: str,
        mount: str,
    ) -> BaseHTTPResponse:
        """Follows redirects and answers challenges."""
        asked = False
        redirects = 0
        while True:
            ours = url.startswith("/")
            known = self._auth.header(actions, mount) if ours else None
            response = self._send(method, url, doing, {**headers, "Authorization": known} if known else headers, body)
            if response.status == 401 and ours and not asked:
                asked = True
                with closing(response):
                    self._auth.learn(response, actions, doing, sent=known, mount=mount)
            elif response.status in _REDIRECTS and method in ("GET", "HEAD"):
                response.close()
                redirects += 1
                location = response.headers.get("Location")
                if location is None or redirects > _MOST_REDIRECTS:
                    raise RegistryError(f"cannot {doing}: {self.host} redirects without end, expected at most 5 times")
                url = self.join(url, location)
            elif response.status in (401, 403) and not ours:
                with closing(response):
                    raise self._denied_elsewhere(response, url, doing)
            else:
                return response

    def _denied_elsewhere(self, response: BaseHTTPResponse, url: str, doing: str) -> RegistryError:
        """Returns the error for another host that wants to know who we are: it is not told."""
        host = parted(url)[1]
        what = f"cannot {doing}: {self.host} sends us to {quoted(host)}, which denies access"
        return RegistryError(f"{what}, HTTP {response.status}", status=response.status)

    def join(self, url: str, location: str) -> str:
        """Returns where a `Location` leads: a path for one of this registry's own places, which alone are given
        credentials, else an absolute URL. RegistryError when that is not HTTP or would leave TLS."""
        from urllib.parse import urljoin, urlsplit

        whole = self.base + url if url.startswith("/") else url
        schemes = ("https",) if whole.startswith("https:") else ("https", "http")
        try:
            found = urljoin(whole, location)
            place = origin(found)
        except ValueError:
            place = "", None, None
        if place[0] not in schemes or not place[1] or not place[2]:
            raise RegistryError(f"{self.host} sends us from {shown(whole)} to {shown(location)}, expected an https URL")
        parts = urlsplit(found)
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        return target if place == origin(self.base) else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{target}"

    def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> BaseHTTPResponse:
        doing = f"get a token from {shown(url)}"
        patience = self.patience()
        while True:
            response = self._send(method, url, doing, headers, body)
            if response.status not in TRY_AGAIN:
                return response
            response.close()
            if not patience.wait(f"{doing}: HTTP {response.status}", response.headers.get("Retry-After")):
                return response

    def _send(
        self, method: str, url: str, doing: str, headers: Mapping[str, str], body: Body | None
    ) -> BaseHTTPResponse:
        """One request, one response."""
        from urllib3.exceptions import HTTPError

        from bpfimg.oci._http._clock import NEVER

        pool, target = self._route(url, doing)
        try:
            response = pool.urlopen(
                method,
                target,
                body=_pieces(body),
                headers={**COMMON, **headers, **_length(body)},
                redirect=False,
                retries=NEVER,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
            )
        except HTTPError as error:
            raise no_answer(error, doing, self.host) from error
        check_coding(response, method, doing, self.host)
        if "Warning" in response.headers:
            for said in warnings(response.headers.getlist("Warning")):
                self.connections.say(f"{self.host} says: {said}")
        return response

    def _route(self, url: str, doing: str) -> tuple[Pool, str]:
        """Returns the connections for a URL, and what to ask them for."""
        if url.startswith("/"):
            if self._undecided:
                self._plain = not self.connections.speaks_tls(self.host, lambda: self._speaks_tls(doing))
                self._undecided = False
            scheme, host, target = "http" if self._plain else "https", self.host, url
            if scheme == "https" and self._loud:
                self.connections.say(
                    f"the TLS certificate of {host} is not checked: anybody on the way can read and change everything"
                )
        else:
            scheme, host, target = parted(url)
        pool, prefix = self.connections.pool(scheme, host, self.options)
        return pool, prefix + target

    def _speaks_tls(self, doing: str) -> bool:
        """Tries it, as podman does at a registry that may be without: any failure means no."""
        try:
            self._send("GET", f"https://{self.host}/v2/", doing, {}, None).close()
        except RegistryError:
            return False
        return True


def is_plain(host: str, options: RegistryOptions) -> bool:
    """Says whether to speak HTTP without TLS: when told to, and on loopback unless something about TLS is set up."""
    if options.plain_http:
        return True
    tls = options.ca_file or options.insecure_skip_tls_verify or host_folder(options, host)
    return is_loopback(host) and not tls


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Returns scheme, host and port: credentials go to the same three only. ValueError for a URL that has no form."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.netloc and not _PLACE.fullmatch(parts.netloc.rpartition("@")[2]):
        raise ValueError("no HOST or HOST:PORT")
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def shown(url: str) -> str:
    """Returns an address as it may stand in a message, in quotes: without its query and user, which may be secrets, as
    in the signed addresses to which registries redirect."""
    scheme, mark, rest = re.split(r"[?#]", url, maxsplit=1)[0].partition("//")
    place, slash, path = rest.partition("/") if mark else ("", "", rest)
    return quoted(f"{scheme}{mark}{place.rpartition('@')[2]}{slash}{path}")


def parted(url: str) -> tuple[str, str, str]:
    """Returns scheme, host with port, and the rest of an absolute URL; RegistryError for what is none."""
    from urllib.parse import urlsplit

    try:
        scheme, host, _ = origin(url)
    except ValueError:
        scheme, host = "", None
    if scheme not in ("http", "https") or not host:
        raise RegistryError(f"cannot go to {shown(url)}, expected an https URL")
    parts = urlsplit(url)
    return scheme, parts.netloc.rpartition("@")[2], f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"


def _pieces(body: Body | None) -> bytes | Iterable[bytes] | None:
    """Returns what urllib3 sends with one call of `sendall` for each piece, each with a time-out of its own."""
    if body is None or (isinstance(body, bytes) and len(body) <= _PIECE):
        return body
    if not isinstance(body, bytes):
        return body()
    view = memoryview(body)
    return (view[at : at + _PIECE] for at in range(0, len(view), _PIECE))  # type: ignore[misc]


def _length(body: Body | None) -> Mapping[str, str]:
    """Says the length of what is sent in pieces: without, it would go in chunks, which registries refuse."""
    return {"Content-Length": str(len(body))} if isinstance(body, bytes) and len(body) > _PIECE else {}
