"""Attestations that are believed: signed statements about an image, of one type, by those whom a policy names."""

from __future__ import annotations

from bpfimg._value import field, value
from bpfimg.errors import quoted
from bpfimg.sign._candidate import Candidate
from bpfimg.sign._collect import Other
from bpfimg.sign._formats._envelope import STATEMENT_LIMIT
from bpfimg.sign._strict import Junk, document
from bpfimg.sign._whose import signers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpfimg.errors import Error
    from bpfimg.sign._believed import Believed
    from bpfimg.sign._collect import Finding
    from bpfimg.sign._policy._compatibility import TriedOn
    from bpfimg.sign._policy._rules import Attested
    from bpfimg.sign._whose import Question


@value(frozen=True, slots=True)
class Attestation:
    """An in-toto statement that is believed: of which type, about which digest, by whom.

    `statement` are the bytes that were signed; `predicate` is what they say, parsed anew at each look.
    """

    predicate_type: str
    digest: str
    signer: Believed
    statement: bytes = field(repr=False)

    @property
    def document(self) -> dict[str, object]:
        """The whole statement as parsed JSON."""
        return document(self.statement, limit=STATEMENT_LIMIT, what="statement")

    @property
    def predicate(self) -> object:
        """The predicate as parsed JSON; None when the statement has none."""
        return self.document.get("predicate")

    @property
    def tried_on(self) -> tuple[TriedOn, ...]:
        """The kernels of a compatibility report, and what came of each; none where it is no such report."""
        from bpfimg.sign._policy._compatibility import COMPATIBILITY, tried_on

        try:
            return tried_on(self.predicate) if self.predicate_type == COMPATIBILITY else ()
        except Junk:
            return ()


@value(frozen=True, slots=True, eq=False)
class Answer:
    """What came of the findings: what is believed, what is `missing`, why others do not count, the first error."""

    found: tuple[Attestation, ...]
    missing: tuple[Attested, ...]
    reasons: tuple[str, ...]
    error: Error | None


def look(findings: Iterable[tuple[str, Finding]], wanted: Sequence[Attested], asked: Question, *, all_: bool) -> Answer:
    """Returns which of the `wanted` attestations are there; each of the findings stands beside the digest it is about.

    Stops as soon as every one is there, unless `all_` that count are asked for.
    """
    found: list[Attestation] = []
    reasons: list[str] = []
    failed: Error | None = None
    missing = list(wanted)
    for digest, finding in findings:
        if isinstance(finding, Candidate):
            mine = [one for one in (wanted if all_ else missing) if one.predicate_type == finding.predicate_type]
            if not mine:
                reasons.append(f"{finding.where} is an attestation of another type, {quoted(finding.predicate_type)}")
            for one in mine:
                signer, why = _counts(finding, one, asked)
                reasons += why
                if signer is not None:
                    found.append(Attestation(finding.predicate_type, digest, signer, finding.payload))
                    missing = [other for other in missing if other is not one]
            if not (missing or all_):
                break
        elif isinstance(finding, Other):
            continue
        elif isinstance(finding, Junk):
            reasons.append(str(finding))
        else:
            failed = failed or finding
            reasons.append(f"an attestation could not be read: {finding}")
    return Answer(tuple(found), tuple(missing), tuple(reasons), failed)


def _counts(candidate: Candidate, wanted: Attested, asked: Question) -> tuple[Believed | None, list[str]]:
    """Returns by whom an attestation of the right type counts; None when it does not, and why not.

    Conditions come last: nothing that a stranger wrote is searched.
    """
    believed, reasons = signers(candidate, wanted.authorities, asked)
    if not believed:
        return None, reasons
    try:
        said = document(candidate.payload, limit=STATEMENT_LIMIT, what="statement").get("predicate")
    except Junk as junk:
        return None, [f"{candidate.where} cannot be read again: {junk}"]
    failed = [str(condition) for condition in wanted.conditions if not condition.holds(said)]
    if failed:
        return None, [f"{candidate.where} is signed by {believed[0].authority}, but not so: {' and '.join(failed)}"]
    lacks = wanted.compatibility.lacks(said, asked.kernel) if wanted.compatibility is not None else ""
    if lacks:
        return None, [f"{candidate.where} is signed by {believed[0].authority}, but {lacks}"]
    return believed[0], []
