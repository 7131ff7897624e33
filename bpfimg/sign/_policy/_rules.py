"""What a policy is made of, once it is read: authorities and rules. Values only."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.sign._policy._names import Scope, remapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.sign._keys._public import PublicKey

FORMATS = ("bundle", "legacy")
VERIFY, DENY, ALLOW_UNSIGNED = "verify", "deny", "insecure-allow-unsigned"
IDENTITIES = ("repository", "repository-if-present", "none")
IF_PRESENT, IGNORE = "if-present", "ignore"


@value(frozen=True, slots=True, eq=False)
class Authority:
    """Whose signatures count: any one of `keys`. `tlog` and `timestamp` say what becomes of a signature that
    carries such evidence, which this version cannot check: `if-present` refuses it, `ignore` looks away."""

    name: str
    keys: tuple[PublicKey, ...]
    tlog: str = IF_PRESENT
    timestamp: str = IF_PRESENT


@value(frozen=True, slots=True, eq=False)
class Rule:
    """What must hold for the images in `scope` (None: the policy's default).

    `action` is `verify`, `deny` or `insecure-allow-unsigned`; of the last, `authorities` are all that the policy
    has, because what is signed is still verified and said. `threshold` authorities must each have signed with a
    key of its own: one key in two authorities counts once, and two keys of one authority count once.
    """

    scope: Scope | None
    action: str
    authorities: tuple[Authority, ...] = ()
    threshold: int = 1
    formats: tuple[str, ...] = FORMATS
    identity: str = IDENTITIES[1]
    remap: str | None = None

    @property
    def name(self) -> str:
        """The scope as it is written, or "default"."""
        return self.scope.text if self.scope else "default"

    def signed_name(self, repository: str) -> str:
        """Returns the canonical name that a signature of an image in `repository` must have if it names one."""
        if self.remap is None or self.scope is None:
            return repository
        return remapped(repository, self.scope, self.remap)
