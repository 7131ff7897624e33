"""What signs: keys in files, in tokens and at cloud services.

`remote_key` gives the key that a URI names (`is_key_uri` says whether a text is one); like a `PrivateKey` it is a
`SigningKey`. `KEY_KINDS` are the kinds that `generate_key` makes.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.sign._keys._private import KEY_KINDS
    from bpfimg.sign._keys._remote import RemoteKey, remote_key
    from bpfimg.sign._keys._signing_key import SigningKey
    from bpfimg.sign._keys._uri import is_key_uri

__all__ = [
    "KEY_KINDS",
    "RemoteKey",
    "SigningKey",
    "is_key_uri",
    "remote_key",
]

__getattr__ = opened(
    "bpfimg.sign",
    {
        "KEY_KINDS": "_keys._private",
        "RemoteKey": "_keys._remote",
        "SigningKey": "_keys._signing_key",
        "is_key_uri": "_keys._uri",
        "remote_key": "_keys._remote",
    },
)
