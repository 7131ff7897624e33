"""Names of images: which registry, which repository, which tag or digest."""

from __future__ import annotations

import re

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted
from bpfimg.oci._digest import Digest

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::[0-9]{{1,5}})?")
_PATH_LIMIT = 255
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_EXPECTED = "expected [HOST[:PORT]/]PATH[:TAG][@sha256:DIGEST] in lower case"


@value(frozen=True, slots=True)
class Repository:
    """Where the images of one name live: `host` (with its port) and `path`, both normalised."""

    host: str
    path: str

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host) or not _port_fits(self.host):
            raise UsageError(f"{quoted(self.host)} is not a registry host, expected HOST or HOST:PORT in lower case")
        if len(self.path) > _PATH_LIMIT or not all(_COMPONENT.fullmatch(part) for part in self.path.split("/")):
            raise UsageError(f"{quoted(self.path)} is not a repository path, expected words of a-z 0-9 . _ - between /")

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"

    @staticmethod
    def parse(text: str) -> Repository:
        """Returns the repository that `text` names, Docker Hub's short forms included; UsageError when none."""
        if Repository.has_host(text):
            host, _, path = text.partition("/")
        else:
            host, path = "docker.io", text
        if host in _DOCKER_HUB:
            host = "docker.io"
            path = path if "/" in path else f"library/{path}"
        return Repository(host, path)

    @staticmethod
    def has_host(text: str) -> bool:
        """Says whether a name begins with its registry; one without is short."""
        first, slash, _ = text.partition("/")
        return bool(slash) and is_host(first)

    @property
    def endpoint(self) -> str:
        """The host (and port) that answers for this repository."""
        return "registry-1.docker.io" if self.host == "docker.io" else self.host


@value(frozen=True, slots=True)
class Reference:
    """A repository and a tag, a digest, or both: then the digest decides and the tag is what people call it."""

    repository: Repository
    tag: str | None = None
    digest: Digest | None = None

    def __post_init__(self) -> None:
        if self.tag is None and self.digest is None:
            raise UsageError(f"the reference {self.repository} has neither a tag nor a digest, expected one of them")
        if self.tag is not None:
            check_tag(self.tag)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"

    @staticmethod
    def parse(text: str) -> Reference:
        """Returns the reference that `[HOST/]PATH[:TAG][@DIGEST]` spells; without either the tag is `latest`.

        UsageError for every other text. Transport prefixes are not part of a reference: see `Location`.
        """
        name, at, encoded = text.partition("@")
        head, colon, tail = name.rpartition(":")
        repository, tag = (head, tail) if colon and "/" not in tail else (name, None)
        try:
            digest = Digest.parse(encoded) if at else None
            return Reference(Repository.parse(repository), tag if tag is not None or at else "latest", digest)
        except UsageError as error:
            raise UsageError(f"{quoted(text)} is not an image reference: {error}", hint=_EXPECTED) from error

    @property
    def selector(self) -> str | Digest:
        """What `Source.resolve` takes: the digest if there is one, else the tag."""
        return self.digest or self.tag or ""

    def with_tag(self, tag: str) -> Reference:
        """Returns the same repository under `tag`, without a digest: that named something else."""
        return Reference(self.repository, tag)

    def with_digest(self, digest: Digest) -> Reference:
        """Returns this reference fixed to `digest`; the tag stays, for people."""
        return Reference(self.repository, self.tag, digest)


def is_host(word: str) -> bool:
    """Says whether the first word of a name is a registry, by docker's rule: when it could not begin a path on Docker
    Hub."""
    return "." in word or ":" in word or word == "localhost"


def check_tag(tag: str) -> str:
    """Returns `tag` when it is one; UsageError when not."""
    if not _TAG.fullmatch(tag):
        raise UsageError(
            f"{quoted(tag)} is not a tag, expected up to 128 of A-Z a-z 0-9 _ . - not starting with . or -"
        )
    return tag


def _port_fits(host: str) -> bool:
    port = host.rpartition(":")[2] if not host.endswith("]") and ":" in host else "1"
    return 0 < int(port) < 1 << 16
