"""A program of an object that could be loaded, and what a word on the command line says about it."""

from __future__ import annotations

from bpfimg._value import replace, value
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: words for programs of a type whose kernel word is another
_KINDS = {
    "tc": "sched_cls",
    "tcx": "sched_cls",
    "netkit": "sched_cls",
    "kretprobe": "kprobe",
    "uprobe": "kprobe",
    "uretprobe": "kprobe",
}
#: attach types of programs that are bound to one function, LSM hook or tracepoint when they are loaded
_BOUND = ("trace_raw_tp", "trace_fentry", "trace_fexit", "modify_return", "lsm_mac", "lsm_cgroup")


@value(frozen=True, slots=True)
class Candidate:
    """A program of an object: `type` is the kernel's word for it, empty when its section is not in our table.

    `attach_type` is None where the type needs none. `autoload` is false for sections with a leading `?`: such a
    program is loaded when it is named or when a hook wants it, not with all. `target` is what it is to be bound to at
    load, in place of what its section names.
    """

    name: str
    section: str
    type: str
    type_id: int
    attach_type: str | None = None
    attach_type_id: int = 0
    autoload: bool = True
    target: str = ""

    @property
    def shown(self) -> str:
        """For messages: `xdp_count (xdp)`."""
        return f"{quoted(self.name)[1:-1]} ({self.type or 'section ' + quoted(self.section)})"

    @property
    def is_bound(self) -> bool:
        """True for a program that the kernel binds to one function, LSM hook or tracepoint at load."""
        return self.attach_type in _BOUND

    @property
    def lacks_target(self) -> bool:
        """True when nothing says what such a program is to be bound to."""
        return self.is_bound and not self.target and not self.section.partition("/")[2]


def named(candidates: Sequence[Candidate], text: str) -> Candidate:
    """The candidate that NAME, TYPE:NAME or TYPE:NAME:TARGET means; UsageError lists what there is."""
    words = text.split(":", 2)
    kind, name, target = ["", words[0], ""] if len(words) == 1 else [*words, ""][:3]
    found = [c for c in candidates if c.name == name and _is(c, kind)]
    if len(found) != 1:
        raise UsageError(
            f"the object has no program {quoted(text)}, expected {listed(candidates)}"
            if not found
            else f"the object has {len(found)} programs called {quoted(text)}, expected one"
        )
    chosen = found[0] if found[0].type or not kind else _typed(found[0], kind)
    if not target:
        return chosen
    if not chosen.is_bound:
        raise UsageError(
            f"program {chosen.shown} gets its target when it is attached, expected {kind}:{name} without one"
        )
    return replace(chosen, target=target)


def _is(candidate: Candidate, kind: str) -> bool:
    if not kind:
        return True
    if not candidate.type:
        from bpfimg import bytecode

        return bytecode.section_rule(kind) is not None
    return kind in (candidate.type, candidate.section.split("/")[0]) or _KINDS.get(kind) == candidate.type


def _typed(candidate: Candidate, kind: str) -> Candidate:
    """With the type that a word gives it whose section gives none."""
    from bpfimg import bytecode

    rule = bytecode.section_rule(kind)
    assert rule is not None
    return replace(
        candidate,
        type=rule.program_type,
        type_id=rule.program_type_id,
        attach_type=rule.attach_type,
        attach_type_id=rule.attach_type_id,
    )


def listed(candidates: Sequence[Candidate]) -> str:
    """The programs, for a person."""
    shown = [c.shown for c in candidates[:20]]
    return ", ".join(shown) + (f" and {len(candidates) - 20} more" if len(candidates) > 20 else "")
