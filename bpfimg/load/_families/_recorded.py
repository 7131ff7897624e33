"""What is written down about an attachment: one builder for all families."""

from __future__ import annotations

from bpfimg.load._hooks._words import to_dict
from bpfimg.load._moment import now
from bpfimg.load._records import LinkRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.load._attach import Loaded
    from bpfimg.load._families._place import Place
    from bpfimg.load._hooks import Hook


def recorded(
    program: Loaded,
    hook: Hook,
    where: str,
    *,
    place: Place | None = None,
    how: str = "link",
    used_mode: str | None = None,
    clsact_priority: int | None = None,
    details: Mapping[str, object] | None = None,
    parts: int = 0,
    note: str = "",
    absolute: Mapping[str, str] | None = None,
) -> LinkRecord:
    """The record of a program on a hook: `where` in words, `place` for hooks of a network namespace.

    `absolute` exchanges fields of the hook for what other processes understand too, as an absolute path; the words
    that were used are then in the details, as `asked`.
    """
    spec = to_dict(hook, defaults=True)
    del spec["kind"]
    if place is not None:
        spec.pop("netns", None)
        spec |= {} if place.netns is None else {"netns": place.netns}
    found = dict(details or {})
    words = {field: spec[field] for field, path in (absolute or {}).items() if field in spec and spec[field] != path}
    if words:
        found["asked"] = words
    return LinkRecord(
        id=0,
        program_id=program.id,
        program_name=program.name,
        hook=hook.word,
        how=how,
        created=now(),
        spec={**spec, **(absolute or {})},
        where=where,
        ifindex=place.ifindex or None if place else None,
        netns_inode=place.inode if place else None,
        used_mode=used_mode,
        clsact_priority=clsact_priority,
        details=found,
        parts=parts,
        note=note,
    )
