"""Which Debian packages headers came from: dpkg's own lists, read as files."""

from __future__ import annotations

import os

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["DebianPackage", "packages_of"]

_DPKG = "/var/lib/dpkg"
_LIST_LIMIT = 16 << 20
_STATUS_LIMIT = 64 << 20


@value(frozen=True, slots=True)
class DebianPackage:
    """An installed package: `distribution` is the word of os-release(5), "debian" or "ubuntu"."""

    name: str
    version: str
    architecture: str
    distribution: str

    @property
    def purl(self) -> str:
        """The package URL (purl-spec, type deb)."""
        from urllib.parse import quote

        return (
            f"pkg:deb/{quote(self.distribution)}/{quote(self.name, safe='.-_~')}@{quote(self.version, safe=':.-_~')}"
            f"?arch={quote(self.architecture)}"
        )


def packages_of(
    paths: Collection[str], *, dpkg: str = _DPKG, release: str = "/etc/os-release"
) -> dict[str, DebianPackage]:
    """The package of each of these absolute paths, without those that dpkg does not know or cannot say.

    Empty on machines without dpkg. Diversions and renamed files are not followed.
    """
    wanted = {path for path in paths if path.startswith("/")}
    if not wanted:
        return {}
    owners = _owners(wanted, dpkg)
    versions = _versions(set(owners.values()), dpkg)
    distribution = _distribution(release)
    found = {}
    for path, (name, architecture) in owners.items():
        known = versions.get((name, architecture)) or versions.get((name, ""))
        if known:
            found[path] = DebianPackage(name, *known, distribution)
    return found


def _owners(wanted: set[str], dpkg: str) -> dict[str, tuple[str, str]]:
    """Path -> (package, architecture or ""): `libbpf-dev:amd64.list` names what that package installed."""
    owners: dict[str, tuple[str, str]] = {}
    try:
        names = sorted(name for name in os.listdir(f"{dpkg}/info") if name.endswith(".list"))
    except OSError:
        return {}
    lines = {path: f"\n{path}\n".encode() for path in wanted}
    for name in names:
        content = b"\n" + _content(f"{dpkg}/info/{name}", _LIST_LIMIT)
        for path, line in lines.items():
            if line in content:
                package, _, architecture = name.removesuffix(".list").partition(":")
                owners.setdefault(path, (package, architecture))
    return owners


def _versions(packages: set[tuple[str, str]], dpkg: str) -> Mapping[tuple[str, str], tuple[str, str]]:
    """(package, architecture) and (package, "") -> (version, architecture) of what is installed."""
    names = {name for name, _ in packages}
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for stanza in _content(f"{dpkg}/status", _STATUS_LIMIT).decode("utf-8", "replace").split("\n\n"):
        first, _, rest = stanza.lstrip("\n").partition("\n")
        name = first.removeprefix("Package: ")
        if name not in names:
            continue
        fields = dict(line.split(": ", 1) for line in rest.splitlines() if ": " in line and not line.startswith(" "))
        version, architecture = fields.get("Version", ""), fields.get("Architecture", "")
        if version and architecture:
            found[name, architecture] = found[name, ""] = version, architecture
    return found


def _distribution(release: str) -> str:
    for line in _content(release, 1 << 16).decode("utf-8", "replace").splitlines():
        if line.startswith("ID="):
            word = line[3:].strip("\"'")
            if word.isascii() and word.isalnum():
                return word.lower()
    return "debian"


def _content(path: str, limit: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(limit)
    except OSError:
        return b""
