"""Changes to what is loaded already: no bytes come in here."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


def change(
    host: Host, link: int, *, priority: int | None = None, proceed_on: Sequence[str] | None = None
) -> tuple[Load, LinkRecord]:
    """Gives a member of a chain another priority, or other results after which the chain goes on; what is None stays.

    The chain is exchanged in one step: no packet is missed. Returns the load and the link. UsageError: the link is not
    of a chain, or the priority or an action is none.
    """
    _, record = host.find_link(link)
    if record is not None:
        proceed_on = _sound(record, priority, proceed_on)
    with host.writer() as writer:
        return writer.change(link, priority=priority, proceed_on=proceed_on)


def evict(host: Host, interface: str, program: int, *, netns: str | None = None) -> None:
    """Takes a program of somebody else (its kernel id) out of the XDP chain of an interface; the rest of it runs on.

    UsageError: it is ours, and has a link to be detached. AttachError: it is not in a chain there.
    """
    with host.writer() as writer:
        writer.evict(interface, program, netns=netns)


def _sound(record: LinkRecord, priority: int | None, proceed_on: Sequence[str] | None) -> Sequence[str] | None:
    """The actions as the link's hook has them; UsageError for a priority or an action that it does not take."""
    from bpfimg.load import hooks

    if record.hook not in hooks.ACTIONS:
        return proceed_on  # no chain: the writer says so
    given = {"priority": priority, "proceed_on": None if proceed_on is None else tuple(proceed_on)}
    fields = {name: found for name, found in given.items() if found is not None}
    hook = hooks.from_dict({"kind": record.hook, **record.asked, **fields})
    return hook.proceed_on if proceed_on is not None and isinstance(hook, hooks.Xdp | hooks.Tc) else None


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
