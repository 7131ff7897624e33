"""Policies given on the spot: one key, or one identity, instead of a file with rules."""

from __future__ import annotations

from bpfimg._hash import sha256
from bpfimg._json import compact
from bpfimg._value import replace
from bpfimg.errors import UsageError
from bpfimg.sign._policy._files import Files
from bpfimg.sign._policy._policy import Policy
from bpfimg.sign._policy._roots import builtin, given
from bpfimg.sign._policy._rules import IF_PRESENT, IdentityPattern, Root
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.sign._keys._public import PublicKey
    from bpfimg.sign._policy._patterns import Pattern

_ROOT = "--trusted-root"


def given_key(key: PublicKey, description: str, root: str | None = None) -> Policy:
    """Returns the policy that any image must be signed by `key`; see `Policy.for_key`.

    With `root` (the path of a trusted root) the log entries and timestamps that stand beside a signature must verify
    against it, and say when it was made; without, they are not looked at. Raises `PolicyError` for a bad root.
    """
    policy = Policy.for_key(key, description)
    if root is None:
        return policy
    trusted = _root(root)
    checked = [replace(one, root=trusted, tlog=IF_PRESENT, timestamp=IF_PRESENT) for one in policy.default.authorities]
    digest = sha256(compact({"policy": policy.digest, "root": trusted.digest})).hexdigest()
    return replace(policy, digest=f"sha256:{digest}", default=replace(policy.default, authorities=tuple(checked)))


def given_identity(
    description: str,
    *,
    subject: str | None = None,
    subject_regexp: str | None = None,
    issuer: str | None = None,
    issuer_regexp: str | None = None,
    root: str | None = None,
) -> Policy:
    """Returns the policy that any image must be signed keyless, by this subject of this issuer.

    Each of the two is a text or a pattern that fits as a whole. `root` is the path of a trusted root, by default that
    of the public Sigstore. Raises `UsageError` for what is no identity, `PolicyError` for a bad root.
    """
    pattern = IdentityPattern(_text(issuer, issuer_regexp, "issuer"), _text(subject, subject_regexp, "subject"))
    return Policy.for_identity((pattern,), _root(root), description)


def _root(path: str | None) -> Root:
    found = builtin(Files()) if path is None else given(path, Files(), f"{_ROOT} {path}")
    found.trusted()  # said now, not when the first signature is looked at
    return found


def _text(text: str | None, regexp: str | None, what: str) -> str | Pattern:
    if (text is None) == (regexp is None):
        raise UsageError(f"the {what} of an identity has both or neither of a text and a pattern, expected one of them")
    if not (text or regexp):
        raise UsageError(f"the {what} of an identity is empty, expected one")
    if text is not None:
        return text
    from bpfimg.sign._policy._patterns import Pattern

    try:
        return Pattern.parse(regexp or "", f"the pattern of the {what}")
    except Junk as junk:
        raise UsageError(str(junk)) from junk
