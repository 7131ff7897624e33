"""What a host's hooks that take many programs do, for `load` (see `load._chains.Chains`): members come, go and move."""

from __future__ import annotations

from contextlib import ExitStack, suppress

from bpfimg._value import replace
from bpfimg.dispatcher import _guard
from bpfimg.dispatcher._builder import kind
from bpfimg.dispatcher._change import Order, Wanted, change_hook, checked, plan_of
from bpfimg.dispatcher._model import Member, Spot
from bpfimg.dispatcher._plan import LIMITS
from bpfimg.dispatcher._read import read
from bpfimg.dispatcher._sources import Newcomer, is_in_the_way, returns_of, source_of, takes_frags
from bpfimg.dispatcher._spot import member_of, spot_of, there, with_member
from bpfimg.dispatcher._sweep import collect, release_lost, sweep
from bpfimg.dispatcher._words import mask
from bpfimg.errors import AttachError, KernelError, UsageError, quoted
from bpfimg.kernel import bpf
from bpfimg.load import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import TypeVar

    from bpfimg.dispatcher._plan import Plan
    from bpfimg.dispatcher._read import Seen
    from bpfimg.kernel import Fd, OpenObject
    from bpfimg.load import Hook, Host, LinkRecord, Load

    T = TypeVar("T")

__all__ = [
    "anchors",
    "as_extension",
    "attach",
    "change",
    "collect",
    "evict",
    "extend",
    "foresee",
    "give_back",
    "holder",
    "is_attached",
    "release",
    "release_unread",
    "sweep",
    "taken_over",
    "takes",
]

_NOT_FOR_OLD = (
    "it changes packets or makes tail calls: while it is in the chain, xdp-loader before 1.5.5 cannot add or remove"
    " another program on a recent kernel"
)
_BEFORE = "before"  # in a record that takes another's place: priority and mask that this one had


def takes(hook: Hook) -> bool:
    """True for XDP hooks, unless they are exclusive, and for Tc hooks."""
    return hook.word in ("xdp", "tc") and not getattr(hook, "exclusive", False)


def as_extension(host: Host, program: members.Candidate, hooks: Sequence[Hook]) -> bool:
    """True when all hooks of the program are to be chains of freplace dispatchers."""
    return program.type in ("xdp", "sched_cls") and all(
        takes(hook) and _kind(host, hook) == "freplace" for hook in hooks
    )


def extend(opened: OpenObject, program: members.Candidate) -> AbstractContextManager[object] | None:
    """See `load._chains`."""
    from bpfimg.dispatcher import _template

    return _template.extend(opened, program.name, _word(program.type))


def _word(program_type: str) -> str:
    return "xdp" if program_type == "xdp" else "tc"


def _at(hook: Hook, function: Callable[[Spot], T]) -> T:
    netns_path, interface = getattr(hook, "netns", None), getattr(hook, "interface", "")
    return members.at(interface, netns_path, lambda place: function(spot_of(hook, place)))


def _kind(host: Host, hook: Hook) -> str:
    asked = str(getattr(hook, "dispatcher", "auto"))
    return _at(hook, lambda spot: kind(spot, read(host, spot).chain, asked))


def attach(program: members.Loaded, hook: Hook, scene: members.Scene) -> members.Attachment:
    """See `load._chains`. Busy, SlotsFull, NotSupported or AttachError where it can be told before."""
    return _at(hook, lambda spot: _attached(program, hook, spot, scene))


def _attached(
    program: members.Loaded, hook: Hook, spot: Spot, scene: members.Scene, old: tuple[int, LinkRecord] | None = None
) -> members.Attachment:
    host = scene.host
    assert host is not None
    seen = checked(read(host, spot), host)
    how = kind(spot, seen.chain, str(getattr(hook, "dispatcher", "auto")))
    instance = _instance(program, hook.word, how, scene)
    with ExitStack() as stack:
        if instance is not None:
            stack.enter_context(instance)
        attachment = _joining(program, hook, scene, (seen, how, instance), old)
        stack.pop_all()
    return attachment


