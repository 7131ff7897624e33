"""Reads registries.conf(5), version 2, and its drop-in files: which there are, and what is in them."""

from __future__ import annotations

import os
import stat

from bpfimg.errors import RegistryError, StoreError, quoted
from bpfimg.oci._settings._environment import user_settings
from bpfimg.oci._settings._registries import AUTH_FILES, Mirror, Registries, Rule, short_name
from bpfimg.oci._settings._registries_table import Table, wrong
from bpfimg.oci._store._files import closing, descriptor_pieces, open_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_VARIABLES = ("CONTAINERS_REGISTRIES_CONF", "REGISTRIES_CONFIG_PATH")
_FILE_LIMIT, _MOST_FILES = 256 << 10, 256
_MODES = ("", "enforcing", "permissive", "disabled")
_PULLS = ("", "all", "digest-only", "tag-only")


def load(environ: Mapping[str, str], uid: int, system: str) -> Registries:
    """Returns what the files say, those that are read later over those before; RegistryError for a bad one."""
    rules: dict[str, Rule] = {}
    search: tuple[str, ...] = ()
    mode = ""
    helpers: tuple[str, ...] = ()
    aliases: list[tuple[str, str]] = []
    for path, text in _texts(environ, uid, system):
        kind = _kind(text)
        if kind != "nothing":
            aliases.append((path, text))
        if kind != "all":
            continue
        table = Table(path, _parsed(path, text))
        if "registries" in table.entries:
            raise RegistryError(
                f"{path} is a registries.conf of version 1 (a table [registries]), expected version 2 ([[registry]])",
                hint="containers-registries.conf(5) shows both: search, insecure and block have new names",
            )
        rules |= {rule.prefix: rule for rule in map(_rule, table.tables("registry"))}
        search = (
            tuple(table.hosts("unqualified-search-registries"))
            if table.has("unqualified-search-registries")
            else search
        )
        mode = table.word("short-name-mode", _MODES) or mode
        helpers = tuple(table.texts("credential-helpers")) or helpers
    return Registries(
        rules=tuple(rules.values()),
        search=search,
        enforcing=mode == "enforcing",
        helpers=helpers or (AUTH_FILES,),
        alias_files=tuple(aliases),
    )


def find_alias(files: Sequence[tuple[str, str]], short: str) -> str:
    """Returns what the last file that knows `short` says it stands for, "" for nothing."""
    for path, text in reversed(files):
        found = _parsed(path, text).get("aliases", {})
        if not isinstance(found, dict):
            raise wrong(path, "aliases", found, "a table")
        if short not in found:
            continue
        name = found[short]
        if not isinstance(name, str):
            raise wrong(path, f"aliases.{short}", name, "a name with its registry")
        if name and (short_name(name) or "@" in name or ":" in name.rpartition("/")[2]):
            raise wrong(path, f"aliases.{short}", name, "a name with its registry, without tag and digest")
        return name
    return ""


def _texts(environ: Mapping[str, str], uid: int, system: str) -> Iterator[tuple[str, str]]:
    """Yields path and text of each file, in the order of reading (containers-registries.conf.d(5))."""
    home = environ.get("HOME", "")
    settings = user_settings(environ)
    own = f"{settings}/containers" if settings else ""
    named = next((environ[name] for name in _VARIABLES if environ.get(name)), "")
    folders = [f"{system}/registries.conf.d"]
    if named:
        yield from _text(named, uid, must_exist=True)
    elif own and os.path.exists(f"{own}/registries.conf"):
        yield from _text(f"{own}/registries.conf", uid)
        folders = []
    else:
        yield from _text(f"{system}/registries.conf", uid)
    for folder in (*folders, f"{own}/registries.conf.d" if own else ""):
        for name in _names(folder):
            yield from _text(f"{folder}/{name}", uid)
    cache = environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
    recorded = "/var/cache" if uid == 0 else cache
    if recorded:  # what podman wrote down when somebody chose; it has precedence
        yield from _text(f"{recorded}/containers/short-name-aliases.conf", uid)


def _names(folder: str) -> list[str]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".conf")) if folder else []
    except OSError:
        return []
    if len(names) > _MOST_FILES:
        raise RegistryError(f"{folder} holds {len(names)} files, expected at most {_MOST_FILES}")
    return names


def _text(path: str, uid: int, *, must_exist: bool = False) -> Iterator[tuple[str, str]]:
    try:
        with closing(open_file(path)) as descriptor:
            if uid == 0:
                _check_owner(os.fstat(descriptor), path)
            raw = b"".join(descriptor_pieces(descriptor, _FILE_LIMIT))
        if len(raw) > _FILE_LIMIT:
            raise RegistryError(f"{path} is too large, expected at most {_FILE_LIMIT} bytes")
        yield path, raw.decode()
    except FileNotFoundError as error:
        if must_exist:
            raise RegistryError(f"{path} does not exist, expected the registries.conf that was named") from error
    except (OSError, StoreError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RegistryError(f"{path} cannot be read: {reason}, expected a registries.conf in UTF-8") from error


def _check_owner(found: os.stat_result, path: str) -> None:
    """Raises unless root alone can change what root reads: the file says which image a short name means, and with it
    which rule of the trust policy is for it."""
    if found.st_uid not in (0, os.geteuid()):
        raise RegistryError(
            f"{path} belongs to uid {found.st_uid}, expected root's own registries.conf: it says what names mean",
            hint="HOME, XDG_CONFIG_HOME or CONTAINERS_REGISTRIES_CONF lead there: run it without them (sudo -H)",
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise RegistryError(
            f"{path} has mode {stat.S_IMODE(found.st_mode):04o}, expected that only root can write to it: it says what "
            "names mean",
            hint=f"check what it says, then: chmod go-w {path}",
        )


def _kind(text: str) -> str:
    """Returns "nothing", "aliases" when that is the one table, or "all"; without a parser, which costs 5 ms."""
    found = "nothing"
    for line in text.splitlines():
        line = line.strip()  # noqa: PLW2901
        if not line or line.startswith("#"):
            continue
        if found == "nothing":
            found = "aliases" if line.partition("#")[0].strip() == "[aliases]" else "all"
        elif line.startswith("["):
            return "all"
    return found


def _parsed(path: str, text: str) -> dict[str, object]:
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, or a number of thousands of digits
        reason = "it nests too deeply" if isinstance(error, RecursionError) else quoted(error)[1:-1]
        raise RegistryError(f"{path} is not TOML: {reason}, expected registries.conf of version 2") from error


def _rule(table: Table) -> Rule:
    location = table.place("location")
    prefix = table.place("prefix", wildcard=True) or location
    if not prefix:
        raise table.bad("prefix", "", "a prefix or a location")
    by_digest_only = table.flag("mirror-by-digest-only")
    mirrors = []
    for mirror in table.tables("mirror"):
        pulls = mirror.word("pull-from-mirror", _PULLS)
        if pulls and by_digest_only:
            raise mirror.bad("pull-from-mirror", pulls, "none beside mirror-by-digest-only")
        where = mirror.place("location")
        if not where:
            raise mirror.bad("location", "", "HOST[:PORT][/PATH]")
        kept = "digest-only" if by_digest_only else pulls or "all"
        mirrors.append(Mirror(where, mirror.flag("insecure"), kept))
    return Rule(prefix, table.path, location, table.flag("insecure"), table.flag("blocked"), tuple(mirrors))
