"""A trust policy: which rule is for which reference. It decides nothing about an image; `_verify` does."""

from __future__ import annotations

from bpfimg._hash import sha256
from bpfimg._json import compact
from bpfimg._value import value
from bpfimg.errors import PolicyError
from bpfimg.sign._policy._names import canonical
from bpfimg.sign._policy._rules import ANY, DENY, IGNORE, VERIFY, Authority, Rule
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import Reference
    from bpfimg.sign._keys._public import PublicKey
    from bpfimg.sign._policy._rules import IdentityPattern, Root

_MISSING = """write {path}{care}, with the path of your public key in keyPaths and your repositories in scope:
{{
 "version": 1,
 "default": "deny",
 "authorities": {{"release": {{"type": "key", "keyPaths": ["/etc/bpfimg/keys/cosign.pub"]}}}},
 "rules": [{{"scope": "registry.example.com/team/**", "requireAny": ["release"]}}]
}}
`bpfimg policy init` writes such a file; or name the key for this one command: --key cosign.pub"""


@value(frozen=True, slots=True, eq=False)
class Policy:
    """Rules, most specific first, and what holds where none is.

    `origin` is the path of the file (or what `for_key` was told); `digest` is "sha256:" and the hex digest of the
    file's bytes, for logs and records: what `sha256sum` says. `local_files` says whether files that were never signed
    may be used. `authorities` and `roots` are all that the file names, whether a rule uses them or not.
    """

    origin: str
    digest: str
    rules: tuple[Rule, ...]
    default: Rule
    denied: frozenset[str] = frozenset()
    local_files: bool = False
    authorities: tuple[Authority, ...] = ()
    roots: tuple[Root, ...] = ()

    @classmethod
    def load(cls, path: str, *, system: bool, owner: int = 0) -> Policy:
        """Returns the policy in the file `path`; raises `PolicyError` if it, or a key file that it names, is not
        there or not valid: then nothing is believed.

        With `system` the files must belong to `owner` (root), be writable by nobody else, be no symbolic links, and lie
        in folders of which the same is true.
        """
        from bpfimg.sign._policy._language import LIMIT
        from bpfimg.sign._policy._trustedfile import read

        uid = owner if system else None
        care = " (owned by root, mode 0644)" if system else ""
        data = read(path, what="trust policy", limit=LIMIT, owner=uid, missing=_MISSING.format(path=path, care=care))
        return cls.parse(data, path, owner=uid)

    @classmethod
    def parse(cls, data: bytes, origin: str, *, owner: int | None = None) -> Policy:
        """Returns the policy in `data`, with the files that it names (of `owner` only, if there is one); else raises
        `PolicyError`."""
        from bpfimg.sign._policy._files import Files
        from bpfimg.sign._policy._language import parse

        try:
            said = parse(data, Files(owner))
        except Junk as error:
            raise PolicyError(f"trust policy {origin} cannot be used: {error}") from error
        return cls(
            origin,
            f"sha256:{sha256(data).hexdigest()}",
            said.rules,
            said.default,
            said.denied,
            said.local_files,
            said.authorities,
            said.roots,
        )

    @classmethod
    def for_key(cls, key: PublicKey, description: str) -> Policy:
        """Returns the policy that any image must be signed by `key`, for its own repository if the signature names
        one; `description` (`--key FILE`) becomes its origin and the name of its one authority.

        A log entry or timestamp beside the signature is not looked at: whoever gives one key trusts no log.
        """
        document = {"version": 1, "default": DENY, "key": key.fingerprint}
        rule = Rule(None, VERIFY, (Authority(description, (key,), tlog=IGNORE, timestamp=IGNORE),))
        return cls(description, f"sha256:{sha256(compact(document)).hexdigest()}", (), rule)

    @classmethod
    def for_identity(cls, patterns: tuple[IdentityPattern, ...], root: Root, description: str) -> Policy:
        """Returns the policy that any image must be signed by somebody with one of these identities, in a certificate
        that `root` leads to; `description` (`--certificate-identity ID`) becomes its origin and its authority's name.
        """
        document = {"version": 1, "default": DENY, "identities": [str(one) for one in patterns], "root": root.digest}
        rule = Rule(None, VERIFY, (Authority(description, root=root, timestamp=ANY, identities=patterns),))
        return cls(description, f"sha256:{sha256(compact(document)).hexdigest()}", (), rule)

    def rule_for(self, reference: Reference) -> Rule:
        """Returns the one rule for `reference`: the most specific that matches, else the default.

        A scope with a tag is for a reference that is resolved through that tag: beside a digest a tag says nothing.
        """
        repository = canonical(str(reference.repository))
        tag = reference.tag if reference.digest is None else None
        for rule in self.rules:
            if rule.scope is not None and rule.scope.matches(repository, tag):
                return rule
        return self.default
