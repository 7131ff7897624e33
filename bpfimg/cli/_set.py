"""`bpfimg set`: another priority or proceed-on for a program that stands in a chain; no packet is missed."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
For programs of xdp and tc hooks, which share a hook in the order of their priorities. The whole chain is exchanged in
one step: each packet meets the old order or the new one. Programs, maps and what is counted in them stay, and so do
the ids of links. A program that is given another priority goes behind those that have it already.

What is not given stays as it is. --proceed-on replaces the results after which the next program runs; after any other
result the chain ends there. xdp: aborted, drop, pass, tx, redirect. tc: unspec, ok, reclassify, shot, pipe, stolen,
queued, repeat, redirect, trap.

examples:
  bpfimg set 43 --priority 60
  bpfimg set 43 --proceed-on pass,drop
  bpfimg status eth0"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("link", metavar="LINK", help="id of a link, as `bpfimg links` shows it")
    parser.add_argument("-p", "--priority", metavar="N", help="lower runs first")
    parser.add_argument("--proceed-on", metavar="A,B", help="go on to the next program after these results")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Changes the link; prints where it stands now, its id, or the link as JSON."""
    from bpfimg import inspect
    from bpfimg import run as running
    from bpfimg.cli._chain_words import order
    from bpfimg.cli._detach import link_number
    from bpfimg.cli._entries import link_entry, where
    from bpfimg.cli._hook_net import action_names, priority_number
    from bpfimg.cli._loaded import host_of
    from bpfimg.cli._render import json_text

    number = link_number(arguments.link)
    if arguments.priority is None and arguments.proceed_on is None:
        raise UsageError("nothing says what to change, expected --priority N or --proceed-on A,B")
    priority = None if arguments.priority is None else priority_number(arguments.priority)
    proceed_on = None if arguments.proceed_on is None else action_names(arguments.proceed_on)
    host = host_of(options)
    _, record = running.change(host, number, priority=priority, proceed_on=proceed_on)
    links = [view for view in inspect.host(host).links if view.id == number]
    if options.json:
        print(json_text({"links": [link_entry(view) for view in links]}))
    elif options.quiet:
        print(number)
    else:
        words = f"link {number}: {record.program_name} (program {record.program_id}) on {where(links)}"
        print(", ".join([words, *(word for view in links for word in order(view))]))
    return 0
