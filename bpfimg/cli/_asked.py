"""What `run` and `load` are asked beside REF and HOOK: program, globals, metadata, name, trust, pull policy."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from bpfimg.cli._trust import Trust
    from bpfimg.load import maps

__all__ = ["DOWNGRADE", "Asked", "add_asked", "asked"]

DOWNGRADE = "go back to an older version than was accepted here; only with the image's digest"


@value(frozen=True, slots=True)
class Asked:
    """The options of `run` and `load`, checked."""

    programs: tuple[str, ...]
    globals: Mapping[str, str]
    metadata: Mapping[str, str]
    name: str | None
    trust: Trust
    allow_downgrade: bool
    pull: str
    pull_given: str | None
    dry_run: bool
    sharing: maps.Sharing | None = None


def add_asked(parser: argparse.ArgumentParser, *, behind_hook: bool = False) -> None:
    """Adds the options; with `behind_hook` under other names, so that what stands before HOOK is not overwritten."""
    from argparse import SUPPRESS

    from bpfimg.cli._asked_maps import add_maps
    from bpfimg.cli._limits import add_limit
    from bpfimg.cli._trust import add_trust

    tail = "_behind" if behind_hook else ""

    def add(*flags: str, dest: str, **settings: object) -> None:
        settings["help"] = SUPPRESS if behind_hook else settings["help"]
        parser.add_argument(*flags, dest=dest + tail, default=None, **settings)  # type: ignore[arg-type]

    add(
        "-g",
        "--global",
        dest="globals",
        metavar="NAME=VALUE",
        action="append",
        help="set a global variable before load",
    )
    add("-m", "--metadata", dest="metadata", metavar="K=V", action="append", help="a note kept with the program")
    add("--name", dest="name", metavar="APP", help="name of the application (default: last part of the image's name)")
    add("--program", dest="programs", metavar="P", action="append", help="which program of the image; may be repeated")
    add_maps(parser, add)
    add_trust(parser, behind_hook=behind_hook)
    add("--allow-downgrade", dest="allow_downgrade", action="store_true", help=DOWNGRADE)
    add("--pull", dest="pull", metavar="always|missing|newer|never", help="when to ask the registry (default missing)")
    add_limit(parser, behind_hook=behind_hook)
    add("--dry-run", dest="dry_run", action="store_true", help="do everything but change this host")


def asked(arguments: argparse.Namespace) -> Asked:
    """Merges what stands before and behind HOOK; raises `UsageError`."""
    from bpfimg.cli._asked_maps import network_globals, sharing
    from bpfimg.cli._fetched import pull_policy
    from bpfimg.cli._parser import key_values
    from bpfimg.cli._trust import trust

    def many(field: str) -> list[str]:
        return [*(getattr(arguments, field, None) or []), *(getattr(arguments, f"{field}_behind", None) or [])]

    def one(field: str) -> str | None:
        behind: str | None = getattr(arguments, f"{field}_behind", None)
        before: str | None = getattr(arguments, field, None)
        return before if behind is None else behind

    return Asked(
        programs=tuple(many("programs")),
        globals=network_globals(many, key_values(many("globals"), "--global")),
        metadata=key_values(many("metadata"), "--metadata"),
        name=one("name"),
        trust=trust(arguments),
        allow_downgrade=bool(one("allow_downgrade")),
        pull=pull_policy(one("pull"), "missing"),
        pull_given=one("pull"),
        dry_run=bool(one("dry_run")),
        sharing=sharing(many, one),
    )
