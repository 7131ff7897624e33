"""What policies are beside files to verify with: given on the spot, looked into, explained, begun.

`given_key` and `given_identity` make the policy of one command line.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.sign._given import given_identity, given_key

__all__ = [
    "given_identity",
    "given_key",
]

__getattr__ = opened(
    "bpfimg.sign",
    {
        "given_identity": "_given",
        "given_key": "_given",
    },
)