def _joining(
    program: members.Loaded,
    hook: Hook,
    scene: members.Scene,
    found: tuple[Seen, str, Fd | None],
    old: tuple[int, LinkRecord] | None,
) -> members.Attachment:
    """The attachment of what is to run in the chain: `found` are what runs there, how it is built, and the program's
    instance for it."""
    (seen, how, instance), host = found, scene.host
    spot = seen.spot
    assert host is not None
    number = bpf.program_info(instance, memlock=False).id if instance is not None else program.id
    fd = instance.fileno() if instance is not None else program.fd
    member = Member(
        number,
        program.name,
        int(getattr(hook, "priority", 50)),
        mask(hook.word, getattr(hook, "proceed_on", ())),
        frags=takes_frags(program.section),
        returns=returns_of(program, scene),
    )
    source = source_of(program, scene) if how == "fused" else None
    before = _before(seen, old[1]) if old is not None else None
    _edit(before, member)(plan_of(seen), LIMITS[how])  # what cannot be is said before anything is written down
    place = members.Place(spot.interface, spot.ifindex, spot.netns, spot.inode)
    note = _NOT_FOR_OLD if (hook.word, how) == ("xdp", "freplace") and is_in_the_way(program, scene) else ""
    loaded = replace(program, id=number)
    record = members.recorded(loaded, hook, spot.words, place=place, how=members.MEMBER, note=note)
    if old is not None:
        details = {**(record.details or {}), **({_BEFORE: [before.priority, before.proceed_on]} if before else {})}
        record = replace(record, replaces=(old[0], old[1].id, old[1].program_id), details=details)
    wanted = Wanted(
        str(getattr(hook, "dispatcher", "auto")),
        str(getattr(hook, "mode", "auto")),
        str(getattr(hook, "protocol", "auto")),
        tuple(scene.opened),
    )

    def enter(published: LinkRecord) -> None:
        newcomer = Newcomer(replace(member, link=published.id), fd, source)
        order = Order(_edit(before, newcomer.member), newcomer, wanted)
        if not there(spot, lambda now: _changed(host, now, order)):
            raise AttachError(f"no interface {spot.interface!r}: it was removed while the program was being attached")

    return members.Attachment(record, instance, fd, enter=enter)


def _changed(host: Host, spot: Spot, order: Order) -> bool:
    change_hook(host, spot, order)
    return True


def _before(seen: Seen, old: LinkRecord) -> Member | None:
    number = member_of(seen, old)
    return seen.chain.plan.member(number) if seen.chain is not None and number is not None else None


def _edit(before: Member | None, member: Member) -> Callable[[Plan, int], Plan]:
    def edit(plan: Plan, limit: int) -> Plan:
        if before is not None and plan.member(before.program) is not None:
            return plan.exchanged(before.program, member)
        return plan.joined(member, limit)

    return edit


def _instance(program: members.Loaded, word: str, how: str, scene: members.Scene) -> Fd | None:
    """The program once more for the slots of dispatchers, where it was loaded as what it is; None where it fits."""
    if how == "fused":
        if program.extension:
            raise AttachError(
                f"program {quoted(program.name)} was loaded for a freplace dispatcher, expected one for a fused one",
                hint="run the image again: it is loaded as its hook wants it",
            )
        return None
    if program.extension:
        return None
    from bpfimg.dispatcher import _template

    source = source_of(program, scene)
    return _template.extension(word, source.code, source.btf, source.maps)


def taken_over(
    old: Load, link: LinkRecord, hook: Hook, program: members.Loaded, scene: members.Scene
) -> members.Attachment:
    """See `load._chains`."""
    return _at(hook, lambda spot: _attached(program, hook, spot, scene, (old.id, link)))


def give_back(host: Host, record: LinkRecord) -> None:
    """See `load._chains`."""
    _, link, program = record.replaces
    found = (record.details or {}).get(_BEFORE)
    home = members.home(host, link)
    if home is None or not isinstance(found, list) or len(found) != 2:
        release(host, record)
        return
    old = Member(
        program,
        home.link.program_name,
        int(found[0]),
        int(found[1]),
        link=link,
        frags=any(takes_frags(each.section) for each in home.load.record.programs if each.id == program)
        if home.load.record
        else False,
    )

    def back(seen: Seen) -> None:
        number = member_of(seen, record)
        if number is not None:
            change_hook(
                host, seen.spot, Order(lambda plan, limit: plan.exchanged(number, old) if plan.member(number) else plan)
            )

    with_member(host, record, back)


def release(host: Host, record: LinkRecord) -> bool:
    """See `load._chains`. What is pinned of a chain that runs nowhere goes with its last member."""

    def out(seen: Seen) -> bool:
        number = member_of(seen, record)
        if number is None:
            return False
        change_hook(host, seen.spot, Order(lambda plan, limit: plan.left(number)))
        return True

    if with_member(host, record, out):
        return True
    release_lost(host, record)
    return False


