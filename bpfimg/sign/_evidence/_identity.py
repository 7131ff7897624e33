"""Who a certificate says has signed: the subject and issuer of a token, and where in a CI system it ran."""

from __future__ import annotations

from bpfimg._value import field, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


@value(frozen=True, slots=True)
class Identity:
    """One signer: `subject` is what its `issuer` (an OpenID provider's URL) calls it.

    `subject_kind` is "email", "uri" or "other" (a user name); `extensions` are what else Fulcio wrote down of the
    token, by the names of fulcio's docs/oid-info.md that a policy can ask for: `sourceRepositoryURI`,
    `sourceRepositoryRef`, `buildSignerURI`, `buildTrigger`, `runnerEnvironment`. None of it is believed before the
    certificate is.
    """

    subject: str
    subject_kind: str
    issuer: str
    extensions: Mapping[str, str] = field(default_factory=dict, hash=False)
