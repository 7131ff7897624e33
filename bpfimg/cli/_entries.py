"""Programs and links as JSON entries: one builder each, so that every verb says the same of the same thing.

The schemas are `schemas/programs.schema.json` and `schemas/links.schema.json`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.inspect import Inventory, LinkView, ProgramView
    from bpfimg.load import SignerRecord

__all__ = ["link_entry", "program_entries", "program_entry", "short_image", "target", "where"]

_KERNEL = (
    "tag",
    "gpl",
    "loaded_at",
    "uid",
    "btf_id",
    "xlated_size",
    "jited_size",
    "memlock",
    "verified_insns",
    "run_time",
    "run_count",
)
_LINK_RECORD = ("interface", "ifindex", "direction", "netns", "priority", "mode", "used_mode", "note", "created")


def program_entries(inventory: Inventory) -> list[dict[str, object]]:
    """Every program of the inventory, with its links and map pins."""
    return [program_entry(view, inventory) for view in inventory.programs]


def program_entry(view: ProgramView, inventory: Inventory) -> dict[str, object]:
    """One program. What bpfimg did not load has `managed` false, and null where only a record could tell."""
    record = view.record
    image = record.image if record else None
    own = [m for m in inventory.maps if m.load is not None and m.load == view.load]
    users = {number for m in own for number in m.program_ids} - {view.id}
    return {
        "id": view.id,
        "name": view.name,
        "type": view.type,
        "managed": view.load is not None,
        "application": record.name if record else None,
        "load": view.load,
        "image": None
        if image is None
        else {
            "reference": image.reference,
            "digest": image.digest,
            "manifest": image.manifest,
            "signers": list(dict.fromkeys(signer.who for signer in image.signers)),
            "signatures": [_signature(signer) for signer in image.signers],
            "version": image.version or None,
            "policy": image.policy,
            "policy_digest": image.policy_digest or None,
            "rule": image.rule,
            "unsigned_allowed": image.unsafe,
            "pull": image.pull,
        },
        "globals": dict(record.globals) if record else {},
        "metadata": dict(record.metadata) if record else {},
        "created": (record.created or None) if record else None,
        "pin": view.pin or None,
        "map_pins": {m.name: m.pin for m in own if m.pin},
        "map_owner": view.load,
        "map_used_by": sorted(users),
        "links": [link_entry(link) for link in inventory.links if link.program_id == view.id],
        "held_by": list(view.held_by),
        "damage": view.damage or None,
        "kernel": {"id": view.id, "map_ids": list(view.map_ids), **{field: getattr(view, field) for field in _KERNEL}},
    }


def _signature(signer: SignerRecord) -> dict[str, object]:
    """One signature that was believed; null where there is no such thing, or a record does not say."""
    return {
        "authority": signer.authority,
        "key": signer.key or None,
        "identity": signer.identity or None,
        "issuer": signer.issuer or None,
        "format": signer.format or None,
        "signed_at": signer.signed_at or None,
        "logs": list(signer.logs),
        "timestamps": list(signer.stamps),
    }


def link_entry(view: LinkView) -> dict[str, object]:
    """One link; `id` is bpfimg's own and stays, `kernel_id` is the kernel's. Others' links have only the latter."""
    record = view.record
    entry: dict[str, object] = {
        "id": view.id if view.id is not None else view.kernel_id,
        "managed": view.id is not None,
        "kernel_id": view.kernel_id,
        "program_id": view.program_id,
        "hook": view.hook,
        "target": target(view),
        "how": view.how,
        "state": view.state,
        "load": view.load,
        "pin": view.pin or None,
    }
    entry |= {field: getattr(record, field) if record else None for field in _LINK_RECORD}
    entry["created"] = entry["created"] or None
    entry["proceed_on"] = list(record.proceed_on) if record else []
    entry["tracepoint"] = record.tracepoint if record else None
    entry["metadata"] = dict(record.metadata or {}) if record else {}
    return entry


def target(view: LinkView) -> str:
    """Its interface and direction, or its tracepoint; an interface that was moved has the name that it had."""
    return f"{view.target} (moved to another network namespace)" if view.moved else view.target


def where(links: Iterable[LinkView]) -> str:
    """Where a program is attached, in words; `-` where it is not."""
    return ", ".join(map(_place, links)) or "-"


def _place(link: LinkView) -> str:
    words = target(link) or link.hook
    if link.hook not in ("xdp", "tracepoint") or not link.target:
        words = f"{link.hook} {target(link)}".strip()
    record = link.record
    if record is not None and record.netns and not link.moved:
        words += f" in {record.netns.rpartition('/')[2]}"
    return words if link.state == "attached" else f"{words} ({link.state})"


def short_image(view: ProgramView) -> str:
    """The image as reference@digest with 12 digits of the digest; who holds the program where we did not load it."""
    image = view.record.image if view.record else None
    if image is None:
        return "; ".join(view.held_by[:2]) or "-"
    name = image.reference if image.reference.startswith("file:") else image.reference.partition("@")[0]
    unsigned = " UNSIGNED" if image.unsafe else ""
    return f"{name}@{image.digest[:19]}{unsigned}"
