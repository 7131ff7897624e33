"""A running container engine, reached through the docker SDK: dockerd, or podman with its Docker API.

This is the only user of the SDK. Nothing is pulled or pushed by an engine for us, so no password of the user's goes to
one: neither what docker's and podman's credential files hold, nor what the SDK's HTTP library would take from ~/.netrc.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager

from bpfimg.errors import Error, NotFound, quoted
from bpfimg.oci._engines._engine_socket import HINTS, Address, find_engine, is_there

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import docker

# Asked for its version, podman 4 takes up to 8 seconds; it answers to any version of Docker's API. Docker itself has
# stopped to answer to old ones, but says the newest in the answer to every ping.
_PODMAN_API = "1.41"
_SHOWN = 300
_PING = 30
_DENIED = {
    "docker": "become a member of the group docker, or run as root: whoever may open that socket is root anyway",
    "podman": "that is another user's podman: start your own (`systemctl --user start podman.socket`), or be root",
    "": "run as the user whose engine it is; users of docker are in the group docker",
}


class Engine:
    """A running engine; close it, or use it in a `with`. `kind` is "docker" or "podman", whatever was asked for.

    `environ` and `uid` say where it is, as for their own clients (`_engine_socket`); `socket` is one that the caller
    knows better. Raises Error when nothing answers there, or when the docker SDK is not installed; UsageError when
    what the environment says is no address.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        uid: int,
        *,
        kind: str = "",
        socket: str | None = None,
        timeout: float = 300,
    ) -> None:
        try:
            import docker  # noqa: F401  # without it nobody needs to look for a socket
        except ImportError as error:
            raise Error(
                f"an engine is reached through the Python package {error.name or 'docker'}, which is not installed",
                hint="pip install 'bpfimg[docker]'; bpfimg builds, stores and copies images without any engine, too",
            ) from error
        self._address = find_engine(environ, uid, kind) if socket is None else Address(f"unix://{socket}", "", kind)
        self.kind = kind or self._address.kind
        with self.talking("start"):
            self.sdk = self._open(timeout)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections."""
        self.sdk.close()

    @contextmanager
    def talking(self, doing: str) -> Iterator[None]:
        """Turns what the SDK raises inside of it into Error or, where the engine has no such image, NotFound.

        Nothing else belongs inside: every OSError is taken for the engine's.
        """
        from docker.errors import DockerException

        try:
            yield
        except (DockerException, OSError) as error:  # those of its HTTP library are OSErrors
            raise self._failure(error, doing) from error
        except (KeyError, TypeError, ValueError) as error:  # of the SDK itself, over answers that it does not expect
            raise Error(f"{self._called} answers what the SDK does not understand, when it should {doing}") from error

    def _open(self, timeout: float) -> docker.APIClient:
        path = self._address.socket
        if path and not is_there(path):
            # the SDK would say it in three tracebacks
            raise Error(f"{self._called} does not answer: there is no socket {quoted(path)}", hint=HINTS[self.kind])
        with ExitStack() as undo:
            client = self._client(_PODMAN_API, timeout)
            undo.callback(client.close)
            answer = client.get(f"{client.base_url}/_ping", timeout=min(_PING, timeout))
            answer.raise_for_status()
            if "Libpod-Api-Version" in answer.headers:
                self.kind = "podman"
                undo.pop_all()
                return client
        self.kind = "docker"
        return self._client(answer.headers.get("Api-Version", "auto"), timeout)

    @property
    def _called(self) -> str:
        return self.kind or "the engine"

    def _client(self, version: str, timeout: float) -> docker.APIClient:
        import docker

        address = self._address
        tls = (
            docker.tls.TLSConfig(
                client_cert=(address.tls.certificate, address.tls.key) if address.tls.certificate else None,
                ca_cert=address.tls.authority or None,
                verify=address.tls.verify,
            )
            if address.tls
            else False
        )
        client = docker.APIClient(base_url=address.url, version=version, timeout=timeout, tls=tls)
        client.trust_env = False
        client._set_auth_headers = lambda _headers: None
        return client

    def _failure(self, error: Exception, doing: str) -> Error:
        from docker.errors import APIError
        from requests.exceptions import Timeout

        if isinstance(error, APIError):
            if error.status_code == 404:
                return NotFound(f"{self.kind} cannot {doing}: it has no such image", status=404)
            return Error(f"{self.kind} refuses to {doing}: {quoted(_words(str(error.explanation or error)), _SHOWN)}")
        name, where = self._called, quoted(self._address.url)
        if isinstance(error, Timeout):
            return Error(f"{name} does not answer in time at {where}, when it should {doing}")
        cause = _cause(error)
        if isinstance(cause, PermissionError):
            return Error(f"{name} does not answer: this user may not open {where}", hint=_DENIED[self.kind])
        what = quoted(cause.strerror if cause else error, _SHOWN)
        return Error(f"{name} does not answer: {what} at {where}", hint=HINTS[self.kind])


def _words(explanation: str) -> str:
    """Of what podman says after trying an archive as each of four kinds, what it says of the kind that ours is."""
    return explanation.partition("\n * oci-archive: ")[2].partition("\n")[0] or explanation


def _cause(error: BaseException | None) -> OSError | None:
    """The system call that failed, behind all that was wrapped around it."""
    seen = 0
    while error is not None and seen < 8:
        if isinstance(error, OSError) and error.errno and error.strerror:
            return error
        inner = [each for each in error.args if isinstance(each, BaseException)]
        error = inner[0] if inner else (error.__cause__ or error.__context__)
        seen += 1
    return None
