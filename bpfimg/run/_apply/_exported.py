"""What is loaded now, as the file that would bring it back."""

from __future__ import annotations

from bpfimg.errors import UsageError
from bpfimg.load import hooks
from bpfimg.run._apply._desired import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bpfimg.load import LinkRecord, Load, LoadRecord
    from bpfimg.run._apply._difference import Order


def exported(
    loads: Sequence[Load],
    *,
    orders: Mapping[int, Order] | None = None,
    warn: Callable[[str], None] = lambda sentence: None,
) -> dict[str, object]:
    """Returns the declaration of these loads: images by digest, globals, metadata, hooks as they were asked for.

    `orders` has the present places of links that are members of chains, by their ids. `warn` is told what cannot be
    declared: what is damaged, what has no image, names that several loads have (they get a number). It holds no
    secrets: nothing that was not on a command line or in a file before.
    """
    applications = []
    used: set[str] = set()
    for load in loads:
        record = load.record
        if record is None or record.image is None:
            warn(f"load {load.id} is left out: {load.damage or 'its record names no image'}")
            continue
        name, number = record.name, 1
        while name in used:
            number += 1
            name = f"{record.name}-{number}"
        if name != record.name:
            warn(f"{record.name!r} is loaded several times: load {load.id} is declared as {name!r}")
        used.add(name)
        entry: dict[str, object] = {"name": name, "image": _image(record.image.reference, record.image.digest)}
        if record.image.pull not in ("", "missing"):
            entry["pull"] = record.image.pull
        _not_declared(load.id, record, warn)
        entry["programs"] = [program.name for program in record.programs]
        entry |= {key: dict(found) for key in ("globals", "metadata") if (found := getattr(record, key))}
        attach = [found for link in load.links if (found := _attach(link, orders or {}, warn)) is not None]
        if attach:
            entry["attach"] = attach
        applications.append(entry)
    document: dict[str, object] = {"version": VERSION}
    if applications:
        document["application"] = applications
    return document


def _image(reference: str, digest: str) -> str:
    """By digest, so that the same bytes come back; of a file only its path can be said."""
    if reference.startswith("file:"):
        return reference.removeprefix("file:")
    name = reference.partition("@")[0]
    return f"{name}@{digest}"


def _attach(link: LinkRecord, orders: Mapping[int, Order], warn: Callable[[str], None]) -> dict[str, object] | None:
    order = orders.get(link.id)
    now = {} if order is None else {"priority": order.priority, "proceed_on": order.proceed_on}
    try:
        document = hooks.to_dict(hooks.from_dict({"kind": link.hook, **link.asked, **now}))
    except (UsageError, TypeError, ValueError) as error:
        warn(f"link {link.id} is left out: {error}")
        return None
    return {"hook": document.pop("kind"), "program": link.program_name, **document}


def _not_declared(number: int, record: LoadRecord, warn: Callable[[str], None]) -> None:
    """What a file has no word for: maps of others, and who may open the maps."""
    others = {name: whose for name, whose in record.shared.items() if whose != "application"}
    if others:
        words = ", ".join(f"{name} of {whose}" for name, whose in others.items())
        warn(f"load {number} shares maps, and would have maps of its own: {words}")
    if record.map_access:
        warn(f"load {number} lets others open its maps, and would not")
