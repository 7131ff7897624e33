"""Where an image is looked for: what the users' registries.conf(5) says about its name (ADR 0028)."""

from __future__ import annotations

from bpfimg._value import field, value
from bpfimg.errors import RegistryError, UsageError, quoted
from bpfimg.oci._reference import Reference, Repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

AUTH_FILES = "containers-auth.json"
"""Among the credential helpers: the files of containers-auth.json(5), not a program."""


@value(frozen=True, slots=True)
class Endpoint:
    """One place to ask for a repository: `host` and `path` as in a reference."""

    host: str
    path: str
    insecure: bool = False
    """Its certificate need not be believed, and it may speak HTTP without TLS."""
    mirror: bool = False

    @property
    def repository(self) -> Repository:
        return Repository(self.host, self.path)


@value(frozen=True, slots=True)
class Mirror:
    """One `[[registry.mirror]]`; `pulls` is all, digest-only or tag-only."""

    location: str
    insecure: bool = False
    pulls: str = "all"


@value(frozen=True, slots=True)
class Rule:
    """One `[[registry]]`; without `location` names stay as they are."""

    prefix: str
    origin: str
    location: str = ""
    insecure: bool = False
    blocked: bool = False
    mirrors: tuple[Mirror, ...] = ()


@value(frozen=True, slots=True)
class Registries:
    """What all files together say; `Registries()` and `NONE` say nothing."""

    rules: tuple[Rule, ...] = ()
    search: tuple[str, ...] = ()
    """Registries in which short names are looked for, in this order."""
    enforcing: bool = False
    """A short name that could mean several images means none."""
    helpers: tuple[str, ...] = (AUTH_FILES,)
    """Credential programs to ask, by the ending of their names, and `AUTH_FILES` for the files."""
    alias_files: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Path and text of the files with `[aliases]`, in the order of reading: parsed when a short name is asked for."""

    @staticmethod
    def load(environ: Mapping[str, str], uid: int, *, system: str = "/etc/containers") -> Registries:
        """Returns what the files of this user say (`uid` 0: of root); RegistryError for one that cannot be used."""
        from bpfimg.oci._settings._registries_files import load

        return load(environ, uid, system)

    def endpoints(self, repository: Repository, *, by_digest: bool) -> tuple[Endpoint, ...]:
        """Returns where to read a repository, in order: mirrors first, the primary last.

        RegistryError when its name is blocked, or when a rewritten name is none.
        """
        rule, length = self._rule(repository)
        if rule is None:
            return (Endpoint(repository.host, repository.path),)
        other = "tag-only" if by_digest else "digest-only"
        rest = str(repository)[length:]
        mirrors = [
            _moved(rule, mirror.location + rest, insecure=mirror.insecure, mirror=True)
            for mirror in rule.mirrors
            if mirror.pulls != other
        ]
        primary = rule.location + rest if rule.location else str(repository)
        return (*mirrors, _moved(rule, primary, insecure=rule.insecure))

    def destination(self, repository: Repository) -> Endpoint:
        """Returns where to write a repository: under its own name; RegistryError when that is blocked."""
        rule, _ = self._rule(repository)
        return Endpoint(repository.host, repository.path, insecure=rule is not None and rule.insecure)

    def candidates(self, name: str) -> tuple[Reference, ...]:
        """Returns what `name` may mean, the first first; one for every name with a host.

        For a short name: its alias, else one for each registry to search, else Docker Hub. UsageError when it is no
        name, or when `short-name-mode` is enforcing and several registries would be searched.
        """
        plain = Reference.parse(name)
        short = short_name(name)
        if not short:
            return (plain,)
        end = name[len(short) :]
        if alias := self._alias(short):
            return (Reference.parse(alias + end),)
        if not self.search:
            return (plain,)
        found = tuple(Reference.parse(f"{host}/{name}") for host in self.search)
        if self.enforcing and len(found) > 1:
            raise UsageError(
                f"the short name {quoted(name)} could be any of {', '.join(map(str, found))}, expected a name with "
                "its registry (short-name-mode in registries.conf is enforcing)",
                hint=f"write {found[0]}, or define an alias in registries.conf",
            )
        return found

    def _rule(self, repository: Repository) -> tuple[Rule | None, int]:
        name = str(repository)
        best, most = None, 0
        for rule in self.rules:
            if (length := _matched(name, rule.prefix)) > most:
                best, most = rule, length
        if best is not None and best.blocked:
            raise RegistryError(
                f"{repository} is not asked for: {best.origin} blocks {best.prefix}",
                hint="whoever administers this machine decided so: use another registry, or change that file",
            )
        return best, most

    def _alias(self, short: str) -> str:
        if not self.alias_files:
            return ""
        from bpfimg.oci._settings._registries_files import find_alias

        return find_alias(self.alias_files, short)


NONE = Registries()


def short_name(name: str) -> str:
    """Returns `name` without tag and digest when it names no registry, "" when it does."""
    head = name.partition("@")[0]
    if Repository.has_host(head):
        return ""
    last = head.rpartition("/")[2]
    return head[: len(head) - len(last)] + last.partition(":")[0]


def _matched(name: str, prefix: str) -> int:
    """Returns how much of `name` the prefix covers, 0 for nothing; as podman does it, ports need not be named."""
    if prefix.startswith("*."):
        host = name.partition("/")[0].partition(":")[0]
        end = len(host)
        covers = host.endswith(prefix[1:]) and end >= len(prefix)
    else:
        end = len(prefix)
        covers = name.startswith(prefix)
    return end if covers and name[end : end + 1] in ("", "/", ":") else 0


def _moved(rule: Rule, name: str, *, insecure: bool, mirror: bool = False) -> Endpoint:
    host, _, path = name.partition("/")
    try:
        found = Repository.parse(f"{host}/{path}")
    except UsageError as error:
        raise RegistryError(f"{rule.origin} makes {quoted(name)} of {rule.prefix}, expected a repository") from error
    return Endpoint(found.host, found.path, insecure, mirror)
