"""`bpfimg check`: do the programs of an object load? Here, in kernels under QEMU, or by the types of kernels alone."""

from __future__ import annotations

from bpfimg.cli import _guests, _help
from bpfimg.cli._check_attest import add_attest, check_attest
from bpfimg.cli._check_forms import FORMATS, render
from bpfimg.cli._key_source import SOURCES
from bpfimg.cli._report_files import add_reports, reports, write
from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._check_subject import Looked
    from bpfimg.cli._options import Options
    from bpfimg.inspect import check

EPILOG = f"""\
Without --btf and --kernels each program is given to the verifier of the kernel that runs here, and let go again.
Nothing is pinned or attached. An image is verified first, as `bpfimg run` does it; the path of an object needs a policy
that lets local files in. It takes root, or CAP_BPF and what the programs need.

--kernels boots real kernels in QEMU and asks their verifiers. Nothing reaches the kernel of this machine, so no policy
is asked and no root is needed.

--btf needs no kernel at all: CO-RE relocations are resolved as libbpf does it, program types, map types, helper
functions, kfuncs and targets are looked up in the kernel's types. "ok" says there that nothing speaks against a
program; its verifier has not seen it. What stands behind an existence check that is answered with no is not missed.
"?" is what types cannot say, often because those of modules are not there. A FILE is raw BTF, vmlinux, vmlinuz, or one
of these compressed; of a DIR that has `vmlinux`, its modules too, else every kernel below it.

The number beside "ok" is how many instructions the verifier went through; a program for which that is more than
--max-insns fails. The exit code is 4 when some program fails on some kernel; programs that are not loaded unasked
(SEC("?...")) do not count.

--attest signs what was found, as `bpfimg attest --type compatibility` does: with --key, or in the name of an identity
as `bpfimg sign --help` explains. --key names the signer then, and whom to believe comes from the policy.

{SOURCES}

{_help.TRANSPORTS}

examples:
  sudo bpfimg check registry.example/trace:v1
  bpfimg check trace.bpf.o --kernels 6.1,trixie --max-insns 100000
  bpfimg check trace.bpf.o --btf /sys/kernel/btf/vmlinux kernels/
  bpfimg check trace.bpf.o --btf kernels/ --report junit=check.xml
  bpfimg check registry.example/trace:v1 --kernels 6.1,6.12 \\
    --attest --key cosign.key"""

_CANNOT = 4


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._fetched import add_pull
    from bpfimg.cli._limits import add_limit
    from bpfimg.cli._trust import add_trust

    parser.add_argument("what", metavar="REF|OBJ", nargs="?", help="an image, or the path of an ELF object")
    parser.add_argument("--btf", metavar="FILE|DIR", nargs="+", action="extend", help="kernels' types")
    _guests.add(parser)
    text = "only this program (may be repeated); TYPE:NAME:TARGET where its section leaves open what it is bound to"
    parser.add_argument("--program", metavar="NAME", action="append", help=text)
    parser.add_argument("--platform", metavar="OS/ARCH", help="which image of an index (default: this machine's)")
    text = "instructions that a verifier may go through for one program"
    parser.add_argument("--max-insns", metavar="N", help=text)
    parser.add_argument("--format", metavar="FORMAT", help=f"what to print: {', '.join(FORMATS)} (-o json is the same)")
    add_reports(parser)
    parser.add_argument("--fields", action="store_true", help="also what each CO-RE relocation comes to (with --btf)")
    parser.add_argument("--strict", action="store_true", help='exit code 4 for "?", too')
    add_trust(parser)
    add_attest(parser)
    add_pull(parser, usual="missing")
    add_limit(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the table; 4 when something cannot be loaded."""
    from bpfimg.cli._check_attest import attest, prepared
    from bpfimg.cli._check_subject import looked
    from bpfimg.cli._parser import chosen_format
    from bpfimg.inspect import check

    form = chosen_format(arguments.format, options, FORMATS)
    wanted = reports(arguments.report, FORMATS)
    most = _budget(arguments)
    if arguments.what is None:
        raise UsageError(
            "no image or object is named, expected REF or OBJ",
            hint="everything behind --btf is taken for a kernel: write `bpfimg check OBJ --btf FILE`"
            if arguments.btf
            else "",
        )
    elsewhere = bool(arguments.btf or arguments.kernels)
    check_attest(arguments, elsewhere=elsewhere)
    signer = prepared(arguments, options)
    if elsewhere:
        subject = looked(arguments, options)
        found = check.together(*_elsewhere(arguments, options, subject, most))
    else:
        subject, found = _here(arguments, options, most)
    write(wanted, lambda each: render(each, arguments, found, options))
    print(render(form, arguments, found, options), end="", flush=True)
    if signer is not None:
        attest(subject, arguments, options, found, signer)
    worst = found.worst()
    return _CANNOT if worst == check.FAILS or (arguments.strict and worst == check.UNKNOWN) else 0


def _here(arguments: argparse.Namespace, options: Options, most: int | None) -> tuple[Looked, check.Check]:
    """What the kernel that runs here says; who is not believed learns whom to ask without being believed."""
    from bpfimg.cli._check_subject import here
    from bpfimg.errors import VerificationError

    try:
        return here(arguments, options, most)
    except VerificationError as error:
        asked = f"bpfimg check {arguments.what}"
        other = f"no policy is asked for what this kernel does not load: `{asked} --kernels 6.12`, `{asked} --btf FILE`"
        error.hint = "\n".join(filter(None, (other, error.hint)))
        raise


def _budget(arguments: argparse.Namespace) -> int | None:
    text = arguments.max_insns
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 1_000_000_000):
        raise UsageError(f"--max-insns is {text!r}, expected a number from 1 to 1000000000")
    if arguments.btf and not arguments.kernels:
        raise UsageError(
            "--max-insns is given, and types have no verifier to count instructions, expected --kernels",
            hint="without --btf and --kernels the kernel that runs here is asked",
        )
    return int(text)


def _elsewhere(arguments: argparse.Namespace, options: Options, subject: Looked, most: int | None) -> list[check.Check]:
    """What the types of `--btf` and the kernels of `--kernels` say."""
    from bpfimg.inspect import check

    found = []
    if arguments.btf:
        from bpfimg.cli._kernels import kernels
        from bpfimg.cli._steps import counting

        names, types = [each.name for each in subject.programs], []
        with counting(options, "read the types of kernel") as step:
            for each in kernels(arguments.btf):
                step(each.name)
                types.append(each)
        found.append(check.against(subject.dissection, types, names))
    if arguments.kernels:
        found.append(_in_guests(arguments, options, subject, most))
    return found


def _in_guests(arguments: argparse.Namespace, options: Options, subject: Looked, most: int | None) -> check.Check:
    from bpfimg.guest import Question
    from bpfimg.inspect import check

    words = ("object", *(arguments.program or ()))
    question = Question("bpfimg.load._trial_agent", words, (("object", subject.data),))
    asked = []
    for outcome in _guests.asked(arguments, options, question):
        kernel = outcome.kernel
        if outcome.error is not None:
            words_, hint = str(outcome.error), outcome.error.hint
            asked.append(check.Asked(kernel.name, kernel.release, kernel.package, error=words_, hint=hint))
        else:
            said = {"release": kernel.release, "package": kernel.package}
            asked.append(check.answered(outcome.answer, subject.programs, kernel.name, **said))
    return check.tried(subject.programs, subject.dissection.object.byte_order, asked, max_insns=most)
