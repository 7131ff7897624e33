"""The files that a policy names: how they are read is decided once, by who asks."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import PolicyError
from bpfimg.sign._policy._trustedfile import read

_KEY_LIMIT = 16 * 1024
_ROOT_LIMIT = 1024 * 1024


@value(frozen=True, slots=True)
class Files:
    """Reads keys and trusted roots; with `owner` (a uid) only those that nobody else can change.

    All methods raise `PolicyError`.
    """

    owner: int | None = None

    def key(self, path: str) -> bytes:
        """Returns the content of a public key file."""
        return read(path, what="public key", limit=_KEY_LIMIT, owner=self.owner)

    def root(self, path: str) -> bytes:
        """Returns the content of a trusted root file."""
        return read(path, what="trusted root", limit=_ROOT_LIMIT, owner=self.owner)

    def builtin(self) -> bytes:
        """Returns the root of the public Sigstore: a file of the installed package, as good as the code beside it."""
        from bpfimg.sign._evidence._published import published

        found = published("trusted_root.json")
        if found is None:
            raise PolicyError(
                "trusted root sigstore-public-good is not on this host: it comes with the package sigstore",
                hint="pip install 'bpfimg[keyless]'",
            )
        return found
