"""The chains on hooks as a table for people: a line for each hook, below it its programs in running order."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bpfimg.inspect import LinkView, ProgramView, order
    from bpfimg.load import SignerRecord

__all__ = ["text"]

_HEAD = (
    *("POSITION", "PRIORITY", "ID", "PROGRAM", "PROCEED-ON", "APPLICATION", "IMAGE OR HOLDER", "SIGNER", "RUNS"),
    "STATE",
)
#: columns that are left out where nothing has them
_OPTIONAL = ("PROCEED-ON", "APPLICATION", "SIGNER", "RUNS")
#: columns that a terminal may cut
_FREE = ("PROCEED-ON", "IMAGE OR HOLDER", "SIGNER", "STATE")
_SPARE = ("SIGNER", "IMAGE OR HOLDER")


def text(hooks: Sequence[order.HookView], programs: Mapping[int, ProgramView]) -> str:
    """The head, then the hooks."""
    from bpfimg.cli._render import clean, table

    rows = [_row(number, view, programs) for hook in hooks for number, view in enumerate(hook.links)]
    kept = [at for at, name in enumerate(_HEAD) if name not in _OPTIONAL or any(row[at] != "-" for row in rows)]
    cells = [[row[at] for at in kept] for row in rows]
    head, *lines = table([_HEAD[at] for at in kept], cells, free=_FREE, spare=_SPARE).splitlines()
    shown, each = [head], iter(lines)
    for hook in hooks:
        shown.append(clean(_title(hook, programs)))
        shown += [next(each) for _ in hook.links]
    return "\n".join(shown)


def _title(hook: order.HookView, programs: Mapping[int, ProgramView]) -> str:
    """Where, and what carries the programs: `eth0 in blue: xdp, native, freplace dispatcher 812 (libxdp version 2)`."""
    place = " in ".join(filter(None, (hook.place or "-", hook.namespace)))
    modes = dict.fromkeys(
        str(view.details["mode"]) for view in (*hook.carriers, *hook.links) if view.details.get("mode")
    )
    words = [hook.words, *modes, *(word for view in hook.carriers for word in _carrier(view, programs))]
    return f"{place}: {', '.join(words)}"


def _carrier(view: LinkView, programs: Mapping[int, ProgramView]) -> Iterator[str]:
    from bpfimg.inspect import order

    version = f" (libxdp version {view.protocol})" if view.protocol else ""
    yield f"{view.builder} dispatcher {view.program_id}{version}"
    ran = order.runs(view, programs)
    if ran:
        yield f"{ran} runs"
    if view.details.get("damage"):
        yield f"damaged: {view.details['damage']}"


def _row(number: int, view: LinkView, programs: Mapping[int, ProgramView]) -> list[str]:
    from bpfimg.inspect import order

    program = programs.get(view.program_id)
    record = program.record if program else None
    ran = order.runs(view, programs)
    return [
        str(number) if view.state == "attached" and view.position is not None else "-",
        "-" if view.priority is None else str(view.priority),
        str(view.program_id),
        (program.name if program else "") or "-",
        ",".join(name for name in view.proceed_on if name != "dispatcher_return") or "-",
        record.name if record else "-",
        _whose(view, program),
        _signer(program),
        "-" if ran is None else str(ran),
        f"{view.state}: {view.reason}" if view.reason else view.state,
    ]


def _whose(view: LinkView, program: ProgramView | None) -> str:
    """The image, or who loaded it, as far as that can be told."""
    from bpfimg.cli._entries import short_image

    if program is None:
        return "-"
    by, whose = view.details.get("by"), short_image(program)
    return f"{by}: {whose}" if by else whose


def _signer(program: ProgramView | None) -> str:
    image = program.record.image if program and program.record else None
    if image is None:
        return "-"
    return ", ".join(dict.fromkeys(map(_short, image.signers))) or "nobody"


def _short(signer: SignerRecord) -> str:
    """Whom the policy calls so, with the beginning of the key: `get` says all of it."""
    return f"{signer.authority} {signer.key[:19]}".strip() or signer.identity
