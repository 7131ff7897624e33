"""Whether to believe an image: `verify` is the only place that a `VerifiedImage` of a signed one comes from."""

from __future__ import annotations

import os

from bpfimg._value import replace, value
from bpfimg.errors import DigestMismatch, Error, NotFound, VerificationError
from bpfimg.oci import Digest, Index
from bpfimg.sign._collect import Evidence
from bpfimg.sign._judge import weigh
from bpfimg.sign._policy._names import canonical
from bpfimg.sign._policy._rules import ALLOW_UNSIGNED, DENY
from bpfimg.sign._refused import refuse, refuse_attestations, refuse_by_rule
from bpfimg.sign._verified import VerifiedImage, proved
from bpfimg.sign._whose import Question

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bpfimg.oci import Descriptor, Platform, Reference, Repository, Source
    from bpfimg.sign._attested import Answer, Attestation
    from bpfimg.sign._collect import Finding
    from bpfimg.sign._history import History
    from bpfimg.sign._judge import Verdict
    from bpfimg.sign._mark import Mark
    from bpfimg.sign._policy._policy import Policy
    from bpfimg.sign._policy._rules import Attested, Rule

    Elsewhere = Callable[[Repository], Source]

_NESTING = 2


def verify(
    source: Source,
    reference: Reference,
    descriptor: Descriptor,
    policy: Policy,
    *,
    thorough: bool = False,
    platform: Platform | None = None,
    elsewhere: Elsewhere | None = None,
    history: History | None = None,
    allow_downgrade: bool = False,
    now: float | None = None,
    kernel: str | None = None,
) -> VerifiedImage:
    """Returns the proof that `policy` believes the image or index `descriptor`; raises `VerificationError`.

    `reference` is what the user asked for: its repository (and tag, if it has no digest) choose the rule, and
    signatures that name a repository must name this one. `descriptor` is what it was resolved to, once. Signatures
    are read from `source`, and from where the rule says that they are, which `elsewhere` gives; with `thorough` all of
    them, even when the first ones are enough.

    Of an index that is not believed, the image for `platform` may be for itself: then the proof is about that one.
    `history` is what a rule against going back compares with; `allow_downgrade` lets a reference with a digest go back.
    `now` (seconds since 1970) is the time by which signatures grow old, `kernel` the release that compatibility reports
    have to speak of where a rule says "this kernel": the one that runs here.
    """
    asked = _Case.of(source, reference, descriptor, policy, elsewhere=elsewhere, now=now, kernel=kernel)
    rule, unsafe = asked.rule, asked.rule.action == ALLOW_UNSIGNED
    chosen, believed, verdict = _weighed(asked, descriptor, platform, thorough=thorough)
    if not (verdict.satisfied or unsafe):
        refuse(verdict, rule, policy, asked.name)
    attested = _attested(asked, _about(descriptor, chosen), policy) if rule.attestations else ()
    if chosen is not None and any(one.digest == str(chosen.digest) for one in attested):
        believed = chosen  # what is attested of one image of an index is true of that one alone
    version, mark = _unless_back(asked, believed, verdict, history, allow_downgrade=allow_downgrade)
    return proved(
        reference=reference,
        descriptor=believed,
        signers=verdict.believed,
        attestations=attested,
        policy=policy.origin,
        policy_digest=policy.digest,
        rule=rule.name,
        unsafe=unsafe,
        notes=verdict.reasons,
        repository=asked.question.repository,
        version=version,
        mark=mark,
        history=history,
    )


def attestations(
    source: Source,
    reference: Reference,
    descriptor: Descriptor,
    policy: Policy,
    predicate_type: str,
    *,
    platform: Platform | None = None,
    elsewhere: Elsewhere | None = None,
    now: float | None = None,
    kernel: str | None = None,
) -> tuple[Attestation, ...]:
    """Returns every believed attestation of exactly this type about the image or index `descriptor`, or, in an index,
    about the image for `platform`; raises `VerificationError` when there is none.

    Whom to believe is what the policy's rule for `reference` says of this type; where it says nothing of it, those
    who may sign the image may say things about it. Whether the image itself is believed, `verify` says.
    """
    asked = _Case.of(source, reference, descriptor, policy, elsewhere=elsewhere, now=now, kernel=kernel)
    from bpfimg.sign._policy._rules import Attested

    wanted = tuple(one for one in asked.rule.attestations if one.predicate_type == predicate_type)
    chosen = None if platform is None else _chosen(source, descriptor, platform)
    wanted = wanted or (Attested(predicate_type, asked.rule.authorities),)
    answer = asked.attestations(_about(descriptor, chosen), wanted, all_=True)
    if answer.missing:
        refuse_attestations(answer, asked.rule, policy, asked.name)
    return tuple(dict.fromkeys(answer.found))


