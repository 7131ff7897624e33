"""A registry as its caller has set it up for oras-py: its session, its certificates, its way of logging in.

oras-py brings the requests there and back; everything else (checks of size and digest, ranges, uploads, referrers,
further tries) is that of `Registry`. Of oras-py only `Registry.do_request`, `prefix`, `get_container` and the token of
its `auth` are used: its own transfers check nothing and change the bytes of manifests (docs/adr/0026).
"""

from __future__ import annotations

from _thread import allocate_lock

from bpfimg.errors import RegistryError, UsageError, quoted
from bpfimg.oci._http._answers import Interrupted, check_coding, no_answer, refusal
from bpfimg.oci._http._registry import Registry
from bpfimg.oci._http._wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from oras.provider import Registry as Provider
    from requests import Response
    from urllib3 import BaseHTTPResponse

    from bpfimg.oci._http._connections import Connections
    from bpfimg.oci._http._wire import Body
    from bpfimg.oci._reference import Repository
    from bpfimg.oci._settings._options import RegistryOptions

_HINT = "log in on the oras.provider.Registry: auth_backend='token' or 'basic', and registry.auth.set_basic_auth(...)"


class Oras(Registry):
    """A `Target`: one repository, reached through a caller's `oras.provider.Registry`.

    Of `options` count limits, waits and `warn`; credentials, certificates, proxies and time-outs are those of the
    provider's session (which has no time-outs of its own, reads ~/.netrc and follows redirects as `requests` does).
    """

    at_once = 1  # a provider has one token, and no lock

    def __init__(self, provider: Provider, repository: Repository, options: RegistryOptions | None = None) -> None:
        super().__init__(repository, options)
        self._places.fix(_OrasWire(provider, repository, self._options, self._connections))


class _OrasWire(Wire):
    """The same requests on another's connection."""

    def __init__(
        self, provider: Provider, repository: Repository, options: RegistryOptions, connections: Connections
    ) -> None:
        super().__init__(repository, options, connections)
        container = provider.get_container(f"{repository.endpoint}/{repository.path}")
        found = container.manifest_url("tag").partition("/v2/")[0]
        if found != repository.endpoint or container.api_prefix != repository.path:
            raise UsageError(f"oras-py takes {repository} for {quoted(container)}, expected HOST:PORT/PATH")
        self._provider = provider
        self._plain = provider.prefix == "http"
        self._one = allocate_lock()

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
        """Redirects and challenges are the provider's, but for a token that is not for this: the next is its choice."""
        response = self._send(method, url, doing, headers, body)
        if response.status == 401 and self._forget_token():
            response.close()
            response = self._send(method, url, doing, headers, body)
        if response.status in (401, 403):
            refused = refusal(response, doing, self.host)
            response.close()
            refused.hint = _HINT
            raise refused
        return response

    def _forget_token(self) -> bool:
        """oras-py sends the first token that it got for ever (oras-py#187), whatever it was for."""
        with self._one:
            had: object = getattr(self._provider.auth, "token", None)
            if had:
                self._provider.auth.token = None
        return bool(had)

    def _send(
        self, method: str, url: str, doing: str, headers: Mapping[str, str], body: Body | None
    ) -> BaseHTTPResponse:
        from requests.exceptions import RequestException

        if not url.startswith("/"):
            # the provider adds its credentials to whatever it is asked for
            raise RegistryError(
                f"cannot {doing}: {self.host} sends us to {quoted(url)}, expected an address of its own"
            )
        sent = {"Accept-Encoding": "identity", **headers}
        data = body if body is None or isinstance(body, bytes) else _Sized(body, int(headers["Content-Length"]))
        try:
            with self._one:
                answer = self._relay(self.base + url, method, sent, data)
        except RequestException as error:
            raise self._no_answer(error, doing) from error
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            # what it raises about a challenge that it has no answer for
            what = f"cannot {doing}: oras-py gets no access to {self.host} ({quoted(error)})"
            raise RegistryError(what, status=401, hint=_HINT) from error
        response: BaseHTTPResponse = answer.raw
        check_coding(response, method, doing, self.host)
        return response

    def _relay(self, url: str, method: str, headers: dict[str, str], data: bytes | _Sized | None) -> Response:
        # its decorator sleeps 131 seconds over any error, also over a password that is wrong
        plain = getattr(type(self._provider).do_request, "__wrapped__", None)
        ask = self._provider.do_request if plain is None else plain.__get__(self._provider)
        answer: Response = ask(url, method, data=data, headers=headers, stream=True)
        return answer

    def _no_answer(self, error: Exception, doing: str) -> RegistryError:
        from urllib3.exceptions import HTTPError

        inner = error.args[0] if error.args else None
        inner = getattr(inner, "reason", inner)  # of MaxRetryError
        if isinstance(inner, HTTPError):
            return no_answer(inner, doing, self.host)
        return Interrupted(f"cannot {doing}: {self.host}: no answer ({quoted(error)})")


class _Sized:
    """Content that says how long it is, so that `requests` does not send it in chunks, and can be sent again."""

    def __init__(self, content: Callable[[], Iterable[bytes]], size: int) -> None:
        self._content = content
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._content())
