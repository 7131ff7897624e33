"""Decisions that touch nothing: which programs of an object to load, which go to which hook, and where in a chain."""

from __future__ import annotations

from bpfimg._value import replace, value
from bpfimg.errors import BytecodeError, UsageError, quoted
from bpfimg.load._candidate import Candidate, listed, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from bpfimg.load._hooks import Hook


@value(frozen=True, slots=True)
class Anchor:
    """A place in a chain: before or after the link with that kernel id; neither means at the end."""

    before: int = 0
    after: int = 0


@value(frozen=True, slots=True)
class Plan:
    """The programs to load, and (name of one of them, hook) for each attachment to make."""

    programs: tuple[Candidate, ...]
    attach: tuple[tuple[str, Hook], ...] = ()


def plan(
    candidates: Sequence[Candidate],
    names: Sequence[str] = (),
    hook: Hook | None = None,
    hooks: Sequence[tuple[str | None, Hook]] = (),
    called: Container[str] = (),
) -> Plan:
    """Decides what is loaded and what is attached, with targets and attach types that have to be known at load.

    `names` are as for `choose`; those of them that fit `hook` go there. `hooks` are (such a name, its hook): each
    goes to its own, and is loaded with those of `names`; for a name of None the only program that fits. The `called`
    are those that others jump to.
    """
    if hook is not None and hooks:
        raise UsageError("a hook for all and hooks for each were given, expected one of the two")
    if not hooks:
        chosen = _whole(choose(candidates, names, hook, called), candidates, [hook] if hook is not None else [])
        fitting = () if hook is None else tuple(c.name for c in chosen if fits(c, hook))
        attach = tuple((name, hook) for name in fitting[: 1 if _takes_all(hook) else None] if hook is not None)
        return _ready(chosen, attach, {name: [hook] for name in fitting if hook is not None})
    words = [(word or choose(candidates, (), each, called)[0].name, each) for word, each in hooks]
    chosen = choose(candidates, [*(word for word, _ in words), *names], None)
    chosen = _whole(chosen, candidates, [each for _, each in words])
    pairs = []
    wanted: dict[str, list[Hook]] = {}
    for word, each in words:
        program = named(candidates, word)
        if not fits(program, each):
            raise UsageError(f"program {program.shown} does not fit hook {each.word}, expected one that does")
        pairs.append((program.name, each))
        wanted.setdefault(program.name, []).append(each)
    return _ready(chosen, tuple(pairs), wanted)


def _ready(
    chosen: tuple[Candidate, ...], attach: tuple[tuple[str, Hook], ...], wanted: Mapping[str, Sequence[Hook]]
) -> Plan:
    programs = tuple(_bound(program, wanted.get(program.name, ())) for program in chosen)
    for program in programs:
        if program.lacks_target:
            raise UsageError(
                f"program {program.shown} in section {quoted(program.section)} names nothing to be bound to, which the"
                " kernel has to know when it is loaded",
                hint=f"say it: --program {program.section.partition('/')[0]}:{program.name}:TARGET",
            )
    return Plan(programs, attach)


def _bound(program: Candidate, hooks: Sequence[Hook]) -> Candidate:
    """The program as its hooks want it loaded."""
    targets = {target for hook in hooks if (target := getattr(hook, "load_target", None)) is not None}
    if program.target:
        targets.add(program.target)
    ways = {way for hook in hooks if (way := _load_attach_type(hook, program)) is not None}
    if len(targets) > 1 or len(ways) > 1:
        raise UsageError(
            f"program {program.shown} would be loaded in two ways: its hooks differ in what the kernel has to know when"
            " it is loaded",
            hint="run it once for each of these hooks",
        )
    return replace(
        program,
        target=next(iter(targets), ""),
        attach_type_id=next(iter(ways), program.attach_type_id),
    )


def _load_attach_type(hook: Hook, program: Candidate) -> int | None:
    decide = getattr(hook, "load_attach_type", None)
    return None if decide is None else decide(program)


def _takes_all(hook: Hook | None) -> bool:
    """True for a hook that one attachment of several programs belongs to, as a struct_ops map."""
    return bool(getattr(hook, "takes_all", False))


def _whole(
    chosen: tuple[Candidate, ...], candidates: Sequence[Candidate], hooks: Sequence[Hook]
) -> tuple[Candidate, ...]:
    """The chosen programs, and beside one of them all that such a hook takes with it."""
    whole = [c for c in candidates if c.autoload and any(_takes_all(hook) and fits(c, hook) for hook in hooks)]
    names = {c.name for c in chosen}
    return (*chosen, *(c for c in whole if c.name not in names))


def choose(
    candidates: Sequence[Candidate], names: Sequence[str], hook: Hook | None, called: Container[str] = ()
) -> tuple[Candidate, ...]:
    """Returns the programs to load: those in `names` (NAME, TYPE:NAME or TYPE:NAME:TARGET), at least one of which fits
    `hook`; without names exactly the one that fits it and is not `called` by others, or without a hook all.

    UsageError lists what there is when a name is unknown, none fits the hook, or several would.
    """
    if not candidates or not (names or hook or any(c.autoload for c in candidates)):
        raise BytecodeError('the object has no program, expected at least one function in a section such as SEC("xdp")')
    by_name: dict[str, Candidate] = {}
    for name in names:
        found = named(candidates, name)
        if found.name not in by_name or found.target:
            by_name[found.name] = found
    asked = tuple(by_name.values())
    if hook is not None:
        chosen = _for_hook(candidates, asked, hook, called)
    else:
        chosen = asked or tuple(dict.fromkeys(c for c in candidates if c.autoload))
    for program in chosen:
        if not program.type:
            raise BytecodeError(
                f"program {quoted(program.name)} is in section {quoted(program.section)}, which says nothing about its"
                " type, expected a section name that libbpf knows",
                hint="leave it out by naming the others with --program" if len(candidates) > 1 else "",
            )
    return chosen


def _for_hook(
    candidates: Sequence[Candidate], asked: tuple[Candidate, ...], hook: Hook, called: Container[str]
) -> tuple[Candidate, ...]:
    fitting = tuple(c for c in (asked or candidates) if fits(c, hook))
    word = hook.word
    if asked:
        if fitting:
            return asked
        several = len(asked) > 1
        shown = listed(asked) if several else f"program {asked[0].shown}"
        does = "do not fit" if several else "does not fit"
        raise UsageError(f"{shown} {does} hook {word}, expected one that does")
    if _takes_all(hook):
        fitting = tuple(c for c in fitting if c.autoload) or fitting
    elif len(fitting) > 1:
        fitting = tuple(c for c in fitting if c.name not in called) or fitting
        fitting = tuple(c for c in fitting if c.section.partition("/")[0].partition(".")[0] == word) or fitting
    if len(fitting) == 1 or (fitting and _takes_all(hook)):
        return fitting
    if not fitting:
        raise UsageError(
            f"the object has no program for hook {word}, expected one that fits",
            hint=f"it has {listed(candidates)}",
        )
    raise UsageError(
        f"the object has {len(fitting)} programs for hook {word}, expected the name of one, or of several",
        hint=f"choose with --program: {listed(fitting)}",
    )


def fits(program: Candidate, hook: Hook) -> bool:
    """True when the kernel would attach the program there."""
    return hook.takes(program.type, program.attach_type)


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
