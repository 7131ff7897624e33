"""Names of repositories, as a policy scopes them and as signatures claim them: one spelling, compared as text."""

from __future__ import annotations

import re

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.sign._strict import Junk

_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")  # three names of one host
_LOOPBACK = ("localhost", "127.", "[::1]")
_HOST = re.compile(r"(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::[0-9]{1,5})?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-zA-Z=_-]{1,256}")
_LONGEST = 512
TAG, REPOSITORY, PREFIX, DOMAIN = 3, 2, 1, 0  # kinds of scope; the higher is the more specific


def canonical(name: str) -> str:
    """Returns HOST/PATH in the one spelling that is compared: Docker Hub has one host, short names get `library/`, and
    the port that HTTPS has anyway is left out."""
    host, slash, path = name.partition("/")
    host = _host(host)
    if host == _DOCKER_HUB[0] and slash and "/" not in path:
        path = f"library/{path}"
    return f"{host}{slash}{path}"


def _host(host: str) -> str:
    name, colon, digits = host.rpartition(":")
    if colon and digits.isdigit():  # not so within [::1]
        port = int(digits)
        # on loopback no port means 80: registries there speak plain HTTP
        host = name if port == 443 and not name.startswith(_LOOPBACK) else f"{name}:{port}"
    return _DOCKER_HUB[0] if host in _DOCKER_HUB else host


def claim(name: str) -> str:
    """Returns HOST/PATH as signatures have it: what was typed, but cosign calls Docker Hub `index.docker.io`."""
    found = canonical(name)
    host, _, path = found.partition("/")
    return f"{_DOCKER_HUB[1]}/{path}" if host == _DOCKER_HUB[0] else name


def claimed(text: str) -> str:
    """Returns the canonical repository in a signature's claim `HOST/PATH[:TAG][@DIGEST]`, or raises `Junk`.

    skopeo writes tag and digest into `docker-reference`; they bind nothing here, where the digest is bound apart.
    """
    name, at, digest = text.partition("@")
    head, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    name = f"{head}{slash}{last}"
    odd = (colon and not _TAG.fullmatch(tag)) or (at and not _DIGEST.fullmatch(digest))
    if odd or "/" not in name or not is_name(name):
        raise Junk(f"it names {quoted(text)}, which is not HOST/REPOSITORY")
    return canonical(name)


def is_name(text: str, *, host_only: bool = False) -> bool:
    """Says whether `text` is HOST/PATH (with `host_only`: or just HOST) in the grammar of OCI and of the policy."""
    host, *path = text.split("/")
    return (
        len(text) <= _LONGEST
        and _HOST.fullmatch(host) is not None
        and (host_only or bool(path))
        and all(_COMPONENT.fullmatch(part) for part in path)
    )


@value(frozen=True, slots=True)
class Scope:
    """Which references a rule is for. `kind` orders scopes by how specific they are, `literal` is the canonical
    host or host/path (of `DOMAIN`: what a host ends with), `tag` is "" but for `TAG`."""

    text: str
    kind: int
    literal: str
    tag: str = ""

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Returns the scope, or raises `Junk`: `host/repo:tag`, `host/repo`, `host/path/**`, `host`, `*.domain`."""
        bad = Junk(f"scope {quoted(text)} is not HOST/REPO:TAG, HOST/REPO, HOST/PATH/**, HOST or *.DOMAIN")
        if text.startswith("*."):
            if len(text) > _LONGEST or "[" in text or not _HOST.fullmatch(text[2:]):
                raise bad
            return cls(text, DOMAIN, f".{_host(text[2:])}")
        name, deep = (text[:-3], True) if text.endswith("/**") else (text, False)
        head, slash, last = name.rpartition("/")
        last, colon, tag = last.partition(":") if slash and not deep else (last, "", "")
        name = f"{head}{slash}{last}"
        if len(text) > _LONGEST or not is_name(name, host_only=True) or (colon and not _TAG.fullmatch(tag)):
            raise bad
        if deep or not slash:
            return cls(text, PREFIX, _prefix(name))
        return cls(text, TAG if colon else REPOSITORY, canonical(name), tag)

    @property
    def order(self) -> tuple[int, int]:
        """What to sort by: the greatest is the most specific."""
        return self.kind, len(self.literal)

    @property
    def same(self) -> tuple[int, str, str]:
        """What to compare by: two scopes with this in common are equal, however they are written."""
        return self.kind, self.literal, self.tag

    def matches(self, repository: str, tag: str | None) -> bool:
        """Says whether a canonical HOST/PATH, and its tag if that is what was asked for, is in this scope."""
        if self.kind == PREFIX:
            return repository.startswith(f"{self.literal}/")
        if self.kind == DOMAIN:
            return repository.partition("/")[0].endswith(self.literal)
        return repository == self.literal and (self.kind == REPOSITORY or tag == self.tag)


def _prefix(name: str) -> str:
    """Returns the canonical HOST[/PATH] of a prefix: `docker.io/team/**` is not about `library/team`."""
    host, slash, path = name.partition("/")
    return f"{canonical(host)}{slash}{path}"


def remapped(repository: str, scope: Scope, prefix: str) -> str:
    """Returns the canonical name that `repository` (in `scope`) has where it was signed: the scope's literal part
    replaced by `prefix`."""
    return canonical(prefix + repository[len(scope.literal) :])
