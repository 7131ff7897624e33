"""Decisions that touch nothing: which programs of an object to load, and where in a chain a new link goes."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import BytecodeError, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpfimg.load._hooks import Hook


@value(frozen=True, slots=True)
class Candidate:
    """A program of an object: `type` is the kernel's word for it, empty when its section is not in our table.

    `attach_type` is None where the type needs none. `autoload` is false for sections with a leading `?`: such a
    program is loaded when it is named or when a hook wants it, not with all.
    """

    name: str
    section: str
    type: str
    type_id: int
    attach_type: str | None = None
    attach_type_id: int = 0
    autoload: bool = True

    @property
    def shown(self) -> str:
        """For messages: `xdp_count (xdp)`."""
        return f"{quoted(self.name)[1:-1]} ({self.type or 'section ' + quoted(self.section)})"


@value(frozen=True, slots=True)
class Anchor:
    """A place in a chain: before or after the link with that kernel id; neither means at the end."""

    before: int = 0
    after: int = 0


def choose(candidates: Sequence[Candidate], names: Sequence[str], hook: Hook | None) -> tuple[Candidate, ...]:
    """Returns the programs to load: those in `names` (NAME or TYPE:NAME), else all; for a hook exactly one that fits.

    UsageError lists what there is when a name is unknown, does not fit the hook, or several would fit.
    """
    if not candidates or not (names or hook or any(c.autoload for c in candidates)):
        raise BytecodeError('the object has no program, expected at least one function in a section such as SEC("xdp")')
    named = tuple(_named(candidates, name) for name in names)
    if hook is not None:
        return (_for_hook(candidates, named, hook),)
    chosen = tuple(dict.fromkeys(named or [c for c in candidates if c.autoload]))
    for program in chosen:
        if not program.type:
            raise BytecodeError(
                f"program {quoted(program.name)} is in section {quoted(program.section)}, which says nothing about its"
                " type, expected a section name that libbpf knows",
                hint="leave it out by naming the others with --program" if len(candidates) > 1 else "",
            )
    return chosen


def _named(candidates: Sequence[Candidate], name: str) -> Candidate:
    wanted, _, bare = name.rpartition(":")
    found = [c for c in candidates if c.name == bare and wanted in ("", c.type, c.section.split("/")[0])]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"the object has no program {quoted(name)}, expected {_listed(candidates)}"
        if not found
        else f"the object has {len(found)} programs called {quoted(name)}, expected one"
    )


def _for_hook(candidates: Sequence[Candidate], named: Sequence[Candidate], hook: Hook) -> Candidate:
    if len(named) > 1:
        raise UsageError(f"a hook takes one program, not {len(named)}: {', '.join(c.name for c in named)}")
    fitting = [c for c in (named or candidates) if fits(c, hook)]
    if len(fitting) == 1:
        return fitting[0]
    word = hook.word
    if named:
        raise UsageError(f"program {named[0].shown} does not fit hook {word}, expected one that does")
    if not fitting:
        raise UsageError(
            f"the object has no program for hook {word}, expected one that fits",
            hint=f"it has {_listed(candidates)}",
        )
    raise UsageError(
        f"the object has {len(fitting)} programs for hook {word}, expected the name of one",
        hint=f"choose with --program: {_listed(fitting)}",
    )


def fits(program: Candidate, hook: Hook) -> bool:
    """True when the kernel would attach the program there."""
    return hook.takes(program.type, program.attach_type)


def _listed(candidates: Sequence[Candidate]) -> str:
    shown = [c.shown for c in candidates[:20]]
    return ", ".join(shown) + (f" and {len(candidates) - 20} more" if len(candidates) > 20 else "")


def place(chain: Sequence[int], ours: Mapping[int, int], priority: int) -> Anchor:
    """Where a link with `priority` goes in `chain` (kernel link ids in order); `ours` maps our ids to priorities.

    Before the first of ours that has a higher number, else right after our last; with none of ours there, at the
    end. So ties keep the order of attaching, and links of others keep their places.
    """
    mine = [link for link in chain if link in ours]
    for link in mine:
        if ours[link] > priority:
            return Anchor(before=link)
    return Anchor(after=mine[-1]) if mine else Anchor()
