"""What `--dry-run` says: each step in its order, and that the kernel would take it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.cli._options import Options
    from bpfimg.kernel import bpf
    from bpfimg.load import Hook
    from bpfimg.run import Plan

__all__ = ["show_plan"]

_USUAL = {"dispatcher": "auto", "protocol": "auto", "exclusive": False}


def show_plan(plan: Plan, options: Options) -> None:
    """Prints the steps, or one document by `schemas/dry-run.schema.json`."""
    from bpfimg.cli._parser import warn
    from bpfimg.cli._render import clean, json_text

    for warning in plan.warnings:
        warn(f"it would fail now: {warning}")
    if options.json:
        print(json_text(_document(plan)))
    elif not options.quiet:
        print("".join(f"{clean(line)}\n" for line in _lines(plan)), end="")


def _lines(plan: Plan) -> Iterator[str]:
    record = plan.record
    if (image := record.image) is not None:
        signers = ", ".join(dict.fromkeys(signer.who for signer in image.signers)) or "nobody"
        yield f"would load {image.reference}, {image.digest}, signed by {signers}"
        yield f"believed by {image.policy}, {image.rule}"
    for program in record.programs:
        bound = f", bound to {program.target}" if program.target else ""
        yield f"program {program.name} ({program.type}, section {program.section}{bound})"
    for name, info in plan.maps:
        shared = f", shared ({record.shared[name]})" if name in record.shared else ""
        yield f"map {name}: {_map_words(info)}{shared}"
    for name, text in record.globals.items():
        yield f"global {name} = {text}"
    for number, link in enumerate(plan.links, 1):
        note = f" ({link.note})" if link.note else ""
        yield f"link {number}: {link.program} to {_place(link.hook)}{note}"
    if plan.not_tried:
        yield f"not tried in the kernel: {plan.not_tried}"
    else:
        yield "the kernel takes it: it was loaded, and closed again"
    yield f"application {record.name}; nothing was changed"


def _map_words(info: bpf.MapInfo) -> str:
    return f"{_map_type(info)}, {info.key_size} byte keys, {info.value_size} byte values, {info.max_entries} entries"


def _map_type(info: bpf.MapInfo) -> str:
    from bpfimg.kernel import abi

    return abi.MAP_TYPES[info.type] if info.type < len(abi.MAP_TYPES) else f"type {info.type}"


def _place(hook: Hook) -> str:
    """The hook with what was asked of it: `xdp interface=eth0 mode=auto`; of chains what is not usual."""
    words = _hook_entry(hook)
    kind = words.pop("kind")
    for key, usual in _USUAL.items():
        if words.get(key) == usual:
            del words[key]
    return " ".join([str(kind), *(f"{key}={_word(value)}" for key, value in words.items())])


def _word(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _hook_entry(hook: Hook) -> dict[str, object]:
    from bpfimg.load import hooks

    return hooks.to_dict(hook, defaults=True)


def _document(plan: Plan) -> dict[str, object]:
    record, image = plan.record, plan.record.image
    return {
        "dry_run": True,
        "application": record.name,
        "image": None
        if image is None
        else {
            "reference": image.reference,
            "digest": image.digest,
            "signers": list(dict.fromkeys(signer.who for signer in image.signers)),
            "policy": image.policy,
            "rule": image.rule,
        },
        "programs": [
            {"id": 0, "name": p.name, "type": p.type, "section": p.section, "target": p.target or None}
            for p in record.programs
        ],
        "maps": [
            {
                "id": 0,
                "name": name,
                "type": _map_type(info),
                "key_size": info.key_size,
                "value_size": info.value_size,
                "max_entries": info.max_entries,
                "shared": record.shared.get(name),
            }
            for name, info in plan.maps
        ],
        "globals": dict(record.globals),
        "metadata": dict(record.metadata),
        "links": [
            {"id": 0, "program": link.program, "hook": _hook_entry(link.hook), "note": link.note} for link in plan.links
        ],
        "tried": not plan.not_tried,
        "not_tried": plan.not_tried or None,
        "warnings": list(plan.warnings),
    }
