"""`bpfimg logout`: credentials for a registry, forgotten."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
The login is removed from the file of --authfile, or from every file in which bpfimg would find it, those of docker and
podman included; programs that credHelpers or credsStore name forget it as well.

examples:
  bpfimg logout registry.example
  bpfimg logout --all"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("registry", metavar="REGISTRY", nargs="?", help="HOST[:PORT][/NAMESPACE]")
    parser.add_argument("-a", "--all", action="store_true", help="forget every login")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Forgets one login, or all."""
    from bpfimg.cli._access import registry_options
    from bpfimg.cli._parser import tell
    from bpfimg.cli._render import json_text
    from bpfimg.oci import places

    if bool(arguments.registry) == arguments.all:
        raise UsageError("logout takes a registry or --all, expected one of them")
    forgotten = places.logout(arguments.registry or None, registry_options(options), lock_timeout=options.lock_timeout)
    if options.json:
        entries = [{"id": each.registry, "file": each.file, "program": each.program} for each in forgotten]
        print(json_text({"logins": entries}))
        return 0
    for each in forgotten:
        tell(options, f"logged out of {each.registry}; removed from {each.program or each.file}")
    if not forgotten:
        tell(options, "there was no login")
    return 0
