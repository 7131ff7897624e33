"""What a policy is made of, once it is read: roots, authorities and rules. Values only."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import PolicyError
from bpfimg.sign._policy._names import Scope, remapped
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.sign._evidence._identity import Identity
    from bpfimg.sign._evidence._root import TrustedRoot
    from bpfimg.sign._keys._public import PublicKey
    from bpfimg.sign._policy._compatibility import Compatible
    from bpfimg.sign._policy._conditions import Condition
    from bpfimg.sign._policy._patterns import Pattern

FORMATS = ("bundle", "legacy")
VERIFY, DENY, ALLOW_UNSIGNED = "verify", "deny", "insecure-allow-unsigned"
IDENTITIES = ("repository", "repository-if-present", "none")
REQUIRE, IF_PRESENT, IGNORE = "require", "if-present", "ignore"
ANY, TSA, TLOG = "any", "tsa", "tlog"  # where a keyless signature's time may come from
EXTENSIONS = ("sourceRepositoryURI", "sourceRepositoryRef", "buildSignerURI", "buildTrigger", "runnerEnvironment")
VERSION = "org.opencontainers.image.version"
LONGEST_INPUT = 2048


@value(frozen=True, slots=True, eq=False)
class Root:
    """A trusted root: certificate authorities, logs and timestamp authorities, as the bytes of its file.

    `origin` is where it came from (a path, or `builtin NAME`), `digest` what these bytes are.
    """

    name: str
    origin: str
    digest: str
    raw: bytes

    @property
    def document(self) -> dict[str, object]:
        """How a policy names it: by path and hash, or as the built-in one."""
        if self.origin.startswith("/"):
            return {"path": self.origin, "sha256": self.digest.removeprefix("sha256:")}
        return {"builtin": self.origin.removeprefix("builtin ")}

    def trusted(self) -> TrustedRoot:
        """Returns what is in it, parsed once for the same bytes; raises `PolicyError` when it cannot be used."""
        found = _TRUSTED.get(self.digest)
        if found is None:
            from bpfimg.sign._evidence._root import TrustedRoot

            try:
                found = TrustedRoot.parse(self.raw)
            except Junk as error:
                raise PolicyError(f"trusted root {self.name} ({self.origin}) cannot be used: {error}") from error
            _TRUSTED[self.digest] = found
        return found


_TRUSTED: dict[str, TrustedRoot] = {}


@value(frozen=True, slots=True, eq=False)
class IdentityPattern:
    """Who may have signed with a certificate: text is equal, a pattern fits as a whole, extensions are all equal."""

    issuer: str | Pattern
    subject: str | Pattern
    extensions: tuple[tuple[str, str], ...] = ()

    def matches(self, identity: Identity) -> bool:
        """Says whether a certificate's identity is one of these."""
        return (
            _fits(self.issuer, identity.issuer)
            and _fits(self.subject, identity.subject)
            and all(identity.extensions.get(name) == wanted for name, wanted in self.extensions)
        )

    def __str__(self) -> str:
        extensions = "".join(f", {name} {text}" for name, text in self.extensions)
        return f"{_words(self.subject)} of {_words(self.issuer)}{extensions}"


def _fits(wanted: str | Pattern, found: str) -> bool:
    if not found or len(found) > LONGEST_INPUT:
        return False
    return found == wanted if isinstance(wanted, str) else wanted.fullmatch(found)


def _words(wanted: str | Pattern) -> str:
    return wanted if isinstance(wanted, str) else f"/{wanted.text}/"


@value(frozen=True, slots=True, eq=False)
class Authority:
    """Whose signatures count: any one of `keys`, or any one of `identities` (then there are no keys).

    `tlog` and `timestamp` of keys are `require`, `if-present` (what is there must verify, which takes a `root`) or
    `ignore`; `timestamp` of identities is the source of time that counts: `any`, `tsa` or `tlog`. The verified time
    of a signature must lie between `not_before` and `not_after` (seconds since 1970; None: no bound).
    """

    name: str
    keys: tuple[PublicKey, ...] = ()
    root: Root | None = None
    tlog: str = IF_PRESENT
    timestamp: str = IF_PRESENT
    not_before: int | None = None
    not_after: int | None = None
    identities: tuple[IdentityPattern, ...] = ()

    @property
    def keyless(self) -> bool:
        """Whether certificates sign for it rather than keys."""
        return bool(self.identities)

    @property
    def says(self) -> tuple[str, ...]:
        """Whose signatures count and what must stand beside them, in words."""
        from bpfimg.sign._policy._words import described

        return described(self)


@value(frozen=True, slots=True, eq=False)
class Attested:
    """An attestation that must be there: of exactly this type, by one of the authorities, and all conditions hold.

    Of a compatibility report, it also says of the kernels that are asked for what it has to (None: nothing is).
    """

    predicate_type: str
    authorities: tuple[Authority, ...]
    conditions: tuple[Condition, ...] = ()
    compatibility: Compatible | None = None


@value(frozen=True, slots=True, eq=False)
class Rollback:
    """The version that `annotation` claims never goes back on this host, and is at least `minimum`."""

    annotation: str = VERSION
    minimum: str | None = None


@value(frozen=True, slots=True, eq=False)
class Rule:
    """What must hold for the images in `scope` (None: the policy's default).

    `action` is `verify`, `deny` or `insecure-allow-unsigned`; of the last, `authorities` are all that the policy
    has, because what is signed is still verified and said. `threshold` authorities must each have signed with a
    key or identity of its own: one key in two authorities counts once, and two keys of one authority count once.
    `max_age` is in seconds; `signature_repository` is the HOST/PATH where signatures are beside the image's own.
    """

    scope: Scope | None
    action: str
    authorities: tuple[Authority, ...] = ()
    threshold: int = 1
    formats: tuple[str, ...] = FORMATS
    identity: str = IDENTITIES[1]
    remap: str | None = None
    attestations: tuple[Attested, ...] = ()
    rollback: Rollback | None = None
    max_age: int | None = None
    signature_repository: str | None = None

    @property
    def name(self) -> str:
        """The scope as it is written, or "default"."""
        return self.scope.text if self.scope else "default"

    @property
    def says(self) -> tuple[str, ...]:
        """What it asks of an image, in words, the first thing first."""
        from bpfimg.sign._policy._words import demands

        return demands(self)

    def signed_name(self, repository: str) -> str:
        """Returns the canonical name that a signature of an image in `repository` must have if it names one."""
        if self.remap is None or self.scope is None:
            return repository
        return remapped(repository, self.scope, self.remap)
