"""Which policy decides: the key given on the spot, the policy file given, or the system's."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.sign import Believed, Policy

__all__ = ["add_key", "policy", "signer_entry"]


def add_key(parser: argparse.ArgumentParser, **settings: object) -> None:
    """Adds `--key`."""
    text = "believe images signed with this public key, instead of what the policy file says"
    parser.add_argument("--key", metavar="PUB", help=text, **settings)  # type: ignore[arg-type]


def policy(options: Options, key: str | None) -> Policy:
    """The trust policy in force; raises `KeyFileError` or `PolicyError`. Root's policy file must be root's own."""
    import os

    from bpfimg import sign

    if key is not None:
        from bpfimg.cli._key_source import read_key

        return sign.Policy.for_key(sign.PublicKey.load(read_key(key)), f"--key {key}")
    return sign.Policy.load(options.policy, system=os.geteuid() == 0)


def signer_entry(believed: Believed) -> dict[str, str]:
    """One signature that was believed, as JSON."""
    return {"authority": believed.authority, "key": believed.fingerprint, "format": believed.format}