@value(frozen=True, slots=True, eq=False)
class _Case:
    """One image, the rule for it, and where what is said about it can be read."""

    source: Source
    elsewhere: Elsewhere | None
    rule: Rule
    question: Question
    name: str
    reference: Reference
    kept: dict[Digest, tuple[Evidence, ...]]

    @classmethod
    def of(
        cls,
        source: Source,
        reference: Reference,
        descriptor: Descriptor,
        policy: Policy,
        *,
        elsewhere: Elsewhere | None,
        now: float | None,
        kernel: str | None,
    ) -> _Case:
        """Returns the case unless it is decided before anything is looked at; raises then."""
        if reference.digest is not None and reference.digest != descriptor.digest:
            want, got = str(reference.digest), str(descriptor.digest)
            raise DigestMismatch(f"{reference} was resolved to {got}, which is not its digest", want=want, got=got)
        name = f"{reference.repository}@{descriptor.digest}"
        _refuse_denied(source, descriptor, policy, name)
        rule = policy.rule_for(reference)
        if rule.action == DENY:
            refuse_by_rule(rule, policy, reference)
        oldest = None if rule.max_age is None else _now(now) - rule.max_age
        running = os.uname().release if kernel is None else kernel
        question = Question(rule, canonical(str(reference.repository)), oldest, running)
        return cls(source, elsewhere, rule, question, name, reference, {})

    def signatures(self, digest: Digest) -> Iterator[Finding]:
        """Yields what may be signatures of a digest, wherever the rule has them."""
        for evidence in self._evidence(digest):
            yield from [evidence] if isinstance(evidence, Error) else evidence.signatures()

    def attestations(self, about: Iterable[Descriptor], wanted: Sequence[Attested], *, all_: bool) -> Answer:
        """Returns which attestations are there about any of these."""
        from bpfimg.sign._attested import look

        findings = (
            (str(one.digest), finding)
            for one in about
            for evidence in self._evidence(one.digest)
            for finding in ([evidence] if isinstance(evidence, Error) else evidence.attestations())
        )
        # how old a signature may be says nothing about attestations
        return look(findings, wanted, replace(self.question, oldest=None), all_=all_)

    def _evidence(self, digest: Digest) -> Iterator[Evidence | Error]:
        """Yields each place with evidence about a digest; the same ones when asked again."""
        kept = self.kept.get(digest)
        if kept is None:
            kept = self.kept[digest] = (Evidence(self.source, digest, self.rule.formats),)
        yield kept[0]
        if self.rule.signature_repository is None:
            return
        if len(kept) == 1:
            there = self._there(self.rule.signature_repository)
            if isinstance(there, Error):
                yield there
                return
            kept = self.kept[digest] = (*kept, Evidence(there, digest, self.rule.formats))
        yield kept[1]

    def _there(self, repository: str) -> Source | Error:
        from bpfimg.oci import Repository

        if self.elsewhere is None:
            return NotFound(f"nothing from {repository}, where the rule says that signatures are, can be read here")
        try:
            return self.elsewhere(Repository.parse(repository))
        except Error as error:
            return error


def _now(now: float | None) -> int:
    import time

    return int(time.time() if now is None else now)


def _weighed(
    asked: _Case, descriptor: Descriptor, platform: Platform | None, *, thorough: bool
) -> tuple[Descriptor | None, Descriptor, Verdict]:
    """Returns the image in an index that was chosen for `platform`, where it was looked at; which of the two the
    verdict is about; and the verdict."""
    rule = asked.rule
    unsafe = rule.action == ALLOW_UNSIGNED
    every = thorough or unsafe or rule.rollback is not None
    verdict = weigh(asked.signatures(descriptor.digest), asked.question, thorough=every)
    if platform is None or unsafe or (verdict.satisfied and not rule.attestations):
        return None, descriptor, verdict
    chosen = _chosen(asked.source, descriptor, platform)
    if chosen is None or verdict.satisfied:
        return chosen, descriptor, verdict
    more = weigh(asked.signatures(chosen.digest), asked.question, thorough=every, before=verdict)
    return chosen, chosen if more.satisfied else descriptor, more


def _attested(asked: _Case, about: Iterable[Descriptor], policy: Policy) -> tuple[Attestation, ...]:
    """Returns the attestations that the rule asks for; raises `VerificationError` when one is missing."""
    answer = asked.attestations(about, asked.rule.attestations, all_=False)
    if answer.missing:
        refuse_attestations(answer, asked.rule, policy, asked.name)
    return answer.found


def _about(descriptor: Descriptor, chosen: Descriptor | None) -> tuple[Descriptor, ...]:
    return (descriptor,) if chosen is None else (descriptor, chosen)


def _chosen(source: Source, descriptor: Descriptor, platform: Platform) -> Descriptor | None:
    """Returns the image for `platform` in an index; None where there is none to choose."""
    if not descriptor.is_index:
        return None
    try:
        child = Index.parse(source.fetch(descriptor), descriptor.media_type).select(platform)
    except NotFound:
        return None
    return None if child.is_index else child


def _unless_back(
    asked: _Case, believed: Descriptor, verdict: Verdict, history: History | None, *, allow_downgrade: bool
) -> tuple[str, Mark | None]:
    """Returns the version, and what to remember of it; raises `VerificationError` when the rule lets the repository not
    go back to it. Only who names a digest can go back, and then nothing is remembered."""
    if asked.rule.rollback is None:
        return "", None
    from bpfimg.sign._rollback import marked

    mark = marked(asked.source, believed, asked.rule, verdict.believed)
    if history is None:
        raise VerificationError(
            f"{asked.name} is not believed: the rule {asked.rule.name} lets its repository not go back, and nothing "
            "here remembers what was accepted"
        )
    may_go_back = allow_downgrade and asked.reference.digest is not None
    forward = history.check(asked.question.repository, mark, may_go_back=may_go_back)
    return mark.version, mark if forward else None


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
