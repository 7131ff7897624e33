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

An object is one unit: its programs share maps and globals, and are unloaded together. With several --program those
that fit HOOK are attached and the others are loaded with them; programs that they jump to come along by themselves.
The word `auto` in place of a hook attaches every program, or those named, where its section says (tracepoint/x/y,
kprobe/f, fentry/f); what sections leave open is given once (--iface, --direction, --cgroup).

`iter` and `syscall` in place of a hook run the program once, print what it says, and leave nothing.

--dry-run says each step and asks the kernel, by a load that is closed again: nothing is pinned or attached. Its exit
code is that of the real run: 1 where the verifier refuses a program or a hook is taken, 4 where the kernel lacks it.
What only an attachment finds out it cannot say: that somebody else's netfilter program has the priority, that a program
wants to be alone in a control group, or that the name of operations (struct_ops) is in use.

{_help.PULL}

examples:
  bpfimg run registry.example/xdp_counter:v1 xdp --iface eth0
  bpfimg run -g GLOBAL_u8=1 --key cosign.pub registry.example/xdp_pass:v1 xdp \\
    -i eth0 -p 100
  bpfimg run registry.example/tc_counter:v1 tc -i eth0 -d ingress
  bpfimg run registry.example/iter_task:v1 iter --pid 1
  bpfimg run --dry-run registry.example/watch:v2 auto --iface eth0"""


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

    add_hooks(parser, also, run=True)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Runs, and shows the program as `bpfimg get` does."""
    if arguments.hook in ("iter", "syscall"):
        from bpfimg.cli import _hook_once

        return _hook_once.run(arguments, options)
    from bpfimg.cli._hooks import hook_from
    from bpfimg.cli._loaded import bring

    bring(arguments, hook_from(arguments), options)
    return 0
