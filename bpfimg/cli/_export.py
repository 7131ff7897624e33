"""`bpfimg export`: what is loaded now, as the file that brings it back."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
Writes TOML that `bpfimg apply` reads: images by digest, programs, globals, metadata and hooks. What cannot be declared
(what is damaged, what has no image) is said on stderr. Nothing secret is in it.

examples:
  bpfimg export > /etc/bpfimg/apply.toml
  bpfimg export -o json xdp_counter"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("applications", metavar="ID|NAME", nargs="*", help="only these (default: everything)")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the declaration; `-q`: the names of the applications."""
    from bpfimg import inspect
    from bpfimg import run as running
    from bpfimg.cli._applied import orders
    from bpfimg.cli._loaded import host_of
    from bpfimg.cli._parser import warn
    from bpfimg.cli._render import clean, json_text

    host = host_of(options)
    named = {load.id: load for load in (host.find(word) for word in arguments.applications)}
    loads = list(named.values()) if arguments.applications else host.loads()
    document = running.apply.exported(loads, orders=orders(inspect.host(host).links), warn=warn)
    if options.json:
        print(json_text({"application": [], **document}))
    elif options.quiet:
        found: list[dict[str, object]] = document.get("application", [])  # type: ignore[assignment]
        print("".join(f"{clean(str(each['name']))}\n" for each in found), end="")
    else:
        print(running.apply.toml(document), end="")
    return 0
