"""Object files where `run` and `load` expect an image: for development, and only where the policy says so."""

from __future__ import annotations

import os

from bpfimg._value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.cli._asked import Asked
    from bpfimg.cli._options import Options
    from bpfimg.oci import Memory
    from bpfimg.sign import Policy, VerifiedImage

__all__ = ["local_object", "means_object"]

_WRITE = """for development, write {path}{care}:
{{"version": 1, "default": "deny", "rules": [], "localFiles": "insecure-allow-unsigned"}}
or build an image and sign it: bpfimg build -t NAME FILE, bpfimg sign --key KEY NAME"""


def means_object(text: str) -> bool:
    """Whether the words name a file: a path that begins like one, or a name that ends like an object's.

    What merely exists here under the name of an image does not take its place.
    """
    return text.startswith(("./", "../", "/")) or text.endswith(".o")


def local_object(options: Options, text: str, wanted: Asked) -> tuple[Memory, VerifiedImage]:
    """The object file as an image in memory, read once, and the proof that the policy lets it in unsigned.

    Raises `UsageError` for options that are about signatures or registries, `VerificationError` as the policy says.
    """
    from bpfimg import run
    from bpfimg.cli._object_file import read_object, shown
    from bpfimg.errors import UsageError

    for given, flag, what in (
        (wanted.trust.given, "whom to believe (--key, --certificate-identity, --trusted-root)", "nobody signed a file"),
        (wanted.allow_downgrade, "--allow-downgrade", "a file has no version"),
        (wanted.pull_given is not None, "--pull", "a file is not pulled"),
    ):
        if given:
            raise UsageError(
                f"{text!r} is a local file, and {flag} is given: {what}, expected the name of an image",
                hint="only a policy lets local files in; to have a signature: bpfimg build, bpfimg sign",
            )
    trust = _policy(replace(options, policy=os.path.abspath(options.policy)))  # a record is read from anywhere
    return run.local_file(shown(os.path.abspath(text)), read_object(text), trust)


def _policy(options: Options) -> Policy:
    """The policy file; where there is none, the hint says what would let local files in."""
    from bpfimg.cli._trust import Trust, policy
    from bpfimg.errors import PolicyError

    try:
        return policy(options, Trust())
    except PolicyError as error:
        if not os.path.lexists(options.policy):
            care = " (owned by root, mode 0644)" if os.geteuid() == 0 else ""
            error.hint = _WRITE.format(path=options.policy, care=care)
        raise
