"""`lint`: what a person should know before an object or image is shipped, by rules with stable numbers.

Deciding is pure: a rule is a function from an object and what is known beside it to what it has to say. The rules are
one table, `RULES`.
"""

from __future__ import annotations

from bpfimg._value import replace
from bpfimg.bytecode import dissect
from bpfimg.errors import BytecodeError, ImageError, UsageError
from bpfimg.inspect._lint_model import SEVERITIES, Context, Found, Problem, Rule
from bpfimg.inspect._places import section_of
from bpfimg.inspect._rules import BY_ID, BY_NAME, RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from bpfimg.bytecode import Dissection
    from bpfimg.image import BytecodeImage

__all__ = [
    "RULES",
    "SEVERITIES",
    "Context",
    "Problem",
    "Rule",
    "at_least",
    "broken",
    "fingerprint",
    "junit",
    "markdown",
    "problems",
    "quality",
    "remarks",
    "report",
    "rule",
    "sarif",
]

_NOTHING: frozenset[str] = frozenset()
_LABELS = "BL004"
#: rules of the specification that say what peers take, not what the image gets wrong; BL005 says it of the object
_SIZE_RULES = frozenset(("BI-36",))
_BYTE_ORDER_RULES = frozenset(("BI-24", "BI-25"))


def rule(word: str) -> Rule:
    """The rule of that number or name, in any case; `UsageError` if there is none."""
    found = BY_ID.get(word.upper()) or BY_NAME.get(word.lower())
    if found is None:
        from difflib import get_close_matches

        near = get_close_matches(word.lower(), BY_NAME, n=1) or get_close_matches(word.upper(), BY_ID, n=1)
        hint = f"did you mean {near[0]}?" if near else "docs/lint has a page for each rule"
        raise UsageError(
            f"there is no lint rule {word!r}, expected {RULES[0].id} to {RULES[-1].id} or a name", hint=hint
        )
    return found


def problems(
    data: bytes,
    context: Context,
    *,
    images: Mapping[str, BytecodeImage] | None = None,
    disabled: Collection[str] = _NOTHING,
) -> tuple[Problem, ...]:
    """What the rules have to say of the object file in `data`, the severest first, then by number.

    `images` are those that hold it, by platform: what they say that the object does not bear out is BL004. `disabled`
    holds numbers of rules. A file that cannot be read is one problem, BL001.
    """
    try:
        dissection = dissect(data)
    except BytecodeError as error:
        return broken(error, context, disabled=disabled)
    found: list[Problem] = []
    for each in RULES:
        if each.id in disabled:
            continue
        try:
            if each.check is not None:
                found += [_problem(each, one, dissection, context) for one in each.check(dissection, context)]
            elif each.id == _LABELS:
                found += _labels(each, images or {}, dissection, context)
        except BytecodeError as error:  # in a part that nothing had looked at so far: a source line, a relocation
            found += [one for one in broken(error, context, disabled=disabled) if one not in found]
    return _sorted(found)


def _labels(
    rule: Rule, images: Mapping[str, BytecodeImage], dissection: Dissection, context: Context
) -> Iterator[Problem]:
    for platform, image in images.items():
        alone = replace(context, platforms=(platform,))
        for finding in image.check(dissection=dissection):
            if finding.rule not in _SIZE_RULES:
                yield _problem(rule, Found(str(finding), "label", finding.about), None, alone)


def broken(
    error: ImageError | BytecodeError, context: Context, *, disabled: Collection[str] = _NOTHING
) -> tuple[Problem, ...]:
    """BL001, BL002 or BL003: an image that could not be read as one."""
    rules = error.rules if isinstance(error, ImageError) else ()
    number = "BL002" if _BYTE_ORDER_RULES.intersection(rules) else "BL003"
    number = "BL001" if isinstance(error, BytecodeError) else number
    words = f" ({', '.join(rules)})" if rules and rules[0] not in str(error) else ""
    found = Found(f"{error}{words}", hint=error.hint)
    return () if number in disabled else (_problem(BY_ID[number], found, None, context),)


def at_least(found: Iterable[Problem], severity: str) -> bool:
    """Whether one of them is as severe as that, or more so; "never" is what none is."""
    if severity not in SEVERITIES:
        return False
    wanted = SEVERITIES[: SEVERITIES.index(severity) + 1]
    return any(problem.severity in wanted for problem in found)


