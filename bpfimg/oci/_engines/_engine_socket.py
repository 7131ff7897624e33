"""Where a container engine listens, found as docker's and podman's own clients find it.

docker: `DOCKER_HOST`, else the context that `DOCKER_CONTEXT` or `currentContext` of its config.json names, else its
socket; podman: `CONTAINER_HOST`, else the user's socket, else the system's (podman-system-service(1)). What a person
said is final; of sockets that only happen to be there, the first that may be opened is taken.
"""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import Error, ImageError, UsageError, quoted
from bpfimg.oci._json import parse_object
from bpfimg.oci._store._files import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ENGINES = ("docker", "podman")
HINTS = {
    "docker": "start dockerd, or name its socket in DOCKER_HOST; users of it are in the group docker",
    "podman": "`systemctl --user start podman.socket`, or name its socket in CONTAINER_HOST",
    "": "start dockerd or `systemctl --user start podman.socket`, or name a socket in DOCKER_HOST or CONTAINER_HOST",
}
_DOCKER = "/var/run/docker.sock"
_PODMAN = "/run/podman/podman.sock"
_SETTINGS = 1 << 20
_SCHEMES = ("unix://", "tcp://", "http://", "https://")
_FORWARD = (
    "forward its socket: `ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock HOST`, and name unix:///tmp/engine.sock"
)


@value(frozen=True, slots=True)
class Tls:
    """Certificate files of a client, "" for those that there are not; without `verify` anybody is believed."""

    authority: str
    certificate: str
    key: str
    verify: bool


@value(frozen=True, slots=True)
class Address:
    """Where an engine listens, and who says so; `kind` is "" where that says nothing of whose socket it is."""

    url: str
    said_by: str
    kind: str = ""
    tls: Tls | None = None

    @property
    def socket(self) -> str:
        """The path of the socket, "" for an engine on the network."""
        path = self.url.removeprefix("unix://")
        return "" if path == self.url else path


def find_engine(environ: Mapping[str, str], uid: int, kind: str = "") -> Address:
    """Returns where the engine of a kind, or of any (""), listens.

    UsageError for an address that cannot be used; Error where nobody says one and no socket is there.
    """
    if kind not in ("", *ENGINES):
        raise UsageError(f"there is no engine {kind!r}, expected {' or '.join(ENGINES)}")
    stated = _stated(environ, kind)
    if stated is not None:
        return stated
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    sockets = [(_DOCKER, "docker"), (f"{runtime}/docker.sock", "docker")]  # the second is that of rootless docker
    sockets += [(f"{runtime}/podman/podman.sock", "podman"), (_PODMAN, "podman")]
    sockets = [each for each in sockets if kind in ("", each[1])]
    there = [Address(f"unix://{path}", "", whose) for path, whose in sockets if is_there(path)]
    usable = [each for each in there if os.access(each.socket, os.R_OK | os.W_OK)]
    if there:
        return (usable or there)[0]
    looked = ", ".join(path for path, _ in sockets)
    who = f"{kind} does not answer" if kind else "no container engine answers"
    raise Error(f"{who}: there is no socket {looked}", hint=HINTS[kind])


def is_there(path: str) -> bool:
    """Says whether a file may be at `path`: also when this user may not look into its folder."""
    try:
        os.stat(path)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def _stated(environ: Mapping[str, str], kind: str) -> Address | None:
    """What the user said, in the order of docker's client; None for nothing."""
    if kind != "podman":
        if environ.get("DOCKER_HOST"):
            return Address(_checked(environ["DOCKER_HOST"], "DOCKER_HOST"), "DOCKER_HOST", "", _tls_of(environ))
        context = _context(environ)
        if context is not None:
            return context
    if kind != "docker" and environ.get("CONTAINER_HOST"):
        return Address(_checked(environ["CONTAINER_HOST"], "CONTAINER_HOST"), "CONTAINER_HOST", "podman")
    return None


def _checked(url: str, said_by: str) -> str:
    if url.startswith(_SCHEMES):
        return url
    hint = _FORWARD if url.startswith("ssh://") else ""
    raise UsageError(f"{said_by} is {quoted(url)}, expected unix:///PATH or tcp://HOST:PORT", hint=hint)


def _tls_of(environ: Mapping[str, str]) -> Tls | None:
    """As docker's client: a folder of certificates or any word in DOCKER_TLS_VERIFY means TLS."""
    folder, verify = environ.get("DOCKER_CERT_PATH"), bool(environ.get("DOCKER_TLS_VERIFY"))
    if not folder and not verify:
        return None
    folder = folder or _settings(environ)
    return Tls(f"{folder}/ca.pem", f"{folder}/cert.pem", f"{folder}/key.pem", verify)


def _settings(environ: Mapping[str, str]) -> str:
    return environ.get("DOCKER_CONFIG") or f"{environ.get('HOME', '')}/.docker"


def _context(environ: Mapping[str, str]) -> Address | None:
    """The endpoint of docker's context, None for the default one.

    Contexts are kept in `contexts/meta/HASH/meta.json` and `contexts/tls/HASH/docker/`, HASH being the SHA-256 of the
    name (docker/cli, cli/context/store).
    """
    folder = _settings(environ)
    name = environ.get("DOCKER_CONTEXT") or _document(f"{folder}/config.json").get("currentContext")
    if not isinstance(name, str) or name in ("", "default"):
        return None
    import hashlib

    said_by = f"the docker context {quoted(name)}"
    encoded = hashlib.sha256(name.encode()).hexdigest()
    endpoints = _document(f"{folder}/contexts/meta/{encoded}/meta.json").get("Endpoints")
    endpoint = endpoints.get("docker") if isinstance(endpoints, dict) else None
    url = endpoint.get("Host") if isinstance(endpoint, dict) else None
    if not isinstance(url, str) or not isinstance(endpoint, dict):
        hint = "`docker context ls` lists those that there are, `docker context use default` goes back"
        raise Error(f"{said_by} names no engine in {folder}/contexts, expected one of its own", hint=hint)
    return Address(_checked(url, said_by), said_by, "", _tls_in(f"{folder}/contexts/tls/{encoded}/docker", endpoint))


def _tls_in(folder: str, endpoint: Mapping[str, object]) -> Tls | None:
    files = [path if os.path.exists(path := f"{folder}/{name}.pem") else "" for name in ("ca", "cert", "key")]
    skips = endpoint.get("SkipTLSVerify") is True
    return Tls(files[0], files[1], files[2], not skips) if any(files) or skips else None


def _document(path: str) -> Mapping[str, object]:
    """A JSON file of docker's client, {} where there is none."""
    try:
        return parse_object(read_file(path, _SETTINGS), f"docker's file {path}", limit=_SETTINGS)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Error(f"cannot read docker's file {path}: {error.strerror}") from error
    except ImageError as error:
        raise Error(str(error)) from error
