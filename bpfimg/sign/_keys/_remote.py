"""Keys that never leave where they are kept: a token or a cloud service signs, and is not believed blindly."""

from __future__ import annotations

from bpfimg.errors import Error, KeyFileError, quoted
from bpfimg.sign._keys._kinds import own_digest
from bpfimg.sign._keys._uri import TokenUri, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from bpfimg.sign._keys._public import PublicKey

    Secret = Callable[[str], str]
    """Asked for a PIN by the name of what it opens ("the token 'x'"); the answer is forgotten with the key."""


class RemoteKey:
    """A key to sign with that is kept elsewhere; `.public` is the `PublicKey` that believes it.

    `remote_key` makes them. Every signature is verified before it is given out: a service that mixes up keys or
    digests must not leave signatures behind that nobody can believe.
    """

    __slots__ = ("_name", "_sign", "public")

    def __init__(self, name: str, public: PublicKey, sign: Callable[[bytes, str], bytes]) -> None:
        self.public = public
        self._name = name
        self._sign = sign

    def sign(self, data: bytes, *, digest: str = "") -> bytes:
        """Returns the signature that `public.verify(data, signature, digest=digest)` believes; raises `KeyFileError`
        when it is refused, cannot be reached, or signs with another digest."""
        with Translated(self._name):
            signature = self._sign(data, digest or own_digest(self.public.kind))
        if not self.public.verify(data, signature, digest=digest):
            raise KeyFileError(f"{self._name} made a signature that its own public key does not believe")
        return signature

    def __repr__(self) -> str:
        return f"RemoteKey(public={self.public.fingerprint})"


def remote_key(uri: str, secret: Secret, *, module: str = "") -> RemoteKey:
    """Returns the key that `uri` names, with its public half read from where it is kept.

    `secret` is asked for a PIN where one is needed; `module` is the PKCS #11 library for URIs that name none. Raises
    `UsageError` for a URI that is not understood and `KeyFileError` for everything that goes wrong elsewhere.
    """
    found = parse(uri)
    if isinstance(found, TokenUri):
        from bpfimg.sign._keys._token import token_key

        return token_key(found, secret, module)
    from bpfimg.sign._keys._cloud import cloud_key

    return cloud_key(found)


class Translated:
    """Makes every exception of a foreign library that leaves its `with` one sentence about `name`.

    A guard in place of `except`, because there is no list to catch: securesystemslib says of its signers that they
    "may raise errors that are not documented" and asks applications to be generic. Ours, and Ctrl-C, pass through.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None or not isinstance(error, Exception) or isinstance(error, Error):
            return
        said = str(error).strip().partition("\n")[0]
        reason = f"{quoted(said, 200)} ({kind.__name__})" if said else kind.__name__
        raise KeyFileError(f"{self._name} cannot be used: its library says {reason}") from error
