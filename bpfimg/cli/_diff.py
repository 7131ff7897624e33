"""`bpfimg diff`: what changed between two objects or images, and whom it breaks."""

from __future__ import annotations

from bpfimg.cli import _help
from bpfimg.cli._report_files import add_reports, reports, write
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.bytecode import Dissection
    from bpfimg.cli._options import Options
    from bpfimg.inspect import Change
    from bpfimg.oci import Platform

EPILOG = f"""\
A and B are images or object files. Two images are compared platform by platform; an object is compared with the image
for --platform, or for this machine. The exit code is 0 when nothing breaks for those who load A today, 10 when
something does; with --strict it is 11 for changes that break nothing.

{_help.TRANSPORTS}

examples:
  bpfimg diff old.bpf.o new.bpf.o
  bpfimg diff registry.example/xdp_counter:v1 registry.example/xdp_counter:v2 \\
    --format markdown >> comment.md
  bpfimg diff old.bpf.o new.bpf.o --report json=diff.json \\
    --report github=remarks"""

_FORMATS = ("text", "json", "markdown", "github", "junit")
_BREAKING, _CHANGED = 10, 11


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("before", metavar="A", help="the image or object that there was")
    parser.add_argument("after", metavar="B", help="the one that there is now")
    parser.add_argument("--format", metavar="FORMAT", help=f"what to print: {', '.join(_FORMATS)}")
    add_reports(parser)
    parser.add_argument("--platform", metavar="OS/ARCH", help="compare this platform of images only")
    parser.add_argument("--strict", action="store_true", help="exit code 11 when something changed that breaks nothing")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the changes, the breaking ones first."""
    from bpfimg.cli._parser import chosen_format
    from bpfimg.inspect import diff
    from bpfimg.oci import Platform

    form = chosen_format(arguments.format, options, _FORMATS)
    files = reports(arguments.report, _FORMATS)
    wanted = Platform.parse(arguments.platform) if arguments.platform else None
    before, after = (_side(word, options, wanted) for word in (arguments.before, arguments.after))
    if "" in before or "" in after:
        before, after = (
            _one(side, wanted or Platform.host(), word)
            for side, word in ((before, arguments.before), (after, arguments.after))
        )
    changes = diff.images(before, after)

    def render(each: str) -> str:
        return _render(each, (arguments.before, arguments.after), changes, after, options)

    write(files, render)
    print(render(form), end="")
    verdict = diff.verdict(changes)
    if verdict == "breaking":
        return _BREAKING
    return _CHANGED if arguments.strict and verdict != "same" else 0


def _side(word: str, options: Options, wanted: Platform | None) -> dict[str, Dissection]:
    """The objects by platform, "" for that of a file, a C source among them. An image that cannot be read is an error
    here."""
    from bpfimg.cli._object_file import dissected
    from bpfimg.cli._subjects import subjects

    found: dict[str, Dissection] = {}
    known: dict[bytes, Dissection] = {}  # platforms may share an object
    for subject in subjects([word], options, (wanted,) if wanted else ()):
        if subject.error is not None:
            raise subject.error
        platform = "" if word.endswith(".c") else subject.platform
        if platform in found:
            raise UsageError(f"{quoted(word)} is a folder of several objects, expected one object or image")
        if subject.data not in known:
            known[subject.data] = dissected(subject.data, subject.name)
        found[platform] = known[subject.data]
    return found


def _one(side: dict[str, Dissection], wanted: Platform, word: str) -> dict[str, Dissection]:
    """The one object of that side to be compared with a file."""
    if len(side) == 1:
        return {"": next(iter(side.values()))}
    chosen = side.get(str(wanted))
    if chosen is None:
        raise UsageError(f"{quoted(word)} has no platform {wanted}, expected --platform with one of {', '.join(side)}")
    return {"": chosen}


def _render(
    form: str, names: tuple[str, str], changes: Sequence[Change], after: dict[str, Dissection], options: Options
) -> str:
    """The text of one form, with its last line end."""
    from bpfimg.cli._render import json_text
    from bpfimg.inspect import diff

    if form == "json":
        return f"{json_text(diff.report(*names, changes))}\n"
    if form == "markdown":
        return diff.markdown(*names, changes)
    if form == "junit":
        return diff.junit(*names, changes)
    if form == "github":
        return diff.remarks(*names, changes, _places(changes, after))
    if options.quiet:
        return f"{diff.verdict(changes)}\n"
    return "".join(f"{line}\n" for line in _text(*names, changes))


def _places(changes: Sequence[Change], after: dict[str, Dissection]) -> dict[Change, tuple[str, int]]:
    """Where in the repository the programs begin that were changed."""
    from bpfimg.cli._checkout import Checkout

    checkout = Checkout.here()
    begin = {
        program.name: dissection.ext.line_at(program.section, program.offset)
        for dissection in after.values()
        if dissection.ext is not None
        for program in dissection.object.programs
    }
    found = {}
    for change in changes:
        line = begin.get(change.name) if change.kind == "program" else None
        file = checkout.place(line.file, line.line, line.text) if line is not None else ""
        if line is not None and file:
            found[change] = (file, line.line)
    return found


def _text(before: str, after: str, changes: Sequence[Change]) -> list[str]:
    from bpfimg.cli._render import clean
    from bpfimg.inspect import diff

    counts = ", ".join(
        f"{count} {effect}" for effect in diff.EFFECTS if (count := sum(c.effect == effect for c in changes))
    )
    lines = [clean(f"{before} -> {after}: {counts or 'no change'}")]
    for change in changes:
        field = f"{change.field} " if change.field else ""
        where = f" ({', '.join(change.platforms)})" if change.platforms else ""
        what = f"{change.kind} {change.name}".rstrip()
        lines.append(clean(f"{change.effect:13}  {what}{where}: {field}{_came_or_went(change)}. {change.reason}"))
    return lines


def _came_or_went(change: Change) -> str:
    if change.change != "changed":
        return f"{change.change} ({change.before or change.after})"
    if change.field == "code":  # what it was and is would take a listing
        return "changed"
    return f"changed from {change.before or 'none'} to {change.after or 'none'}"
