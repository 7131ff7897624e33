"""`bpfimg attach`: a loaded program to one more hook."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
`bpfimg attach ID xdp --help` shows the options of a hook.

examples:
  bpfimg attach 42 xdp --iface eth0
  bpfimg attach 42 tc --iface eth0 --direction egress"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from argparse import SUPPRESS

    from bpfimg.cli._hooks import add_hooks
    from bpfimg.cli._options import add_common

    parser.add_argument("id", metavar="ID", help="id of the program, or name of an application")
    parser.add_argument("--program", metavar="P", help="which program of the application")
    parser.add_argument("-m", "--metadata", metavar="K=V", action="append", help="a note kept with the link")

    def also(hook: argparse.ArgumentParser) -> None:
        hook.add_argument("-m", "--metadata", dest="metadata_behind", metavar="K=V", action="append", help=SUPPRESS)
        add_common(hook)

    add_hooks(parser, also)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Attaches; prints the link's id, or the link as JSON."""
    from bpfimg import inspect
    from bpfimg import run as running
    from bpfimg.cli._chain_words import order
    from bpfimg.cli._entries import link_entry, where
    from bpfimg.cli._hooks import hook_from
    from bpfimg.cli._loaded import host_of, tell_begun
    from bpfimg.cli._parser import key_values
    from bpfimg.cli._render import json_text

    hook = hook_from(arguments)
    host = host_of(options)
    metadata = key_values([*(arguments.metadata or []), *(arguments.metadata_behind or [])], "--metadata")
    _, record = running.attach(host, arguments.id, hook, program=arguments.program, metadata=metadata)
    links = [view for view in inspect.host(host).links if view.id == record.id]
    tell_begun(links, options)
    if options.json:
        print(json_text({"links": [link_entry(view) for view in links]}))
    elif options.quiet:
        print(record.id)
    else:
        words = f"link {record.id}: {record.program_name} (program {record.program_id}) on {where(links)}"
        print(", ".join([words, *(word for view in links if view.builder for word in order(view))]))
    return 0
