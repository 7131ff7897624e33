"""Requirements of containers-policy.json(5): what a scope there accepts, refuses, or wants signed by whom."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import KeyFileError, PolicyError, quoted
from bpfimg.sign._keys._public import PublicKey
from bpfimg.sign._policy._files import Files
from bpfimg.sign._policy._names import DOMAIN, PREFIX, Scope, is_name
from bpfimg.sign._policy._readers import texts
from bpfimg.sign._policy._rules import REQUIRE, TLOG
from bpfimg.sign._strict import Junk, base64, certificates, document, fields, items, mapping, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.sign._policy._rules import Root

_KEYS = ("keyPath", "keyPaths", "keyData", "keyDatas")
_REKOR = ("rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas")
_SOURCES = (*_KEYS, "fulcio", "pki")
_GPG = ("keyType", "keyPath", "keyPaths", "keyData", "signedIdentity")
_TAGS = ("matchExact", "matchRepoDigestOrExact", "exactReference", "remapIdentity")


@value(frozen=True, slots=True)
class Accepts:
    """Anything is accepted."""


@value(frozen=True, slots=True)
class Refuses:
    """Nothing is accepted; `why` is what could not be said here ("": it is refused there, too)."""

    why: str = ""


@value(frozen=True, slots=True)
class Demands:
    """Signatures by all of `authorities` are wanted; `identity` is the type of what they must name, and its fields."""

    authorities: tuple[str, ...]
    identity: tuple[str, str, str]

    def rule(self, scope: Scope) -> dict[str, object] | str:
        """Returns the fields of a rule for `scope`, or why there can be none."""
        kind, prefix, signed = self.identity
        found: dict[str, object] = {"requireAny": list(self.authorities), "formats": ["legacy"]}
        if len(self.authorities) > 1:
            found["threshold"] = len(self.authorities)
        if kind == "exactRepository":
            if scope.kind in (PREFIX, DOMAIN):
                return f"all of it must be signed as {signed}, which can be said only of one repository"
            return {**found, "identity": {"remap": signed, "strict": True}}
        if kind == "remapIdentity":
            if scope.literal != prefix and not scope.literal.startswith(f"{prefix}/"):
                return f"signatures for {prefix} are renamed there, which can be said only of a scope within"
            return {**found, "identity": {"remap": signed + scope.literal[len(prefix) :], "strict": True}}
        return {**found, "identity": "repository"}


Outcome = Accepts | Refuses | Demands


class Translator:
    """Collects authorities, each once; `notes` are what holds for all of them."""

    def __init__(self, root: Root | None, *, signed_tags: bool) -> None:
        self.signed_tags = signed_tags
        self._root = root
        self._known = _Known(root) if root else None
        self._names: dict[str, dict[str, object]] = {}
        self._uses_root = False

    @property
    def notes(self) -> tuple[str, ...]:
        if not self._names:
            return ()
        found = ["only .sig signatures count, as there; to have bundles count, too, remove formats from the rules"]
        if self._uses_root and self._root:
            found.append(f"all logs and authorities of {self._root.origin} count, where containers names single ones")
        return tuple(found)

    def definitions(self) -> dict[str, object]:
        """Returns the parts of a policy that rules refer to."""
        found: dict[str, object] = {}
        if self._uses_root and self._root:
            found["trustedRoots"] = {self._root.name: self._root.document}
        if self._names:
            found["authorities"] = self._names
        return found

    def authority(self, found: dict[str, object], what: str) -> str | Refuses:
        """Returns the name of the authority that a sigstoreSigned requirement is about."""
        source = [name for name in _SOURCES if name in found]
        if len(source) != 1:
            raise Junk(f"{what} has {len(source)} of {', '.join(_SOURCES)}, expected exactly one")
        if source[0] == "pki":
            return Refuses("certificates of a PKI without Sigstore cannot be asked for")
        try:
            logs = _keys_of({name: found[name] for name in _REKOR if name in found}, what)[1]
            if source[0] == "fulcio":
                return self._keyless(fields(found["fulcio"], f"{what}: fulcio", (), _FULCIO), logs, what)
            given, keys = _keys_of({source[0]: found[source[0]]}, what)
        except PolicyError as error:
            return Refuses(str(error))
        made: dict[str, object] = {"type": "key", **given, "tlog": "ignore", "timestamp": "ignore"}
        if len(keys) > 16:
            return Refuses(f"it names {len(keys)} keys, expected at most 16")
        if logs:
            why = self._unknown(logs)
            if why or self._root is None:
                return Refuses(why)
            self._uses_root = True
            made |= {"trustedRoot": self._root.name, "tlog": REQUIRE}
        return self._named("key", made)

    def _keyless(self, found: dict[str, object], logs: tuple[PublicKey, ...], what: str) -> str | Refuses:
        ca = [name for name in ("caPath", "caData") if name in found]
        if len(ca) != 1 or not logs or "oidcIssuer" not in found or "subjectEmail" not in found:
            raise Junk(f"{what}: fulcio lacks a part, expected caPath or caData, oidcIssuer, subjectEmail, a Rekor key")
        given = string(found[ca[0]], f"{what}: {ca[0]}")
        data = Files().root(given) if ca[0] == "caPath" else base64(given, f"{what}: caData")
        authorities = certificates(data, f"{what}: {ca[0]}", most=64)
        if not authorities:
            raise Junk(f"{what}: {ca[0]} holds no certificate, expected PEM")
        why = self._unknown(logs, authorities)
        if why or self._root is None:
            return Refuses(why)
        issuer = string(found["oidcIssuer"], f"{what}: oidcIssuer")
        subject = string(found["subjectEmail"], f"{what}: subjectEmail")
        if not (1 <= len(issuer) <= 2048 and 1 <= len(subject) <= 2048):
            return Refuses("its issuer or subject is empty or too long")
        self._uses_root = True
        identities = [{"issuer": issuer, "subject": subject}]
        made: dict[str, object] = {"type": "keyless", "trustedRoot": self._root.name, "timestamp": TLOG}
        return self._named("keyless", {**made, "identities": identities})

    def _unknown(self, logs: Iterable[PublicKey], certificates: Iterable[bytes] = ()) -> str:
        if self._known is None:
            return "it asks for Fulcio or Rekor, which takes a trusted root that knows them (--trusted-root)"
        if not all(key.der in self._known.logs for key in logs):
            return f"a Rekor key that it names is not in {self._known.origin}"
        if not all(one in self._known.certificates for one in certificates):
            return f"a certificate authority that it names is not in {self._known.origin}"
        return ""

    def _named(self, kind: str, made: dict[str, object]) -> str:
        for name, known in self._names.items():
            if known == made:
                return name
        name = f"{kind}-{len(self._names) + 1}"
        self._names[name] = made
        return name


_FULCIO = ("caPath", "caData", "oidcIssuer", "subjectEmail")


class _Known:
    """What a trusted root knows, to be compared."""

    def __init__(self, root: Root) -> None:
        self.origin = root.origin
        self.logs = {log.key.der for log in root.trusted().logs}
        raw = document(root.raw, limit=1 << 20, what="trusted root")
        self.certificates: set[bytes] = set()
        for one in items(raw.get("certificateAuthorities", []), "certificateAuthorities", most=1000):
            chain = mapping(mapping(one, "a certificate authority").get("certChain", {}), "certChain")
            for part in items(chain.get("certificates", []), "certificates", most=1000):
                self.certificates.add(base64(mapping(part, "a certificate").get("rawBytes"), "rawBytes"))


def requirement(value: object, what: str, translator: Translator) -> Outcome:
    """Returns what a list of requirements comes to: all of them must hold. Raises `Junk` for what is none."""
    found = [_one(one, f"{what}[{i}]", translator) for i, one in enumerate(items(value, what, least=1, most=64))]
    refused = [one for one in found if isinstance(one, Refuses)]
    if refused:
        return next((one for one in refused if not one.why), refused[0])
    wanted = [one for one in found if isinstance(one, Demands)]
    if not wanted:
        return Accepts()
    if len({one.identity for one in wanted}) > 1:
        return Refuses("it asks for signatures that name different things")
    return Demands(tuple(dict.fromkeys(name for one in wanted for name in one.authorities)), wanted[0].identity)


def _one(value: object, what: str, translator: Translator) -> Outcome:
    kind = string(mapping(value, what).get("type"), f"{what}: type")
    if kind == "insecureAcceptAnything":
        fields(value, what, ("type",))
        return Accepts()
    if kind == "reject":
        fields(value, what, ("type",))
        return Refuses()
    if kind == "signedBy":
        fields(value, what, ("type",), _GPG)
        return Refuses("GPG signatures (signedBy) cannot be asked for")
    if kind != "sigstoreSigned":
        raise Junk(
            f"{what}: type is {quoted(kind)}, expected insecureAcceptAnything, reject, signedBy or sigstoreSigned"
        )
    found = fields(value, what, ("type",), (*_SOURCES, *_REKOR, "signedIdentity"))
    identity = _identity(found.get("signedIdentity", {"type": _TAGS[1]}), f"{what}: signedIdentity", translator)
    named = translator.authority(found, what)
    if isinstance(named, Refuses):
        return named
    return identity if isinstance(identity, Refuses) else Demands((named,), identity)


def _identity(value: object, what: str, translator: Translator) -> tuple[str, str, str] | Refuses:
    kind = string(mapping(value, what).get("type"), f"{what}: type")
    wants = {
        "exactReference": ("dockerReference",),
        "exactRepository": ("dockerRepository",),
        "remapIdentity": ("prefix", "signedPrefix"),
    }
    if kind not in (*_TAGS, *wants, "matchRepository"):
        raise Junk(f"{what}: type is {quoted(kind)}, expected one of {', '.join((*_TAGS, 'matchRepository', *wants))}")
    found = fields(value, what, ("type", *wants.get(kind, ())))
    given = [string(found[name], f"{what}: {name}") for name in wants.get(kind, ())]
    if kind in _TAGS and translator.signed_tags:
        return Refuses(f"{kind} wants the tag to be signed, and here only the repository is")
    if kind == "exactReference":
        head, _, last = given[0].partition("@")[0].rpartition("/")
        kind, given = "exactRepository", [f"{head}/{last.partition(':')[0]}"]
    if kind in wants:
        for name in given:
            if not is_name(name, host_only=kind == "remapIdentity"):
                return Refuses(f"{kind} names {quoted(name)}, expected HOST/PATH")
        return (kind, given[0], given[-1])
    return ("matchRepository", "", "")


def _keys_of(found: dict[str, object], what: str) -> tuple[dict[str, object], tuple[PublicKey, ...]]:
    """Returns the public keys that a field names, as our field says it and read; nothing for no field.

    Raises `PolicyError` for a key that cannot be used.
    """
    if not found:
        return {}, ()
    if len(found) > 1:
        raise Junk(f"{what} has {' and '.join(found)}, expected one of them")
    ((field, value),) = found.items()
    given = texts([value] if not field.endswith("s") else value, f"{what}: {field}", least=1)
    if "Path" in field:
        if not all(one.startswith("/") for one in given):
            raise PolicyError(f"{field} is not absolute")
        return {"keyPaths": list(given)}, tuple(_key(Files().key(one), one) for one in given)
    data = [base64(one, f"{what}: {field}") for one in given]
    keys = tuple(_key(one, field) for one in data)
    return {"keyData": [key.pem for key in keys]}, keys


def _key(data: bytes, where: str) -> PublicKey:
    try:
        return PublicKey.load(data)
    except KeyFileError as error:
        raise PolicyError(f"{where}: {error}") from error