def fingerprint(problem: Problem, subject: str = "") -> str:
    """Sixteen hexadecimal digits that stay when lines move, sizes change and the sentence is put better.

    They are of the rule, of what it is about, of the platforms and of `subject`.
    """
    from hashlib import sha256

    words = (problem.rule, problem.kind, problem.about, ",".join(problem.platforms), subject)
    return sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def report(found: Sequence[tuple[str, Problem]]) -> dict[str, object]:
    """The problems as JSON-able values (`schemas/lint.schema.json`), each with the name of what it was found in."""
    counts = {word: sum(problem.severity == word for _, problem in found) for word in SEVERITIES}
    return {"problems": [_entry(subject, problem, number) for (subject, problem), number in _numbered(found)], **counts}


def sarif(found: Sequence[tuple[str, Problem]], subjects: Sequence[str], version: str) -> dict[str, object]:
    """The problems as a SARIF 2.1.0 log; `version` is that of bpfimg."""
    from bpfimg.inspect._sarif import log

    return log([(subject, problem, key) for (subject, problem), key in _numbered(found)], subjects, version)


def markdown(found: Sequence[tuple[str, Problem]], subjects: Sequence[str]) -> str:
    """The problems for a job's summary, as GitHub's Markdown."""
    from bpfimg.inspect._lint_forms import markdown

    return markdown(found, subjects)


def junit(
    found: Sequence[tuple[str, Problem]],
    subjects: Sequence[str],
    severity: str,
    disabled: Collection[str] = _NOTHING,
) -> str:
    """The problems as JUnit's XML, a case for each rule; what is as severe as `severity`, or more so, has failed."""
    from bpfimg.inspect._junit import junit
    from bpfimg.inspect._lint_forms import cases

    failing = SEVERITIES[: SEVERITIES.index(severity) + 1] if severity in SEVERITIES else ()
    return junit("bpfimg lint", cases(found, subjects, failing, disabled))


def remarks(found: Sequence[tuple[str, Problem]]) -> str:
    """The problems as annotations for GitHub's runner; files are paths in the repository by then."""
    from bpfimg.inspect._annotations import remarks
    from bpfimg.inspect._lint_forms import annotated

    return remarks(annotated(found))


def quality(found: Sequence[tuple[str, Problem]]) -> list[dict[str, object]]:
    """The problems as GitLab's code quality report; files are paths in the repository by then."""
    from bpfimg.inspect._annotations import quality
    from bpfimg.inspect._lint_forms import annotated

    keys = [key for _, key in _numbered(found)]
    rules = [problem.rule for _, problem in found]
    return quality(zip(annotated(found), rules, keys, strict=True))


def _numbered(found: Sequence[tuple[str, Problem]]) -> list[tuple[tuple[str, Problem], str]]:
    """Each with a fingerprint that no other one has: of equal ones the second is `...-2`."""
    seen: dict[str, int] = {}
    numbered = []
    for subject, problem in found:
        key = fingerprint(problem, subject)
        seen[key] = seen.get(key, 0) + 1
        numbered.append(((subject, problem), key if seen[key] == 1 else f"{key}-{seen[key]}"))
    return numbered


def _entry(subject: str, problem: Problem, key: str) -> dict[str, object]:
    return {
        "id": key,
        "subject": subject,
        "rule": problem.rule,
        "name": problem.name,
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint or None,
        "kind": problem.kind,
        "about": problem.about or None,
        "platforms": list(problem.platforms),
        "file": problem.file or None,
        "line": problem.line or None,
        "column": problem.column or None,
    }


def _sorted(found: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(found, key=lambda problem: SEVERITIES.index(problem.severity)))  # stable: by number within


def _problem(each: Rule, found: Found, dissection: Dissection | None, context: Context) -> Problem:
    line = None
    place = found.place or (_first_line(found, dissection) if dissection is not None else None)
    if dissection is not None and dissection.ext is not None and place is not None:
        line = dissection.ext.line_at(*place)
    return Problem(
        each.id,
        each.name,
        found.severity or each.severity,
        found.message,
        found.hint,
        found.kind,
        found.about,
        line.file if line else "",
        line.line if line else 0,
        line.column if line else 0,
        context.platforms,
        line.text if line else "",
    )


def _first_line(found: Found, dissection: Dissection) -> tuple[str, int] | None:
    """Where the program begins that the finding is about."""
    if found.kind != "program":
        return None
    named = (program for program in dissection.object.programs if program.name == found.about)
    return next(((section_of(program), program.offset) for program in named), None)
