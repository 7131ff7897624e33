"""`bpfimg run`: from a name to a program that runs, in one step."""

from __future__ import annotations

from bpfimg.cli import _help

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = f"""\
Pulls the image if the store lacks it, verifies its signatures by the policy (or by --key, or --certificate-identity),
loads one program and attaches it. All of it or nothing; the program stays when the command has ended, until
`bpfimg unload`.
`bpfimg run REF xdp --help` shows the options of a hook. Options of `run` may also stand behind HOOK.

{_help.PULL}

examples:
  bpfimg run registry.example/xdp_counter:v1 xdp --iface eth0
  bpfimg run -g GLOBAL_u8=1 --key cosign.pub registry.example/xdp_pass:v1 xdp -i eth0 -p 100
  bpfimg run registry.example/tc_counter:v1 tc -i eth0 -d ingress"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._asked import add_asked
    from bpfimg.cli._hooks import add_hooks
    from bpfimg.cli._options import add_common

    parser.add_argument(
        "reference", metavar="REF", help="the image, or a path like ./prog.o where the policy lets that"
    )
    add_asked(parser)

    def also(hook: argparse.ArgumentParser) -> None:
        add_asked(hook, behind_hook=True)
        add_common(hook)

    add_hooks(parser, also)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Runs, and shows the program as `bpfimg get` does."""
    from bpfimg.cli._hooks import hook_from
    from bpfimg.cli._loaded import bring

    bring(arguments, hook_from(arguments), options)
    return 0
