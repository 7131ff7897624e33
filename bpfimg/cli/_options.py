"""The options that every verb takes, from the command line or from `BPFIMG_...` variables."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.cli._opened import Opened
from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

__all__ = ["COMMON_TITLE", "Options", "add_common", "resolve", "takes_value"]

COMMON_TITLE = "options of every verb"

_SYSTEM_POLICY = "/etc/bpfimg/policy.json"

#: flags, metavar (None: a switch), help; the first long flag names the field and the variable
_COMMON: tuple[tuple[tuple[str, ...], str | None, str], ...] = (
    (("--store",), "DIR", "local image store, an OCI layout"),
    (("--bpffs",), "DIR", "where bpffs is mounted (default /sys/fs/bpf)"),
    (("--policy",), "FILE", f"trust policy (default {_SYSTEM_POLICY})"),
    (("--state",), "DIR", "where it is remembered which versions were accepted"),
    (("-o", "--output"), "text|json", "what to print"),
    (("-q", "--quiet"), None, "print ids or digests only, one a line"),
    (("-v", "--verbose"), None, "say on stderr what is being done"),
    (("--authfile",), "FILE", "registry credentials, as docker and podman keep them"),
    (("--ca-file",), "FILE", "PEM file of certificate authorities for the registry"),
    (("--plain-http",), None, "speak HTTP to the registry (loopback registries do so by themselves)"),
    (("--insecure-skip-tls-verify",), None, "do not check the registry's certificate"),
    (("--lock-timeout",), "SECONDS", "how long to wait for another bpfimg (default 30)"),
)


@value(frozen=True, slots=True)
class Options:
    """What every verb is told; the policy file need not exist. `open` closes what the command opened, at its end."""

    store: str
    bpffs: str
    policy: str
    state: str
    output: str
    quiet: bool
    verbose: bool
    authfile: str | None
    ca_file: str | None
    plain_http: bool
    insecure_skip_tls_verify: bool
    lock_timeout: float
    libbpf: str | None
    limit: tuple[str, ...]
    open: Opened

    @property
    def json(self) -> bool:
        """Whether stdout carries one JSON document."""
        return self.output == "json"


def takes_value(word: str) -> bool:
    """Whether the common option `word` is followed by a value of its own."""
    return any(word in flags and metavar for flags, metavar, _ in _COMMON)


def _field(flags: tuple[str, ...]) -> str:
    return flags[-1].lstrip("-").replace("-", "_")


def add_common(parser: argparse.ArgumentParser) -> None:
    """Adds the common options; unset ones leave no attribute, so that sub-parsers do not overwrite them."""
    from argparse import SUPPRESS

    group = parser.add_argument_group(COMMON_TITLE)
    for flags, metavar, text in _COMMON:
        if metavar is None:
            group.add_argument(*flags, action="store_true", default=SUPPRESS, help=text)
        else:
            group.add_argument(*flags, metavar=metavar, dest=_field(flags), default=SUPPRESS, help=text)


def resolve(arguments: argparse.Namespace, environ: Mapping[str, str], uid: int) -> Options:
    """The options in force: the command line, then `BPFIMG_...`, then the defaults of user `uid`.

    Raises `UsageError` for a value that is none of those expected.
    """
    given: dict[str, str | bool] = {}
    for flags, metavar, _ in _COMMON:
        field = _field(flags)
        value = getattr(arguments, field, None)
        if value is None:
            value = environ.get(f"BPFIMG_{field.upper()}") or None
            if metavar is None and value is not None:
                value = _switch(field, value)
        if value is not None:
            given[field] = value
    output = str(given.get("output", "text"))
    if output not in ("text", "json"):
        raise UsageError(f"--output is {output!r}, expected text or json")
    return Options(
        store=str(given.get("store") or _default_store(environ, uid)),
        bpffs=str(given.get("bpffs", "/sys/fs/bpf")),
        policy=_text(given, "policy") or _default_policy(environ, uid),
        state=_text(given, "state") or _default_state(environ, uid),
        output=output,
        quiet=bool(given.get("quiet")),
        verbose=bool(given.get("verbose")),
        authfile=_text(given, "authfile"),
        ca_file=_text(given, "ca_file"),
        plain_http=bool(given.get("plain_http")),
        insecure_skip_tls_verify=bool(given.get("insecure_skip_tls_verify")),
        lock_timeout=_seconds(str(given.get("lock_timeout", "30"))),
        libbpf=environ.get("BPFIMG_LIBBPF") or None,
        limit=_limits(arguments, environ),
        open=Opened(),
    )


def _limits(arguments: argparse.Namespace, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The words of `--limit`, those that win last; `cli._limits` reads them where they count."""
    named = (word for word in environ.get("BPFIMG_LIMIT", "").split(",") if word)
    return (*named, *getattr(arguments, "limit", ()), *getattr(arguments, "limit_behind", ()))


def _text(given: Mapping[str, str | bool], field: str) -> str | None:
    return str(given[field]) if field in given else None


def _switch(field: str, value: str) -> bool:
    if value.lower() in ("1", "true", "yes"):
        return True
    if value.lower() in ("0", "false", "no"):
        return False
    raise UsageError(f"BPFIMG_{field.upper()} is {value!r}, expected 1 or 0")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise UsageError(f"--lock-timeout is {text!r}, expected seconds from 0 to 86400")
    return seconds


def _default_store(environ: Mapping[str, str], uid: int) -> str:
    if uid == 0:
        return "/var/lib/bpfimg/store"
    home = _home(environ, "XDG_DATA_HOME", ".local/share")
    return os.path.join(home, "bpfimg/store")


def _default_state(environ: Mapping[str, str], uid: int) -> str:
    if uid == 0:
        return "/var/lib/bpfimg/history"
    return os.path.join(_home(environ, "XDG_STATE_HOME", ".local/state"), "bpfimg/history")


def _home(environ: Mapping[str, str], variable: str, usual: str) -> str:
    """A base directory; one that is not absolute does not count (XDG Base Directory Specification 0.8)."""
    named = environ.get(variable, "")
    return named if os.path.isabs(named) else os.path.join(environ.get("HOME") or "/", usual)


def _default_policy(environ: Mapping[str, str], uid: int) -> str:
    """Root reads only the system's file: a policy in somebody's home is no policy for the kernel."""
    if uid == 0 or os.path.exists(_SYSTEM_POLICY):
        return _SYSTEM_POLICY
    home = _home(environ, "XDG_CONFIG_HOME", ".config")
    return os.path.join(home, "bpfimg/policy.json")
