"""Changes to what is loaded already: no bytes come in here."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.load import Hook, Host, LinkRecord, Load


def attach(
    host: Host,
    loaded: int | str,
    hook: Hook,
    *,
    program: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> tuple[Load, LinkRecord]:
    """Attaches a program of what is loaded (a program id or a name) to one more hook; returns the load and the link.

    `program` chooses by name where several of the load's programs fit.
    """
    with host.writer() as writer:
        return writer.attach(loaded, hook, program=program, metadata=metadata)


def detach(host: Host, link: int) -> tuple[Load, LinkRecord | None]:
    """Detaches a link by its id; returns its load, which stays loaded, and what the link was (None: damaged)."""
    with host.writer() as writer:
        return writer.detach(link)


def unload(host: Host, word: int | str) -> Load:
    """Unloads by the id of a program, or by a name that only one load has; returns what it was.

    Programs that came from one object go together, with all their links: `program_ids` of the result says which.
    """
    with host.writer() as writer:
        return writer.unload(word)
