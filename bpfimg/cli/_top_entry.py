"""A look of `top` as JSON (schemas/top.schema.json)."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.inspect import pulse

__all__ = ["document"]


def document(beat: pulse.Beat) -> dict[str, object]:
    """The document of one look."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(beat.moment)),
        "seconds": round(beat.seconds, 6),
        "programs": [_program(each) for each in beat.programs],
        "maps": [_map(each) for each in beat.maps],
    }


def _program(each: pulse.ProgramBeat) -> dict[str, object]:
    sample, record = each.sample, each.view.record
    return {
        "id": each.view.id,
        "name": each.view.name,
        "type": each.view.type,
        "application": record.name if record else None,
        "attached": [link.target for link in each.links if link.state == "attached"],
        "runs": sample.runs if sample else None,
        "runs_per_second": round(sample.rate, 3) if sample else None,
        "ns_per_run": round(sample.mean, 1) if sample and sample.mean is not None else None,
        "cpu": round(sample.share, 6) if sample else None,
    }


def _map(each: pulse.MapBeat) -> dict[str, object]:
    return {
        "id": each.view.id,
        "name": each.view.name,
        "type": each.view.type,
        "program_ids": list(each.view.program_ids),
        "entries": each.entries,
        "max_entries": each.view.max_entries,
        "counters": [
            {
                "id": counter.name,
                "total": counter.total if abs(counter.total) < 1 << 53 else str(counter.total),
                "per_second": None if counter.rate is None else round(counter.rate, 3),
            }
            for counter in each.counters
        ],
        "why": each.why or None,
    }
