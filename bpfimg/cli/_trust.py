"""Which policy decides: the key or identity given on the spot, the policy file given, or the system's."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.sign import Policy

__all__ = ["Trust", "add_trust", "policy", "trust"]

_HELP = {
    "key": ("PUB", "believe images signed with this public key, instead of what the policy file says"),
    "certificate_identity": ("ID", "believe images that this subject signed keyless, instead of what the policy says"),
    "certificate_identity_regexp": ("RE", "the same for subjects that fit this pattern as a whole"),
    "certificate_oidc_issuer": ("URL", "whose subject it is: the issuer of its tokens"),
    "certificate_oidc_issuer_regexp": ("RE", "the same for issuers that fit this pattern as a whole"),
    "trusted_root": ("FILE", "which authorities and logs to believe, beside --key or --certificate-identity (default "
                     "for identities: those of the public Sigstore)"),
}  # fmt: skip


@value(frozen=True, slots=True)
class Trust:
    """What a command line says about whom to believe; each is None where it says nothing."""

    key: str | None = None
    certificate_identity: str | None = None
    certificate_identity_regexp: str | None = None
    certificate_oidc_issuer: str | None = None
    certificate_oidc_issuer_regexp: str | None = None
    trusted_root: str | None = None

    @property
    def given(self) -> bool:
        """Whether it says anything: then no policy file is asked."""
        return any(getattr(self, name) is not None for name in _HELP)


def add_trust(parser: argparse.ArgumentParser, *, behind_hook: bool = False) -> None:
    """Adds the options; with `behind_hook` under other names, so that what stands before HOOK is not overwritten."""
    from argparse import SUPPRESS

    for name, (metavar, text) in _HELP.items():
        flag = f"--{name.replace('_', '-')}"
        dest = f"{name}_behind" if behind_hook else name
        parser.add_argument(flag, dest=dest, metavar=metavar, default=None, help=SUPPRESS if behind_hook else text)


def trust(arguments: argparse.Namespace) -> Trust:
    """What is said before HOOK and behind it; the last word wins."""

    def one(name: str) -> str | None:
        behind: str | None = getattr(arguments, f"{name}_behind", None)
        before: str | None = getattr(arguments, name)
        return before if behind is None else behind

    return Trust(**{name: one(name) for name in _HELP})


def policy(options: Options, given: Trust) -> Policy:
    """The trust policy in force; raises `UsageError`, `KeyFileError` or `PolicyError`.

    Root's policy file must be root's own.
    """
    import os

    from bpfimg import sign

    if not given.given:
        return sign.Policy.load(options.policy, system=os.geteuid() == 0)
    _check(given)
    if given.key is None:
        return sign.policies.given_identity(
            _described(given),
            subject=given.certificate_identity,
            subject_regexp=given.certificate_identity_regexp,
            issuer=given.certificate_oidc_issuer,
            issuer_regexp=given.certificate_oidc_issuer_regexp,
            root=given.trusted_root,
        )
    from bpfimg.cli._key_source import public_key

    key = public_key(given.key)
    return sign.policies.given_key(key, f"--key {given.key}", given.trusted_root)


def _described(given: Trust) -> str:
    if given.certificate_identity is not None:
        return f"--certificate-identity {given.certificate_identity}"
    return f"--certificate-identity-regexp {given.certificate_identity_regexp}"


def _check(given: Trust) -> None:
    """Raises `UsageError` unless it is a key, or a whole identity."""
    from bpfimg.errors import UsageError

    identity = "--certificate-identity", given.certificate_identity, given.certificate_identity_regexp
    issuer = "--certificate-oidc-issuer", given.certificate_oidc_issuer, given.certificate_oidc_issuer_regexp
    hint = "a keyless signature is believed by both: --certificate-identity ID --certificate-oidc-issuer URL"
    said = [flag for flag, *texts in (identity, issuer) if texts != [None, None]]
    if given.key is not None:
        if said:
            raise UsageError(f"--key and {said[0]} are given, expected one of them", hint=hint)
        return
    if not said:
        raise UsageError("--trusted-root alone says nobody to believe, expected --key or an identity", hint=hint)
    for flag, text, regexp in (identity, issuer):
        if (text is None) == (regexp is None):
            which = f"both {flag} and {flag}-regexp are" if text is not None else f"neither {flag} nor {flag}-regexp is"
            raise UsageError(f"{which} given, expected one of them", hint=hint)
