"""`bpfimg doctor`: what is inconsistent on this host, and how to mend it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from bpfimg.cli._options import Options
    from bpfimg.inspect import doctor
    from bpfimg.load import Host, Unfinished

EPILOG = """\
Looks at libbpf, kernel, bpffs, at what is loaded and attached, at the policy and at the names in the local store. It
changes nothing; --mend first takes away what killed commands left, as `bpfimg gc` does, and says what that was. The
exit code is 1 while something is wrong (notes do not count).

examples:
  bpfimg doctor
  bpfimg doctor --mend -o json"""

_WORST = ("error", "warning")


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("--mend", action="store_true", help="take away first what killed commands left")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints what was found; 1 when something is wrong."""
    from bpfimg.cli._loaded import host_of
    from bpfimg.cli._parser import tell
    from bpfimg.cli._render import clean, json_text, table

    host = host_of(options)
    mended: Sequence[Unfinished] = ()
    if arguments.mend:
        from bpfimg import run as running

        mended, _ = running.sweep(host)
    found = findings(host, options)
    bad = [each for each in found if each.severity in _WORST]
    if options.json:
        print(
            json_text(
                {
                    "sound": not bad,
                    "findings": [_entry(each) for each in found],
                    "mended": [{"id": each.path, "running": list(each.running)} for each in mended],
                }
            )
        )
    elif options.quiet:
        print("".join(f"{clean(each.id)}\n" for each in found), end="")
    elif found:
        print(table(("SEVERITY", "FINDING", "WHERE", "WHAT", "REMEDY"), [_row(each) for each in found]))
    for each in mended:
        tell(options, f"mended: {each.path}{_took_off(each)}")
    if not found:
        tell(options, "nothing is wrong")
    return 1 if bad else 0


def findings(host: Host, options: Options) -> list[doctor.Finding]:
    """What is wrong with the host, with the policy and with the names in the local store."""
    from bpfimg.inspect import doctor

    return [*doctor.doctor(host), *_policy(options), *_images(options)]


def _entry(finding: doctor.Finding) -> dict[str, object]:
    return {
        "id": finding.id,
        "severity": finding.severity,
        "where": finding.where,
        "what": finding.what,
        "remedy": finding.remedy or None,
    }


def _row(finding: doctor.Finding) -> tuple[str, ...]:
    return finding.severity, finding.id, finding.where, finding.what, finding.remedy or "-"


def _took_off(change: Unfinished) -> str:
    return f" (program {', '.join(map(str, change.running))} was attached by it)" if change.running else ""


def _policy(options: Options) -> Iterator[doctor.Finding]:
    import os

    from bpfimg import sign
    from bpfimg.errors import PolicyError
    from bpfimg.inspect import doctor

    if not os.path.lexists(options.policy):
        yield doctor.Finding(
            "no-policy",
            "note",
            options.policy,
            "there is no trust policy: `run` needs --key or --certificate-identity",
            "bpfimg policy init",
        )
        return
    try:
        sign.Policy.load(options.policy, system=os.geteuid() == 0)
    except PolicyError as error:
        yield doctor.Finding("policy", "error", options.policy, str(error), error.hint)


def _images(options: Options) -> Iterator[doctor.Finding]:
    """The names in the store, not the bytes: those are for fsck."""
    import os

    from bpfimg.errors import Error
    from bpfimg.inspect import doctor
    from bpfimg.oci import places

    if not os.path.lexists(options.store):
        return  # nothing was pulled or built yet
    try:
        places.stores.listing(options.store)
    except Error as error:
        yield doctor.Finding("store", "error", options.store, str(error), error.hint or "bpfimg fsck")
