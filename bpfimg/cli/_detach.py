"""`bpfimg detach`: a link goes, its program stays loaded."""

from __future__ import annotations

from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.load import LinkRecord, Load

EPILOG = """\
It works when the interface, namespace, control group or file has gone, too. Programs stay loaded.

All that is named is looked up before the first goes. What went is printed as it goes; one that cannot be detached
does not keep the others, and is an error in the end.

--program takes what others (xdp-loader) have put into the XDP chain of an interface out of it, by its id in the kernel;
the other programs of the chain run on.

examples:
  bpfimg detach 43
  bpfimg detach --program 1234 --iface eth0
  bpfimg detach -l team=net --type tcx
  bpfimg links"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._selected import add_selector

    parser.add_argument("links", metavar="LINK", nargs="*", help="id of a link, as `bpfimg links` shows it")
    add_selector(parser)
    parser.add_argument("--program", metavar="ID", help="a program of others in the XDP chain of --iface")
    parser.add_argument("-i", "--iface", metavar="IF", help="the interface, with --program")
    parser.add_argument("--netns", metavar="PATH", help="its network namespace: a path, or a name as `ip netns` has it")
    parser.add_argument("--ignore-missing", action="store_true", help="a link that is not there (any more) is no error")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Detaches one after the other; prints the ids of the links that went."""
    from bpfimg import run as running
    from bpfimg.cli._loaded import host_of
    from bpfimg.cli._parser import tell
    from bpfimg.cli._render import json_text
    from bpfimg.cli._selected import check_one_way, selector

    wanted = selector(arguments)
    if arguments.program is not None or arguments.iface is not None or arguments.netns is not None:
        return _evict(arguments, bool(wanted), options)
    check_one_way(arguments.links, wanted, "ids of links")
    numbers = [link_number(word) for word in arguments.links]
    gone: list[dict[str, object]] = []

    def went(load: Load, number: int, record: LinkRecord | None) -> None:
        gone.append({"id": number, "program_id": record.program_id if record else None, "load": load.id})
        if not options.json:
            print(number if options.quiet or record is None else f"{number} ({_was(record)})")

    done = False
    try:
        running.detach_many(
            host_of(options),
            numbers,
            selector=wanted,
            missing_ok=arguments.ignore_missing,
            gone=went,
            missing=lambda sentence: tell(options, sentence),
        )
        done = True
    finally:  # what went is said although a later one failed
        if options.json and (gone or done):
            print(json_text({"links": gone}))
    return 0


def _evict(arguments: argparse.Namespace, selected: bool, options: Options) -> int:
    """Takes a program of others off, the only way to name which: it has no link of ours."""
    from bpfimg import run as running
    from bpfimg.cli._loaded import host_of
    from bpfimg.cli._render import json_text

    if arguments.program is None or arguments.iface is None or arguments.links or selected:
        raise UsageError("a program of others is named by --program ID and --iface IF, expected both and no more")
    word = arguments.program
    if not (word.isascii() and word.isdigit() and len(word) <= 10):
        raise UsageError(
            f"--program is {quoted(word)}, expected its id, a number", hint="`bpfimg status` shows the ids"
        )
    running.evict(host_of(options), arguments.iface, int(word), netns=arguments.netns)
    if options.json:
        print(json_text({"links": [{"id": None, "program_id": int(word), "load": None}]}))
    elif options.quiet:
        print(int(word))
    else:
        print(f"program {int(word)} was on xdp {arguments.iface}")
    return 0


def _was(record: LinkRecord) -> str:
    return f"{record.program_name} was on {record.hook} {record.target}"


def link_number(word: str) -> int:
    """The id of a link; UsageError for a word that is none."""
    if not (word.isascii() and word.isdigit() and len(word) <= 10):
        hint = "`bpfimg links` shows the ids, `bpfimg links --application NAME` those of an application"
        raise UsageError(f"the link is {quoted(word)}, expected its id, a number", hint=hint)
    return int(word)
