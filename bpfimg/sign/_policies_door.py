"""What policies are beside files to verify with: given on the spot, looked into, explained, begun.

`given_key` and `given_identity` make the policy of one command line. `review` says what a policy may not mean to say
(`Advice`), `explained` which `Rule` is for a reference and why. `begun` and `imported` (from containers-policy.json)
make documents, with the trusted root that `chosen_root` finds; `written` makes them files.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.sign._given import given_identity, given_key
    from bpfimg.sign._policy._containers import Imported, imported
    from bpfimg.sign._policy._explain import Explained, explained
    from bpfimg.sign._policy._review import Advice, review
    from bpfimg.sign._policy._roots import chosen_root
    from bpfimg.sign._policy._rules import Authority, Root, Rule
    from bpfimg.sign._policy._start import begun, written
    from bpfimg.sign._rfc3339 import rfc3339

__all__ = [
    "Advice",
    "Authority",
    "Explained",
    "Imported",
    "Root",
    "Rule",
    "begun",
    "chosen_root",
    "explained",
    "given_identity",
    "given_key",
    "imported",
    "review",
    "rfc3339",
    "written",
]

__getattr__ = opened(
    "bpfimg.sign",
    {
        "Advice": "_policy._review",
        "Authority": "_policy._rules",
        "Explained": "_policy._explain",
        "Imported": "_policy._containers",
        "Root": "_policy._rules",
        "Rule": "_policy._rules",
        "begun": "_policy._start",
        "chosen_root": "_policy._roots",
        "explained": "_policy._explain",
        "given_identity": "_given",
        "given_key": "_given",
        "imported": "_policy._containers",
        "review": "_policy._review",
        "rfc3339": "_rfc3339",
        "written": "_policy._start",
    },
)