def release_unread(host: Host, link: int) -> None:
    """See `load._chains`."""

    def out(now: Spot) -> None:
        seen = read(host, now)
        member = seen.chain.plan.of_link(link) if seen.chain is not None else None
        if member is not None:
            change_hook(host, now, Order(lambda plan, limit: plan.left(member.program)))

    for guard in list(_guard.guards(host)):
        if guard.record is not None and guard.record.plan.of_link(link) is not None:
            there(guard.record.spot, out)


def is_attached(host: Host, record: LinkRecord) -> bool:
    """See `load._chains`."""
    return bool(with_member(host, record, lambda seen: True))


def change(host: Host, record: LinkRecord, priority: int | None, proceed_on: tuple[str, ...] | None) -> None:
    """See `load._chains`. AttachError: no hook in sight runs a chain with that member."""
    try:
        bits = None if proceed_on is None else mask(record.hook, proceed_on)
    except KeyError as error:
        raise UsageError(f"{quoted(str(error.args[0]))} is not a result of {record.hook} programs") from None

    def changed(seen: Seen) -> bool:
        number = member_of(seen, record)
        if number is None:
            return False

        def edit(plan: Plan, limit: int) -> Plan:
            if plan.member(number) is None:  # others have taken it out since we looked
                raise _not_in(record)
            return plan.changed(number, priority, bits)

        change_hook(host, seen.spot, Order(edit))
        return True

    if not with_member(host, record, changed):
        raise _not_in(record)


def _not_in(record: LinkRecord) -> AttachError:
    return AttachError(
        f"link {record.id} is not in the chain that {record.where} runs, expected it to be attached",
        hint=f"`bpfimg status` shows what runs there; `bpfimg detach {record.id}` forgets it",
    )


def evict(host: Host, interface: str, program: int, netns: str | None) -> None:
    """See `load._chains`."""
    from bpfimg.dispatcher._evict import evict as evicted

    evicted(host, interface, program, netns)


def anchors(host: Host, ifindex: int, inode: int, direction: str) -> Mapping[int, int]:
    """See `load._chains`."""
    found = {}
    for guard in _guard.guards(host):
        record = guard.record
        if record is None or record.way != "tcx" or record.spot.direction != direction:
            continue
        if (record.spot.ifindex, record.spot.inode) != (ifindex, inode):
            continue
        with suppress(KernelError), bpf.get(guard.entry) as fd:
            info = bpf.link_info(fd)
            if info.prog_id == guard.dispatcher:
                found[info.id] = record.priority
    return found


def foresee(hook: Hook, scene: members.Scene) -> str:
    """See `load._chains`: `2nd of 3 in the freplace chain`. Busy, SlotsFull, AttachError where it cannot be."""
    return _at(hook, lambda spot: _foreseen(hook, spot, scene))


def _foreseen(hook: Hook, spot: Spot, scene: members.Scene) -> str:
    assert scene.host is not None
    seen = checked(read(scene.host, spot), scene.host)
    how = kind(spot, seen.chain, str(getattr(hook, "dispatcher", "auto")))
    plan = plan_of(seen)
    number = plan.position(int(getattr(hook, "priority", 50)))
    plan.joined(Member(0xFFFFFFFF, "the program", 0, 0), LIMITS[how])  # SlotsFull
    ending = {1: "st", 2: "nd", 3: "rd"}.get((number + 1) % 10 if (number + 1) // 10 != 1 else 0, "th")
    where = f"{number + 1}{ending} of {len(plan) + 1}"
    return f"{where} in the {how} chain" if plan.members else f"{where}, begins a {how} chain"


def holder(host: Host, place: members.Place) -> tuple[str, str] | None:
    """See `load._chains`."""
    chain = read(host, Spot("xdp", "", place.interface, place.ifindex, place.netns, place.inode)).chain
    if chain is None:
        return None
    shown = [quoted(member.name)[1:-1] for member in chain.plan.members[:4]]
    more = ", …" if len(chain.plan) > len(shown) else ""
    links = " ".join(str(member.link) for member in chain.plan.members if member.link)
    who = (
        f"a {chain.builder} chain of {len(chain.plan)} program{'s' * (len(chain.plan) != 1)}: {', '.join(shown)}{more}"
    )
    return who, f"take them off with `bpfimg detach {links}`" if links else "`xdp-loader status` shows who they are"
