"""Is this link what that hook asks for? Compared by the words that were used."""

from __future__ import annotations

from bpfimg.errors import UsageError
from bpfimg.load._hooks import _words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._hooks import Hook
    from bpfimg.load._records import LinkRecord


def asked(link: LinkRecord) -> dict[str, object]:
    """The fields of the hook in the words that were used, not the absolute paths that they became."""
    words = (link.details or {}).get("asked", {})
    return {**link.spec, **(words if isinstance(words, dict) else {})}


def same(hook: Hook, link: LinkRecord, *, without: tuple[str, ...] = ()) -> bool:
    """True when the link was asked for as `hook` is, but for the fields in `without`."""
    try:
        have = _words.to_dict(_words.from_dict({"kind": link.hook, **asked(link)}))
    except (UsageError, TypeError, ValueError, AttributeError):
        return False
    return _plain(have, without) == _plain(_words.to_dict(hook), without)


def _plain(document: dict[str, object], without: tuple[str, ...]) -> dict[str, object]:
    """A named network namespace is the file that ip-netns(8) keeps for it."""
    netns = document.get("netns")
    if isinstance(netns, str):
        path = netns if "/" in netns else f"/run/netns/{netns}"
        document["netns"] = path.removeprefix("/var") if path.startswith("/var/run/") else path
    return {field: found for field, found in document.items() if field not in without}
