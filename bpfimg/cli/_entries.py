"""Programs and links as JSON entries: one builder each, so that every verb says the same of the same thing.

The schemas are `schemas/programs.schema.json` and `schemas/links.schema.json`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpfimg.inspect import Inventory, LinkView, MapView, ProgramView
    from bpfimg.load import LoadRecord, SignerRecord

    Entry = dict[str, object]

__all__ = [
    "Index",
    "image_of",
    "indexed_entry",
    "is_counted",
    "kernel_entry",
    "link_entry",
    "map_entry",
    "program_entries",
    "program_entry",
    "short_image",
    "where",
]


class Index:
    """Which links and maps belong to a program: asked once for each of thousands."""

    __slots__ = ("by_id", "by_load", "links")

    def __init__(self, inventory: Inventory) -> None:
        self.links = inventory.by_program()
        self.by_id = {found.id: found for found in inventory.maps}
        self.by_load: dict[int, list[MapView]] = {}
        for found in inventory.maps:
            if found.load is not None:
                self.by_load.setdefault(found.load, []).append(found)


def is_counted(links: Sequence[LinkView]) -> bool:
    """False for what only runs inside of dispatchers: the kernel counts how often these run, not their programs."""
    return not links or any(link.how != "dispatcher" or link.builder not in ("freplace", "fused") for link in links)


def program_entries(inventory: Inventory, views: Sequence[ProgramView] | None = None) -> list[Entry]:
    """The programs of the inventory, or those of `views`, with their links and maps."""
    index = Index(inventory)
    return [indexed_entry(view, index) for view in (inventory.programs if views is None else views)]


def program_entry(view: ProgramView, inventory: Inventory) -> Entry:
    """One program. What bpfimg did not load has `managed` false, and null where only a record could tell."""
    return indexed_entry(view, Index(inventory))


def indexed_entry(view: ProgramView, index: Index) -> Entry:
    """The same where many are asked for."""
    record = view.record
    own = index.by_load.get(view.load, []) if view.load is not None else []
    return {
        "id": view.id,
        "name": view.name,
        "type": view.type,
        "managed": view.load is not None,
        "application": record.name if record else None,
        "load": view.load,
        "image": image_of(record) if record else None,
        "globals": dict(record.globals) if record else {},
        "global_types": dict(record.global_types) if record else {},
        "shared_maps": dict(record.shared) if record else {},
        "map_access": dict(record.map_access) if record else {},
        "metadata": dict(record.metadata) if record else {},
        "created": (record.created or None) if record else None,
        "pin": view.pin or None,
        "map_pins": {each.name: each.pin for each in own if each.pin},
        "map_owner": view.load,
        "map_used_by": sorted({number for each in own for number in each.program_ids} - {view.id}) if own else [],
        "target": view.target or None,
        "links": [link_entry(link) for link in index.links.get(view.id, ())],
        "maps": [map_entry(index.by_id[number]) for number in view.map_ids if number in index.by_id],
        "held_by": list(view.held_by),
        "damage": view.damage or None,
        "sample": _sample(view) if view.sample and is_counted(index.links.get(view.id, ())) else None,
        "kernel": kernel_entry(view),
    }


def kernel_entry(view: ProgramView) -> Entry:
    """What the kernel says of a program; null where it is too old to say, or the program has gone."""
    info = view.info
    if info is None:
        return {"id": view.id, "map_ids": [], **_UNKNOWN}
    return {
        "id": view.id,
        "map_ids": list(info.map_ids),
        "tag": info.tag,
        "gpl": info.gpl,
        "loaded_at": view.loaded_at,
        "uid": info.uid,
        "btf_id": info.btf_id,
        "xlated_size": info.xlated_size,
        "jited_size": info.jited_size,
        "memlock": info.memlock,
        "verified_insns": info.verified_insns,
        "run_time": info.run_time,
        "run_count": info.run_count,
        "recursion_misses": info.recursion_misses,
    }


_UNKNOWN: Entry = {
    "tag": "",
    "gpl": None,
    "loaded_at": "",
    "uid": None,
    "btf_id": 0,
    "xlated_size": None,
    "jited_size": None,
    "memlock": None,
    "verified_insns": None,
    "run_time": None,
    "run_count": None,
    "recursion_misses": None,
}


def _sample(view: ProgramView) -> Entry | None:
    """How a program ran while it was counted."""
    sample = view.sample
    if sample is None:
        return None
    return {
        "seconds": round(sample.seconds, 6),
        "runs": sample.runs,
        "run_time": sample.run_time,
        "runs_per_second": round(sample.rate, 3),
        "mean": None if sample.mean is None else round(sample.mean, 3),
        "cpu_share": round(sample.share, 9),
    }


def image_of(record: LoadRecord) -> Entry | None:
    """The image that it came from, and who signed it; None for an object without one."""
    image = record.image
    if image is None:
        return None
    return {
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
    }


def _signature(signer: SignerRecord) -> Entry:
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


def link_entry(view: LinkView) -> Entry:
    """One link; `id` is bpfimg's own and stays, `kernel_id` is the kernel's. Others' links have only the latter."""
    record = view.record
    used = (record.used_mode if record else None) or view.details.get("mode")
    return {
        "id": view.id if view.id is not None else view.kernel_id,
        "managed": view.id is not None,
        "kernel_id": view.kernel_id,
        "program_id": view.program_id,
        "hook": view.hook,
        "target": view.place,
        "how": view.how,
        "type": view.type or None,
        "attach_type": view.attach_type or None,
        "state": view.state,
        "reason": view.reason or None,
        "load": view.load,
        "pin": view.pin or None,
        "interface": (record.interface if record else view.interface),
        "ifindex": (record.ifindex if record else view.ifindex),
        "direction": (record.direction if record else view.direction),
        "netns": view.netns,
        "netns_inode": view.netns_inode,
        "priority": view.priority,
        "position": view.position,
        "members": view.members,
        "dispatcher": view.builder or None,
        "protocol": view.protocol or None,
        "mode": record.mode if record else None,
        "used_mode": used if isinstance(used, str) else None,
        "note": record.note or None if record else None,
        "created": record.created or None if record else None,
        "proceed_on": list(view.proceed_on),
        "tracepoint": record.tracepoint if record else None,
        "metadata": dict(record.metadata or {}) if record else {},
        "spec": dict(record.spec) if record else {},
        "details": dict(view.details),
        "part_ids": list(view.part_ids),
        "held_by": list(view.held_by),
    }


def map_entry(view: MapView) -> Entry:
    """A map that a program uses. Sizes are bytes; null where the kernel does not say."""
    return {
        "id": view.id,
        "name": view.name,
        "type": view.type,
        "key_size": view.key_size,
        "value_size": view.value_size,
        "max_entries": view.max_entries,
        "flags": view.flags,
        "memlock": view.memlock,
        "frozen": view.frozen,
        "btf_id": view.btf_id,
        "held_by": list(view.held_by),
    }


def where(links: Iterable[LinkView]) -> str:
    """Where a program is attached, in words; `-` where it is not."""
    return ", ".join(link.words for link in links) or "-"


def short_image(view: ProgramView) -> str:
    """The image as reference@digest with 12 digits of the digest; who holds the program where we did not load it."""
    image = view.record.image if view.record else None
    if image is None:
        return "; ".join(view.held_by[:2]) or "-"
    name = image.reference if image.reference.startswith("file:") else image.reference.partition("@")[0]
    unsigned = " UNSIGNED" if image.unsafe else ""
    return f"{name}@{image.digest[:19]}{unsigned}"
