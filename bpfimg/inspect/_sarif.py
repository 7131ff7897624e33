"""Lint's problems as a SARIF 2.1.0 log (OASIS standard, 27 March 2020), the form that code hosts and editors read.

Equal problems give equal bytes: no times, no folders of the machine that looked.
"""

from __future__ import annotations

from bpfimg.inspect._rules import RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpfimg.inspect._lint_model import Problem, Rule

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_FINGERPRINT = "bpfimg/v1"
#: what a logical location is called (3.33.7); what it does not name is a word of ours, as the standard allows
_KINDS = {"program": "function", "map": "variable", "global": "variable", "object": "module"}
_INDEX = {rule.id: number for number, rule in enumerate(RULES)}


def log(found: Iterable[tuple[str, Problem, str]], subjects: Sequence[str], version: str) -> dict[str, object]:
    """The log: `found` holds subject, problem and fingerprint of each; `subjects` are all that were looked at."""
    artifacts = {subject: number for number, subject in enumerate(dict.fromkeys(subjects))}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "bpfimg", "version": version, "rules": [_rule(rule) for rule in RULES]}},
                "artifacts": [
                    {"location": {"uri": _uri(subject)}, "roles": ["analysisTarget"]} for subject in artifacts
                ],
                "results": [_result(*each, artifacts) for each in found],
                "columnKind": "unicodeCodePoints",
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": f"{rule.summary[0].upper()}{rule.summary[1:]}."},
        "defaultConfiguration": {"level": rule.severity},
        "help": {"text": f"docs/lint/{rule.id}.md says why it matters and what to do."},
    }


def _result(subject: str, problem: Problem, key: str, artifacts: dict[str, int]) -> dict[str, object]:
    text = f"{problem.message[:1].upper()}{problem.message[1:]}."
    text += f" Hint: {problem.hint}." if problem.hint else ""
    target = {"uri": _uri(subject), "index": artifacts[subject]}
    result: dict[str, object] = {
        "ruleId": problem.rule,
        "ruleIndex": _INDEX[problem.rule],
        "level": problem.severity,
        "message": {"text": _plain(text)},
        "locations": [_location(problem, target)],
        "partialFingerprints": {_FINGERPRINT: key},
    }
    if problem.file:
        result["analysisTarget"] = target
    if problem.platforms:
        result["properties"] = {"platforms": list(problem.platforms)}
    return result


def _location(problem: Problem, target: dict[str, object]) -> dict[str, object]:
    """The source line where one is known, else the object itself."""
    physical: dict[str, object] = {"artifactLocation": target}
    if problem.file:
        region = {"startLine": problem.line} if problem.line else {}
        if region and problem.column:
            region["startColumn"] = problem.column
        physical = {"artifactLocation": {"uri": _uri(problem.file)}, **({"region": region} if region else {})}
    location: dict[str, object] = {"physicalLocation": physical}
    if problem.about:
        kind = _KINDS.get(problem.kind, problem.kind)
        location["logicalLocations"] = [{"name": problem.about, "kind": kind}]
    return location


def _plain(text: str) -> str:
    """Without what SARIF takes for a link, `[text](1)`, or for a placeholder, `{0}` (3.11.5, 3.11.6)."""
    for number in range(10):
        text = text.replace(f"{{{number}", f"{{ {number}")
    return text.replace("](", "] (")


def _uri(path: str) -> str:
    """A path or reference as a URI reference (RFC 3986): nothing in it is taken for a scheme or a host."""
    from urllib.parse import quote

    if path.startswith("/"):
        return "file:///" + quote(path.lstrip("/").encode("utf-8", "surrogateescape"))
    while path.startswith("./") and path.strip("./"):  # code hosts compare with paths of the repository
        path = path[2:].lstrip("/")
    return quote(path.encode("utf-8", "surrogateescape"), safe="/@+,=~")
