"""`bpfimg policy`: begin a trust policy, look into one, ask which rule is for an image."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
A policy says whose signatures are believed about which images; without one nothing is. `check` reads all that it names,
and says in words what it means and what may not be meant. `explain` needs neither the image nor a network. `init` never
overwrites: without keys and scopes it writes a policy that believes nothing.

examples:
  bpfimg policy init --key release.pub --scope registry.example.com/team/**
  bpfimg policy init p.json --scope ghcr.io/acme/** \\
    --certificate-identity-regexp 'https://github\\.com/acme/.+@refs/tags/v.*' \\
    --certificate-oidc-issuer https://token.actions.githubusercontent.com
  bpfimg policy init p.json --from-containers /etc/containers/policy.json
  bpfimg policy check p.json
  bpfimg policy explain registry.example.com/team/xdp_counter:v1"""

_ACTIONS = (
    ("init", "write a policy to begin with"),
    ("check", "say whether a policy is valid, what it means, and what to look at"),
    ("explain", "say which rule is for an image, and why"),
)


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli import _policy_init
    from bpfimg.cli._options import add_common
    from bpfimg.cli._parser import Parser

    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    found = {name: actions.add_parser(name, help=text, description=f"{text.capitalize()}.") for name, text in _ACTIONS}
    _policy_init.add(found["init"])
    found["check"].add_argument("file", metavar="FILE", nargs="?", help="the policy (default: the one in force)")
    found["explain"].add_argument("reference", metavar="REF", help="the image, or the path of an object file")
    for action in found.values():
        add_common(action)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Does one of the three."""
    from bpfimg.cli import _policy_check, _policy_explain, _policy_init

    if arguments.action == "init":
        return _policy_init.run(arguments, options)
    if arguments.action == "check":
        return _policy_check.run(arguments.file or options.policy, options)
    return _policy_explain.run(arguments.reference, options)
