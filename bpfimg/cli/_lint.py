"""`bpfimg lint`: what is wrong with an object or image, by rules with stable numbers."""

from __future__ import annotations

from bpfimg.cli import _help
from bpfimg.cli._lint_forms import FORMATS, Looked, render
from bpfimg.cli._report_files import add_reports, reports, write
from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterable, Sequence

    from bpfimg.cli._options import Options
    from bpfimg.cli._subjects import Subject
    from bpfimg.inspect import Problem

    Found = list[tuple[str, Problem]]

EPILOG = f"""\
Nothing is loaded or run. Of a folder all `*.o` files below it are looked at, of an image all platforms. docs/lint has a
page for each rule; --rules lists them. A C source is compiled first, in memory, with macros and include folders of a
bpfimg.toml in this folder. The exit code is 1 when something is as severe as --fail-on or more so.

For pipelines: sarif for code hosts, github for annotations in the log of an action, gitlab for a code quality report,
junit, and markdown for a summary; --report writes any of them beside what is printed. Source files are named as the
repository has them where a file of it has that very line.

{_help.TRANSPORTS}

examples:
  bpfimg lint xdp_counter.bpf.o
  bpfimg lint --disable BL021,perf-buffer --fail-on warning build/
  bpfimg lint --format sarif registry.example/xdp_counter:v1 > lint.sarif
  bpfimg lint --report sarif=lint.sarif --report junit=lint.xml build/"""

_FAIL_ON = ("error", "warning", "note", "never")


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("what", metavar="REF|OBJ|DIR", nargs="*", help="images, objects, folders, C sources")
    parser.add_argument("--format", metavar="FORMAT", help=f"what to print: {', '.join(FORMATS)} (-o json is the same)")
    add_reports(parser)
    parser.add_argument(
        "--platform",
        metavar="OS/ARCH,...",
        action="append",
        help="what objects are for; of images, these only",
    )
    parser.add_argument(
        "--disable", metavar="RULE[,RULE]", action="append", help="rules to leave out, by number or name"
    )
    parser.add_argument(
        "--fail-on", metavar="SEVERITY", default="error", help="error (default), warning, note or never"
    )
    parser.add_argument("--map-memory", metavar="MIB", default="64", help="what one map may take at once (BL033)")
    parser.add_argument("--rules", action="store_true", help="list the rules instead")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the problems; 1 when one is severe enough."""
    from bpfimg.cli._parser import chosen_format, note
    from bpfimg.cli._steps import counting
    from bpfimg.cli._subjects import asked_platforms, subjects
    from bpfimg.inspect import lint

    form = chosen_format(arguments.format, options, FORMATS)
    wanted = reports(arguments.report, FORMATS)
    if arguments.fail_on not in _FAIL_ON:
        raise UsageError(f"--fail-on is {arguments.fail_on!r}, expected {', '.join(_FAIL_ON)}")
    disabled = {lint.rule(word).id for text in arguments.disable or () for word in text.split(",")}
    if arguments.rules:
        return _rules(form)
    if not arguments.what:
        hint = "`bpfimg lint .` looks at all objects of this folder; --rules lists the rules"
        raise UsageError("no image or object is named, expected REF, OBJ or DIR", hint=hint)
    memory = _mebibytes(arguments.map_memory)
    platforms = asked_platforms(arguments.platform)
    seen = list(subjects(arguments.what, options, platforms))
    found: Found = []
    groups = _alike(seen)
    with counting(options, "looking at", len(groups)) as step:
        for each in groups:
            step(each[0].name)
            found += _problems(each, tuple(map(str, platforms)), memory, disabled)
    looked = Looked(found, [subject.name for subject in seen], arguments.fail_on, disabled)
    write(wanted, lambda each: render(each, looked, options))
    print(render(form, looked, options), end="")
    if form == "text" and not options.quiet:
        note(options, f"looked at: {len(seen)}, problems: {len(found)}")
    return 1 if lint.at_least((problem for _, problem in found), arguments.fail_on) else 0


def _mebibytes(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise UsageError(f"--map-memory is {text!r}, expected a number of MiB")
    return int(text) << 20


def _alike(seen: Iterable[Subject]) -> list[list[Subject]]:
    """Platforms of one image that share an object are looked at together."""
    groups: dict[tuple[str, bytes, str], list[Subject]] = {}
    for subject in seen:
        alone = subject.platform if subject.error else ""
        groups.setdefault((subject.name, subject.data, alone), []).append(subject)
    return list(groups.values())


def _problems(group: Sequence[Subject], asked: tuple[str, ...], memory: int, disabled: Collection[str]) -> Found:
    from bpfimg.inspect import lint

    first = group[0]
    own = tuple(subject.platform for subject in group if subject.platform)
    shipped = first.image is not None or first.error is not None
    context = lint.Context(first.name, own or asked, shipped, memory)
    if first.error is not None:
        return [(first.name, problem) for problem in lint.broken(first.error, context, disabled=disabled)]
    images = {subject.platform: subject.image for subject in group if subject.image is not None}
    found = lint.problems(first.data, context, images=images, disabled=disabled)
    return [(first.name, problem) for problem in found]


def _rules(form: str) -> int:
    from bpfimg.cli._render import json_text, table
    from bpfimg.inspect import lint

    if form not in ("text", "json"):
        raise UsageError(f"--rules has no form {form}, expected text or json")
    if form == "json":
        rules = [
            {"id": rule.id, "name": rule.name, "severity": rule.severity, "summary": rule.summary}
            for rule in lint.RULES
        ]
        print(json_text({"rules": rules}))
        return 0
    rows = [(rule.id, rule.name, rule.severity, rule.summary) for rule in lint.RULES]
    print(table(("RULE", "NAME", "SEVERITY", "WHAT"), rows))
    return 0
