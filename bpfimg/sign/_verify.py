"""Whether to believe an image. `VerifiedImage` is the only proof of it, and `verify` the only place it comes from."""

from __future__ import annotations

from bpfimg.errors import DigestMismatch, NotFound, VerificationError
from bpfimg.oci import Digest, Index
from bpfimg.sign._collect import signatures
from bpfimg.sign._judge import weigh
from bpfimg.sign._policy._names import canonical
from bpfimg.sign._policy._rules import ALLOW_UNSIGNED, DENY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, SupportsIndex

    from bpfimg.oci import Descriptor, Reference, Source
    from bpfimg.sign._judge import Believed, Verdict
    from bpfimg.sign._policy._policy import Policy
    from bpfimg.sign._policy._rules import Rule

_PROOF = object()
_NESTING = 2


class VerifiedImage:
    """Proof that `policy` said yes to the image or index `descriptor` (the top one, as it was given to `verify`).

    An image that is chosen out of a verified index is believed through it: the index's bytes are under its digest,
    and they name the image by digest. `rule` is the scope of the rule that decided; `signers` are those who were
    looked at until it was satisfied. `unsafe` says that the rule demands no signature; `notes` is what was seen and
    did not count. Cannot be made, copied, changed or unpickled by anybody but `verify`: no dataclass, because a
    dataclass can be made again with some fields exchanged.
    """

    __slots__ = ("descriptor", "notes", "policy", "policy_digest", "reference", "rule", "signers", "unsafe")

    reference: Reference
    descriptor: Descriptor
    signers: tuple[Believed, ...]
    policy: str
    policy_digest: str
    rule: str
    unsafe: bool
    notes: tuple[str, ...]

    def __init__(self, proof: object, **fields: object) -> None:
        if proof is not _PROOF or fields.keys() != set(self.__slots__):
            raise TypeError("a VerifiedImage comes from sign.verify")
        for name, content in fields.items():
            object.__setattr__(self, name, content)

    def __setattr__(self, name: str, content: object) -> NoReturn:
        raise AttributeError("a VerifiedImage is frozen")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a VerifiedImage is frozen")

    def __repr__(self) -> str:
        return f"<VerifiedImage {self.reference} {self.descriptor.digest} by {self.policy}>"

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("VerifiedImage has no subclasses: one could skip the proof")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a VerifiedImage cannot be copied or pickled: it proves what was verified in this process")


def verify(
    source: Source, reference: Reference, descriptor: Descriptor, policy: Policy, *, thorough: bool = False
) -> VerifiedImage:
    """Returns the proof that `policy` believes the image or index `descriptor`; raises `VerificationError`.

    `reference` is what the user asked for: its repository (and tag, if it has no digest) choose the rule, and
    signatures that name a repository must name this one. `descriptor` is what it was resolved to, once. Signatures
    are read from `source`; with `thorough` all of them, even when the first ones are enough.
    """
    if reference.digest is not None and reference.digest != descriptor.digest:
        want, got = str(reference.digest), str(descriptor.digest)
        raise DigestMismatch(f"{reference} was resolved to {got}, which is not its digest", want=want, got=got)
    name = f"{reference.repository}@{descriptor.digest}"
    _refuse_denied(source, descriptor, policy, name)
    rule = policy.rule_for(reference)
    if rule.action == DENY:
        _refuse_by_rule(rule, policy, reference)
    unsafe = rule.action == ALLOW_UNSIGNED
    verdict = weigh(
        signatures(source, descriptor.digest, rule.formats),
        rule,
        canonical(str(reference.repository)),
        thorough=thorough or unsafe,
    )
    if not (verdict.satisfied or unsafe):
        _refuse(verdict, rule, policy, name)
    return VerifiedImage(
        _PROOF,
        reference=reference,
        descriptor=descriptor,
        signers=verdict.believed,
        policy=policy.origin,
        policy_digest=policy.digest,
        rule=rule.name,
        unsafe=unsafe,
        notes=verdict.reasons,
    )


def _refuse_denied(source: Source, descriptor: Descriptor, policy: Policy, name: str, depth: int = 0) -> None:
    """Raises when the policy denies this digest or, in an index, that of any image in it: whichever is chosen."""
    if not policy.denied:
        return
    digest = descriptor.digest
    if digest.algorithm != "sha256":
        # the same bytes have a name of each kind, and the policy knows them by one
        digest = Digest.of(_listed(source, descriptor, name))
    if str(digest) in policy.denied:
        raise VerificationError(f"{name} is not believed: denyDigests of {policy.origin} has {digest}")
    if descriptor.is_index:
        if depth > _NESTING:
            raise VerificationError(f"{name} is not believed: its indexes are nested more than {_NESTING} deep")
        for child in Index.parse(_listed(source, descriptor, name), descriptor.media_type).manifests:
            _refuse_denied(source, child, policy, name, depth + 1)


def _listed(source: Source, descriptor: Descriptor, name: str) -> bytes:
    """Part of what is to be believed; what is not there cannot be held against denyDigests, so nothing is believed."""
    try:
        return source.fetch(descriptor)
    except NotFound as error:
        text = f"{name} is not believed: {descriptor.digest} in it is not here, so denyDigests cannot be checked"
        hint = "an index that was pulled for one platform is not whole: pull it with --all-platforms"
        raise VerificationError(text, hint=hint) from error


def _refuse_by_rule(rule: Rule, policy: Policy, reference: Reference) -> NoReturn:
    if rule.scope is not None:
        raise VerificationError(f"{reference} is not believed: the rule {rule.name} of {policy.origin} denies it")
    raise VerificationError(
        f"{reference} is not believed: {policy.origin} has no rule for it, and its default is to deny",
        hint=f'add to "rules": {{"scope": "{reference.repository}", "requireAny": ["NAME OF AN AUTHORITY"]}}',
    )


def _refuse(verdict: Verdict, rule: Rule, policy: Policy, name: str) -> NoReturn:
    wanted = " or ".join(authority.name for authority in rule.authorities)
    if rule.threshold > 1:
        wanted = f"{rule.threshold} of {wanted}"
    asked = f"expected one by {wanted}"
    if rule.scope is not None:
        asked += f" (rule {rule.name} of {policy.origin})"
    if verdict.error is not None:
        text = f"{name} is not believed: its signatures could not be read ({verdict.error}), {asked}"
        raise VerificationError(text, reasons=verdict.reasons, hint=verdict.error.hint) from verdict.error
    if not verdict.candidates:
        hint = f"whoever builds it can sign it: bpfimg sign --key KEY {name}"
        raise VerificationError(f"{name} is not signed, {asked}", reasons=verdict.reasons, hint=hint)
    text = f"{name} is not believed: none of its signatures counts, {asked}"
    if verdict.believed:
        text = f"{name} is not believed: too few of its signatures count, {asked}"
    raise VerificationError(text, reasons=verdict.reasons)
