"""containers-policy.json(5) as a policy of ours: what podman, skopeo and CRI-O demand, never less.

The two languages differ. What can be said exactly is; what cannot becomes stricter (nearly always: denied), and a note
says what and what to do. Source: containers/image docs/containers-policy.json.5.md and signature/policy_config.go.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import PolicyError, quoted
from bpfimg.sign._policy._names import Scope
from bpfimg.sign._policy._requirements import Accepts, Demands, Refuses, Translator, requirement
from bpfimg.sign._policy._review import unreachable
from bpfimg.sign._policy._rules import ALLOW_UNSIGNED, DENY
from bpfimg.sign._strict import Junk, document, fields, items, mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.sign._policy._requirements import Outcome
    from bpfimg.sign._policy._rules import Root

LIMIT = 1024 * 1024
_ALSO_HERE = ("docker-archive", "docker-daemon", "oci", "oci-archive")  # transports of ours, beside `docker`
_NEVER_THERE = ("index.docker.io", "registry-1.docker.io")
_UNNAMED = "containers judges the transport{} {} otherwise, and a rule here is for a name wherever its image lies"
_SIGNED = "what is signed as a rule asks is believed wherever it lies; containers judges the transport{} {} otherwise"


@value(frozen=True, slots=True)
class Imported:
    """A policy document, and what in it is not as it was: every note is a place and a sentence."""

    document: dict[str, object]
    notes: tuple[tuple[str, str], ...]


def imported(data: bytes, origin: str, root: Root | None = None, *, signed_tags: bool = True) -> Imported:
    """Returns the policy that containers-policy.json(5) in `data` (the file `origin`) comes to.

    Fulcio and Rekor are carried over where `root` is a trusted root that knows them. With `signed_tags` false, what
    asks for a signed tag is taken to ask for a signed repository: a tag may then stand for any image of its repository.
    Raises `PolicyError` for a document that containers would refuse, too.
    """
    try:
        return _imported(data, root, signed_tags=signed_tags)
    except Junk as error:
        raise PolicyError(f"containers policy {origin} cannot be imported: {error}") from error


def _imported(data: bytes, root: Root | None, *, signed_tags: bool) -> Imported:
    found = fields(document(data, limit=LIMIT, what="it"), "it", ("default",), ("transports",))
    transports = mapping(found.get("transports", {}), "transports")
    made = _Import(Translator(root, signed_tags=signed_tags))
    default = requirement(found["default"], "default", made.translator)
    said = {name: _scopes(one, name, made.translator) for name, one in transports.items()}
    others = [name for name in _ALSO_HERE if not _accepts_all(said.get(name, {}), default)]
    docker = said.get("docker", {})
    if others and any(isinstance(one, Accepts) for one in (docker.get("", default), *docker.values())):
        made.lax = _UNNAMED.format("s" if len(others) > 1 else "", ", ".join(others))
    if others and any(isinstance(one, Demands) for one in docker.values()):
        made.note("transports", _SIGNED.format("s" if len(others) > 1 else "", ", ".join(others)))
    made.default(docker.get("", default))
    for text, outcome in docker.items():
        if text:
            made.scope(text, outcome)
    return made.done()


def _scopes(value: object, name: str, translator: Translator) -> dict[str, Outcome]:
    what = f"transports: {quoted(name)}"
    return {
        text: requirement(items(one, f"{what}: {quoted(text)}", least=1, most=64), f"{name}:{text}", translator)
        for text, one in mapping(value, what).items()
    }


def _accepts_all(scopes: dict[str, Outcome], default: Outcome) -> bool:
    return all(isinstance(one, Accepts) for one in (scopes.get("", default), *scopes.values()))


class _Import:
    """The document as it grows."""

    def __init__(self, translator: Translator) -> None:
        self.translator = translator
        self.lax = ""  # why nothing may be accepted unsigned, if so
        self._notes: list[tuple[str, str]] = []
        self._rules: dict[tuple[int, str, str], tuple[dict[str, object], object]] = {}
        self._denied: list[str] = []
        self._default = DENY

    def default(self, outcome: Outcome) -> None:
        if isinstance(outcome, Accepts):
            self._default = DENY if self.lax else ALLOW_UNSIGNED
            self._strict("default", outcome)
        elif isinstance(outcome, Demands):
            self.note("default", "signatures can be asked for only within a scope: denied; write a rule for each host")
        else:
            self._refused("default", outcome)

    def scope(self, text: str, outcome: Outcome) -> None:
        if "@" in text:
            self._digest(text)
            return
        if text.partition("/")[0] in _NEVER_THERE:
            self.note(text, "containers calls Docker Hub docker.io, so this is for no image: left out")
            return
        self._strict(text, outcome)
        self._refused(text, outcome)
        kept = 0
        for name in _ours(text):
            try:
                scope = Scope.parse(name)
            except Junk:
                continue
            if not unreachable(scope):
                self._add(scope, outcome)
                kept += 1
        if not kept:
            self.note(text, "no image here can have such a name: left out")

    def _add(self, scope: Scope, outcome: Outcome) -> None:
        rule: dict[str, object] = {"scope": scope.text, "action": DENY}
        if isinstance(outcome, Accepts) and not self.lax:
            rule["action"] = ALLOW_UNSIGNED
        elif isinstance(outcome, Demands):
            said = outcome.rule(scope)
            if isinstance(said, str):
                self.note(scope.text, f"{said}: denied")
            else:
                rule = {"scope": scope.text, **said}
        same = {name: one for name, one in rule.items() if name != "scope"}
        before = self._rules.get(scope.same)
        if before is None:
            self._rules[scope.same] = rule, same
        elif before[1] != same:
            self._rules[scope.same] = {"scope": scope.text, "action": DENY}, None
            self.note(scope.text, "it stands there twice under different names, with different requirements: denied")

    def _digest(self, text: str) -> None:
        digest = text.partition("@")[2]
        self.note(text, "a scope cannot be a digest: denied wherever it is")
        self._denied.append(digest)

    def _strict(self, place: str, outcome: Outcome) -> None:
        if self.lax and isinstance(outcome, Accepts):
            self.note(place, f"{self.lax}: denied; if you mean it, write {ALLOW_UNSIGNED}")

    def _refused(self, place: str, outcome: Outcome) -> None:
        if isinstance(outcome, Refuses) and outcome.why:
            self.note(place, f"{outcome.why}: denied")

    def note(self, place: str, text: str) -> None:
        if (place, text) not in self._notes:
            self._notes.append((place, text))

    def done(self) -> Imported:
        found: dict[str, object] = {"version": 1, "default": self._default}
        found |= self.translator.definitions()
        found["rules"] = [rule for rule, _ in self._rules.values()]
        digests = sorted(set(self._denied))
        for digest in digests:
            if not digest.startswith("sha256:") or len(digest) != 71 or set(digest[7:]) - set("0123456789abcdef"):
                raise Junk(f"transports: 'docker' has a scope with {quoted(digest)}, which is no SHA-256 digest")
        if digests:
            found["denyDigests"] = digests
        notes = (*self._notes, *(("authorities", one) for one in self.translator.notes))
        return Imported(found, notes)


def _ours(text: str) -> Iterator[str]:
    """Yields the scopes of ours that say the same: a name there is also the prefix of names."""
    host, slash, path = text.partition("/")
    if not slash or ":" in path:
        yield text
        return
    if not (host == "docker.io" and "/" not in path):  # docker.io/x is no repository there, and library/x here
        yield text
    yield f"{text}/**"
