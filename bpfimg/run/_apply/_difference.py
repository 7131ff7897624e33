"""What has to change so that what is declared runs: a decision on values, which touches nothing."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError
from bpfimg.load import hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from bpfimg.load import Hook, LinkRecord, Load, LoadRecord
    from bpfimg.run._apply._desired import Application, Attach

#: how a member of a chain is attached, in its record
_MEMBER = "dispatcher"
#: what may differ between a member and what is declared: its place can be changed while it runs, and the other two say
#: how a chain is begun
_LIVE = ("priority", "proceed_on", "dispatcher", "protocol")
_NOT_WHERE = ("kind", "mode", "exclusive", *_LIVE)


@value(frozen=True, slots=True)
class LinkChange:
    """One attachment: to `attach` (what is declared), to `detach` (the id of a link of ours), to `change` while it runs
    (`reasons` say what) or to `keep`."""

    action: str
    hook: str
    target: str
    attach: Attach | None = None
    link: int | None = None
    reasons: tuple[str, ...] = ()


@value(frozen=True, slots=True)
class Order:
    """What decides the place of a link in its chain now: its record has what was asked when it was attached."""

    priority: int
    proceed_on: tuple[str, ...]


@value(frozen=True, slots=True)
class Change:
    """What happens to one application.

    `action`: run (it is not loaded), keep, attach (links come or go), change (links only move in their chains), replace
    (`reasons` say why) or unload. `load` is what is loaded under that name now, `digest` what the declared image comes
    to.
    """

    name: str
    action: str
    application: Application | None
    load: Load | None
    digest: str
    reasons: tuple[str, ...] = ()
    links: tuple[LinkChange, ...] = ()


def difference(
    applications: Sequence[Application],
    loads: Sequence[Load],
    digests: Mapping[str, str],
    *,
    stale: Collection[int] = (),
    orders: Mapping[int, Order] | None = None,
    prune: bool = False,
) -> tuple[Change, ...]:
    """Returns a change for each application, in the order of the file, then, with `prune`, for all that it lacks.

    `digests` has the digest that each application's image comes to now, by name; `stale` are ids of links that lead
    nowhere any more; `orders` has those that are members of chains, by their ids. UsageError when several loads have
    the name of an application.
    """
    orders = orders or {}
    changes = [_change(each, _loaded(each.name, loads), digests[each.name], stale, orders) for each in applications]
    declared = {each.name for each in applications}
    if prune:
        rest = [load for load in loads if load.name not in declared]
        changes += [Change(load.name or str(load.id), "unload", None, load, "", ("not declared",)) for load in rest]
    return tuple(changes)


def _loaded(name: str, loads: Sequence[Load]) -> Load | None:
    found = [load for load in loads if load.name == name]
    if len(found) > 1:
        ids = ", ".join(str(load.id) for load in found)
        raise UsageError(
            f"{len(found)} loads are called {name!r} ({ids}), expected one for each application",
            hint="unload those that should not be there: `bpfimg unload ID`",
        )
    return found[0] if found else None


def _change(
    application: Application, load: Load | None, digest: str, stale: Collection[int], orders: Mapping[int, Order]
) -> Change:
    if load is None:
        links = tuple(LinkChange("attach", each.hook.word, place(each), each) for each in application.attach)
        return Change(application.name, "run", application, None, digest, ("not loaded",), links)
    reasons = tuple(_reasons(application, load, digest))
    links = tuple(_links(application, load, stale, orders))
    if reasons:
        return Change(application.name, "replace", application, load, digest, reasons, links)
    actions = {link.action for link in links}
    action = "attach" if actions - {"keep", "change"} else "change" if "change" in actions else "keep"
    return Change(application.name, action, application, load, digest, (), links)


def _reasons(application: Application, load: Load, digest: str) -> Iterator[str]:
    record = load.record
    if record is None:
        yield f"damaged: {load.damage}"
        return
    loaded = record.image.digest if record.image else "no image"
    if loaded != digest:
        yield f"image {loaded[:19]} becomes {digest[:19]}"
    for what in ("globals", "metadata"):
        have, want = dict(getattr(record, what)), dict(getattr(application, what) or {})
        changed = sorted(key for key in have.keys() | want.keys() if have.get(key) != want.get(key))
        if changed:
            yield f"{what} differ: {', '.join(changed[:8])}"
    asked = {_name(word) for word in application.programs}
    attached = {_name(each.program) for each in application.attach if each.program}
    loaded_programs = {program.name for program in record.programs}
    differ = (asked | attached) - loaded_programs
    if asked:  # else it is whatever its hooks need
        differ |= loaded_programs - asked - attached
    if differ:
        yield f"programs differ: {', '.join(sorted(differ)[:8])}"
    for each in application.attach:
        there = any(_same(each, link) for link in load.links)
        if each.program is None and not there and not _has_one_for(record, each.hook):
            yield f"programs differ: none is loaded for hook {each.hook.word}"


def _links(
    application: Application, load: Load, stale: Collection[int], orders: Mapping[int, Order]
) -> Iterator[LinkChange]:
    left = [link for link in load.links if link.id not in stale]
    found: dict[int, LinkRecord] = {}
    for exactly in (True, False):  # what is as it should be first: no other takes its link
        for number, each in enumerate(application.attach):
            fits = (link for link in left if _same(each, link, orders if exactly else None))
            link = None if number in found else next(fits, None)
            if link is not None:
                left.remove(link)
                found[number] = link
    for number, each in enumerate(application.attach):
        link = found.get(number)
        if link is None:
            yield LinkChange("attach", each.hook.word, place(each), each)
            continue
        changed = tuple(_moved(each, orders.get(link.id)))
        yield LinkChange("change" if changed else "keep", link.hook, link.target, each, link.id, changed)
    gone = [link for link in load.links if link.id in stale]
    yield from (LinkChange("detach", link.hook, link.target, None, link.id) for link in (*left, *gone))
    yield from (LinkChange("detach", "damaged", "", None, link) for link in load.damaged_links)


def _same(wanted: Attach, link: LinkRecord, orders: Mapping[int, Order] | None = None) -> bool:
    """True when the link is what is wanted; without `orders`: a member of a chain also when its place there is not."""
    if wanted.program is not None and _name(wanted.program) != link.program_name:
        return False
    if link.how != _MEMBER:
        return link.is_for(wanted.hook)
    return link.is_for(wanted.hook, without=_LIVE) and not (orders and tuple(_moved(wanted, orders.get(link.id))))


def _moved(wanted: Attach, order: Order | None) -> Iterator[str]:
    """What is different about its place in the chain, in words."""
    if order is None or not isinstance(wanted.hook, hooks.Xdp | hooks.Tc):
        return
    if wanted.hook.priority != order.priority:
        yield f"priority {order.priority} becomes {wanted.hook.priority}"
    if set(wanted.hook.proceed_on) != set(order.proceed_on):
        yield f"proceed-on {','.join(order.proceed_on)} becomes {','.join(wanted.hook.proceed_on)}"


def _name(word: str) -> str:
    """The name in NAME, TYPE:NAME or TYPE:NAME:TARGET."""
    return word.split(":")[1 if ":" in word else 0]


def _has_one_for(record: LoadRecord, hook: Hook) -> bool:
    from bpfimg import bytecode

    rules = [(program.type, bytecode.section_rule(program.section)) for program in record.programs]
    return any(hook.takes(kind, rule.attach_type if rule else None) for kind, rule in rules)


def place(wanted: Attach) -> str:
    """Where, in words, before it is attached: what a record would say later, as far as it is known."""
    document = hooks.to_dict(wanted.hook)
    words = [str(found) for key, found in document.items() if key not in _NOT_WHERE]
    return " ".join(words)
