"""`bpfimg gc`: what killed commands left goes, and on request what leads nowhere any more."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.load import Host

EPILOG = """\
Every command that changes the host sweeps first, so there is seldom anything to do. Chains of programs get back what
other tools took away of their pins, and what is pinned of chains that run nowhere goes. --stale also detaches links
whose interface, namespace, control group or file has gone; what they belong to stays loaded. For the local store
there is `bpfimg prune`.

examples:
  bpfimg gc
  bpfimg gc --stale"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("--stale", action="store_true", help="detach links that lead nowhere any more, too")
    parser.add_argument("--dry-run", dest="dry_run", action="store_true", help="only say what would go")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints what went; 1 when something would not go."""
    from bpfimg import inspect
    from bpfimg import run as running
    from bpfimg.cli._loaded import host_of
    from bpfimg.cli._parser import tell, warn
    from bpfimg.cli._render import clean, json_text

    host = host_of(options)
    wrong = _chains(host)
    swept, left = (host.unfinished(), ()) if arguments.dry_run else running.sweep(host)
    mended = wrong if arguments.dry_run else wrong - _chains(host)
    # what is in a chain, and lacks no more than its slot there, leads somewhere
    stale = [
        view
        for view in inspect.host(host).links
        if view.id is not None and view.state == "stale" and (view.how != "dispatcher" or view.position is None)
    ]
    stale = stale if arguments.stale else []
    if not arguments.dry_run:
        for view in stale:
            running.detach(host, view.id or 0)
    if options.json:
        print(
            json_text(
                {
                    "dry_run": arguments.dry_run,
                    "swept": [
                        *({"id": each.path, "running": list(each.running)} for each in swept),
                        *({"id": each, "running": []} for each in sorted(mended)),
                    ],
                    "detached": [{"id": view.id, "hook": view.hook, "target": view.target} for view in stale],
                    "left": [{"id": each.path, "running": list(each.running)} for each in left],
                }
            )
        )
    else:
        lines = [*(each.path for each in swept), *sorted(mended)]
        lines += [str(view.id) if options.quiet else f"link {view.id}: {view.hook} {view.target}" for view in stale]
        print("".join(f"{clean(line)}\n" for line in lines), end="")
    for each in left:
        warn(f"{each.path} could not be taken away")
    if not swept and not stale and not left and not mended:
        tell(options, "nothing to sweep")
    return 1 if left else 0


def _chains(host: Host) -> set[str]:
    """Where chains have something wrong with them that a sweep mends."""
    from bpfimg.inspect import doctor

    return {each.where for each in doctor.chains(host) if each.remedy == "bpfimg gc"}
