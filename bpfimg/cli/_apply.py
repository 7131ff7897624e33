"""`bpfimg apply`: the declared set of programs runs afterwards; what differs is shown first."""

from __future__ import annotations

from bpfimg.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.run import apply

EPILOG = """\
FILE (- is stdin) is TOML, or the same as JSON:

  version = 1
  [[application]]
  name = "counter"
  image = "registry.example/xdp_counter:v1"
  globals = { sample = 10 }
  [[application.attach]]
  hook = "xdp"
  interface = "eth0"
  priority = 50

`hook` is a HOOK of `bpfimg run`, and beside it are its fields; `bpfimg export` writes such a file. What runs as it is
declared stays untouched, so a second time changes nothing. A changed image or global takes the place of the old one
without a gap where the kernel can exchange programs, and never before it was verified and loaded. Another priority or
proceed_on of an xdp or tc hook is a change of the running chain, as `bpfimg set` makes it. Applications are
independent: where one fails the others are applied, and the exit code is that of the first failure. What the file does
not declare stays, unless --prune.

examples:
  bpfimg apply --dry-run /etc/bpfimg/apply.toml
  bpfimg export | ssh other bpfimg apply -"""

_MARKS = {"run": "+", "keep": "=", "attach": "~", "change": "~", "replace": "~", "unload": "-"}
_LINK_MARKS = {"attach": "+", "keep": "=", "change": "~", "detach": "-"}


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._limits import add_limit
    from bpfimg.cli._trust import add_trust

    parser.add_argument("file", metavar="FILE", help="what should run; - is stdin")
    parser.add_argument("--dry-run", dest="dry_run", action="store_true", help="only show what would change")
    parser.add_argument("--prune", action="store_true", help="unload what the file does not declare")
    parser.add_argument(
        "--allow-gap",
        dest="allow_gap",
        action="store_true",
        help="take the old program off first where the kernel cannot exchange it",
    )
    add_trust(parser)
    add_limit(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Shows the difference on stderr, applies it, prints what was done; the exit code is that of the first failure."""
    from bpfimg.cli._applied import Applier
    from bpfimg.cli._given_file import read_given
    from bpfimg.cli._main import exit_code
    from bpfimg.cli._parser import warn
    from bpfimg.cli._render import json_text
    from bpfimg.cli._trust import trust
    from bpfimg.run import apply

    data = read_given(arguments.file, "FILE", 4 << 20, stdin=True)
    applications = apply.desired(data, name=arguments.file if arguments.file != "-" else "the file")
    applier = Applier(options, trust(arguments), allow_gap=arguments.allow_gap)
    changes = applier.changes(applications, prune=arguments.prune)
    if not options.json and not options.quiet:
        _show(changes, applier.failures)
    if not arguments.dry_run:
        for change in changes:
            try:
                applier.do(change)
            except Error as error:
                applier.failures[change.name] = error
                warn(f"{change.name}: {error}" + (f" (hint: {error.hint})" if error.hint else ""))
    if options.json:
        print(json_text({"dry_run": arguments.dry_run, "changes": _entries(applications, changes, applier.failures)}))
    elif options.quiet:
        print("".join(f"{each.name}\n" for each in changes if each.action != "keep"), end="")
    return next((exit_code(error) for error in applier.failures.values()), 0)


def _show(changes: Sequence[apply.Change], failures: dict[str, Error]) -> None:
    from bpfimg.cli._render import clean

    for change in changes:
        why = f" ({'; '.join(change.reasons)})" if change.reasons else ""
        print(clean(f"{_MARKS[change.action]} {change.name}: {change.action}{why}"))
        for link in change.links:
            number = f" (link {link.link})" if link.link is not None else ""
            how = f": {'; '.join(link.reasons)}" if link.reasons else ""
            print(clean(f"    {_LINK_MARKS[link.action]} {link.hook} {link.target}{number}{how}"))
    for name, error in failures.items():
        print(clean(f"! {name}: {error}"))


def _entries(
    applications: Sequence[apply.Application], changes: Sequence[apply.Change], failures: dict[str, Error]
) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = []
    for change in changes:
        links = [
            {
                "action": each.action,
                "hook": each.hook,
                "target": each.target,
                "link": each.link,
                "reasons": list(each.reasons),
            }
            for each in change.links
        ]
        entry = {"id": change.name, "action": change.action, "digest": change.digest or None}
        entries.append(
            {**entry, "reasons": list(change.reasons), "links": links, "error": _said(failures, change.name)}
        )
    known = {change.name for change in changes}
    for each in applications:
        if each.name not in known:
            lost: dict[str, object] = {"id": each.name, "action": "none", "digest": None, "reasons": [], "links": []}
            entries.append({**lost, "error": _said(failures, each.name)})
    return entries


def _said(failures: dict[str, Error], name: str) -> dict[str, str] | None:
    error = failures.get(name)
    return None if error is None else {"kind": type(error).__name__, "message": str(error), "hint": error.hint}
