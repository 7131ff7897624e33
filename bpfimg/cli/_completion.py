"""`bpfimg completion`: what makes a shell complete the words of bpfimg."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
Verbs, options and their values are completed, images of the local store, programs and links by id, applications, maps,
interfaces, tracepoints and functions of the kernel, as far as the user may see them. Nothing is changed by that, and
nothing asks a registry. Put the script where the shell looks for it, and begin a new shell.

examples:
  bpfimg completion bash > ~/.local/share/bash-completion/completions/bpfimg
  bpfimg completion zsh > ~/.zfunc/_bpfimg  # fpath+=~/.zfunc before compinit
  bpfimg completion fish > ~/.config/fish/completions/bpfimg.fish"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("shell", metavar="bash|zsh|fish", help="the shell that is to complete")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the script."""
    from bpfimg.cli._completion_scripts import SCRIPTS
    from bpfimg.cli._render import json_text
    from bpfimg.errors import UsageError, quoted

    script = SCRIPTS.get(arguments.shell)
    if script is None:
        from bpfimg.cli._near import near

        message = f"the shell is {quoted(arguments.shell)}, expected one of {', '.join(SCRIPTS)}"
        raise UsageError(message, hint=near(arguments.shell, SCRIPTS))
    if options.json:
        print(json_text({"scripts": [{"id": arguments.shell, "text": script}]}))
    else:
        print(script, end="")
    return 0
