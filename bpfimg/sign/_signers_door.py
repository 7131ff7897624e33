"""Who signs: a key, wherever it is kept, or an identity that services vouch for.

`KeySigner` signs with a `SigningKey` (a `PrivateKey`, or the `RemoteKey` that `remote_key` gets for a URI; `is_key_uri`
says whether a text is one), `Keyless` in the name of an identity token (`ambient_token`, `browser_token`); both are
`Signer`s. `Services` are the logs and authorities of a `TrustConfig`, or of the `public_good`. `KEY_KINDS` are
the kinds of keys that `generate_key` makes; `predicate_type` knows the words for attestations.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.sign._keys._private import KEY_KINDS, generate_key
    from bpfimg.sign._keys._remote import RemoteKey, remote_key
    from bpfimg.sign._keys._signing_key import SigningKey
    from bpfimg.sign._keys._uri import is_key_uri
    from bpfimg.sign._predicates import predicate_type
    from bpfimg.sign._services._config import TrustConfig
    from bpfimg.sign._services._identity import ambient_token, browser_token
    from bpfimg.sign._services._keyless import Keyless
    from bpfimg.sign._services._public_good import public_good
    from bpfimg.sign._services._services import Services
    from bpfimg.sign._signers import KeySigner, Signer

__all__ = [
    "KEY_KINDS",
    "KeySigner",
    "Keyless",
    "RemoteKey",
    "Services",
    "Signer",
    "SigningKey",
    "TrustConfig",
    "ambient_token",
    "browser_token",
    "generate_key",
    "is_key_uri",
    "predicate_type",
    "public_good",
    "remote_key",
]

__getattr__ = opened(
    "bpfimg.sign",
    {
        "KEY_KINDS": "_keys._private",
        "KeySigner": "_signers",
        "Keyless": "_services._keyless",
        "RemoteKey": "_keys._remote",
        "Services": "_services._services",
        "Signer": "_signers",
        "SigningKey": "_keys._signing_key",
        "TrustConfig": "_services._config",
        "ambient_token": "_services._identity",
        "browser_token": "_services._identity",
        "generate_key": "_keys._private",
        "is_key_uri": "_keys._uri",
        "predicate_type": "_predicates",
        "public_good": "_services._public_good",
        "remote_key": "_keys._remote",
    },
)
