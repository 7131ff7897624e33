"""`bpfimg check`: would the programs of an object load into kernels of which only the types are here?"""

from __future__ import annotations

from bpfimg.cli import _help
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from bpfimg.bytecode import Dissection
    from bpfimg.cli._options import Options
    from bpfimg.inspect import check

EPILOG = f"""\
Needs no root and loads nothing: CO-RE relocations are resolved as libbpf does it, program types, map types, helper
functions, kfuncs and targets are looked up in the kernel's types. "ok" says that nothing speaks against a program;
its verifier has not seen it. What stands behind an existence check that is answered with no is not missed.
"?" is what types cannot say, often because those of modules are not there.

A FILE is raw BTF, vmlinux, vmlinuz, or one of these compressed; of a DIR that has `vmlinux`, its modules too, else
every kernel below it. The exit code is 4 when some program cannot be loaded into some kernel; programs that are not
loaded unasked (SEC("?...")) do not count.

{_help.TRANSPORTS}

examples:
  bpfimg check trace.bpf.o --btf /sys/kernel/btf/vmlinux
  bpfimg check registry.example/trace:v1 --btf /boot/vmlinuz-6.1 btfhub/ubuntu
  bpfimg check trace.bpf.o --btf kernels/ --format markdown >> comment.md"""

_FORMATS = ("text", "json", "markdown")
_CANNOT = 4


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("what", metavar="REF|OBJ", nargs="?", help="an image, or the path of an ELF object")
    parser.add_argument("--btf", metavar="FILE|DIR", nargs="+", action="extend", help="kernels' types")
    parser.add_argument("--program", metavar="NAME", action="append", help="only this program (may be repeated)")
    parser.add_argument("--platform", metavar="OS/ARCH", help="which image of an index (default: this machine's)")
    parser.add_argument("--format", metavar="text|json|markdown", help="what to print (default text)")
    parser.add_argument("--fields", action="store_true", help="also what each CO-RE relocation comes to on each kernel")
    parser.add_argument("--strict", action="store_true", help='exit code 4 for "?", too')


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the table; 4 when something cannot be loaded."""
    from bpfimg.cli._kernels import kernels
    from bpfimg.cli._parser import chosen_format
    from bpfimg.inspect import check

    form = chosen_format(arguments.format, options, _FORMATS)
    if not arguments.btf:
        raise UsageError(
            "no kernel is named, expected --btf FILE or --btf DIR",
            hint="--btf /sys/kernel/btf/vmlinux is the running kernel; trying with its verifier is not supported yet",
        )
    if arguments.what is None:
        raise UsageError(
            "no image or object is named, expected REF or OBJ",
            hint="everything behind --btf is taken for a kernel: write `bpfimg check OBJ --btf FILE`",
        )
    found = check.against(_object(arguments, options), list(kernels(arguments.btf)), arguments.program or ())
    worst = found.worst()
    _print(form, arguments, found, options)
    return _CANNOT if worst == check.FAILS or (arguments.strict and worst == check.UNKNOWN) else 0


def _object(arguments: argparse.Namespace, options: Options) -> Dissection:
    from bpfimg.cli._object_file import dissected
    from bpfimg.cli._subjects import subjects
    from bpfimg.oci import Platform

    wanted = Platform.parse(arguments.platform) if arguments.platform else Platform.host()
    subject, *more = subjects([arguments.what], options, (wanted,))
    if more:
        raise UsageError(f"{quoted(arguments.what)} is a folder of several objects, expected one object or image")
    if subject.error is not None:
        raise subject.error
    return dissected(subject.data, subject.name)


def _print(form: str, arguments: argparse.Namespace, found: check.Check, options: Options) -> None:
    from bpfimg.cli._object_file import shown
    from bpfimg.cli._render import clean, json_text
    from bpfimg.inspect import check

    if form == "json":
        print(json_text({"id": shown(arguments.what), **check.report(found)}))
    elif form == "markdown":
        print(check.markdown(arguments.what, found), end="")
    elif options.quiet:
        print(found.worst())
    else:
        print(_table(found))
        for line in _reasons(found, everything=options.verbose):
            print(clean(line))
        if arguments.fields:
            print("\n" + _fields(found))


def _table(found: check.Check) -> str:
    """Kernels by programs; the other way round when that is narrower than a terminal is wide."""
    from bpfimg.cli._render import table

    programs = [cell.program for cell in found.kernels[0].cells]
    marks = [[_mark(cell) for cell in column.cells] for column in found.kernels]
    kernels = [f"{column.name} ({column.release})" if column.release else column.name for column in found.kernels]
    if sum(len(name) + 2 for name in programs) <= max(80, sum(len(name) + 2 for name in kernels)):
        rows = [(kernel, *cells) for kernel, cells in zip(kernels, marks, strict=True)]
        return table(("KERNEL", *programs), rows)
    rows = [(name, *(cells[at] for cells in marks)) for at, name in enumerate(programs)]
    return table(("PROGRAM", *kernels), rows)


def _mark(cell: check.Cell) -> str:
    from bpfimg.inspect import check

    mark = "?" if cell.result == check.UNKNOWN else cell.result
    return f"({mark})" if cell.optional else mark


def _reasons(found: check.Check, *, everything: bool) -> Iterator[str]:
    """What fails and what is not known, program by program; with `everything` also what does no harm."""
    from bpfimg.inspect import check

    for column in found.kernels:
        for cell in column.cells:
            told = [r for r in cell.reasons if everything or r.effect in (check.FAILS, check.UNKNOWN)]
            if told:
                yield ""
                yield f"{column.name}: {cell.program}"
                yield from (f"  {_reason(reason)}" for reason in told)


def _reason(reason: check.Reason) -> str:
    near = f"; nearest: {reason.nearest}" if reason.nearest else ""
    where = f" ({', '.join(reason.places)})" if reason.places else ""
    return f"{reason.effect:8}  {reason.kind} {reason.subject}: {reason.words}{near}{where}"


def _fields(found: check.Check) -> str:
    from bpfimg.cli._render import table

    rows = [(answer.subject, answer.kind, *(_value(each) for each in answer.answers)) for answer in found.questions]
    return table(("SUBJECT", "ASKED", *(column.name for column in found.kernels)), rows)


def _value(answer: tuple[str, int | None]) -> str:
    outcome, number = answer
    return str(number) if outcome == "resolved" and number is not None else outcome
