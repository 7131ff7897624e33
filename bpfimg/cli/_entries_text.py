"""Programs as JSON text, by the thousand: what `program_entries` and the encoder make, in a fraction of the time.

Entries of others' programs, links and maps differ in few fields. So one entry is made and encoded for all that are
alike, and its text, with gaps for these fields, is filled for each.
"""

from __future__ import annotations

from json.encoder import JSONEncoder
from json.encoder import encode_basestring_ascii as quoted

from bpfimg.cli._entries import Index, indexed_entry, kernel_entry, link_entry, map_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bpfimg.inspect import Inventory, LinkView, MapView, ProgramView
    from bpfimg.kernel import bpf

    Entry = Mapping[str, object]

_encoded = JSONEncoder(check_circular=False).encode
_PIECE = 32  # programs: all of them in one text would be several megabytes of memory, twice
_GAP = "\0gap"  # no name in a kernel has a NUL
# the fields that are filled in, in the order of the entries
_PROGRAM = ("id", "name", "target", "links", "maps", "held_by", "kernel")
_KERNEL = (
    *("id", "map_ids", "tag", "gpl", "loaded_at", "uid", "btf_id", "xlated_size", "jited_size", "memlock"),
    *("verified_insns", "run_time", "run_count", "recursion_misses"),
)
_LINK = ("id", "kernel_id", "program_id", "target", "details", "held_by")
_MAP = ("id", "name", "key_size", "value_size", "max_entries", "flags", "memlock", "btf_id", "held_by")


def programs_text(inventory: Inventory, views: Sequence[ProgramView]) -> Iterator[str]:
    """The document of these programs on one line, in pieces."""
    forms = _Forms(Index(inventory))
    yield '{"programs": ['
    for at in range(0, len(views), _PIECE):
        yield (", " if at else "") + ", ".join([forms.program(view) for view in views[at : at + _PIECE]])
    yield "]}"


class _Forms:
    """Texts with gaps, by what is in the fields that have none."""

    __slots__ = ("_index", "_known")

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known: dict[tuple[object, ...], str] = {}

    def program(self, view: ProgramView) -> str:
        """One program; by way of its entry where there is more to tell of it than of others' programs."""
        index = self._index
        if view.info is None or view.load is not None or view.record or view.pin or view.damage or view.sample:
            return _encoded(indexed_entry(view, index))
        form = self._known.get(("program", view.type))
        if form is None:
            form = self._known["program", view.type] = _form(indexed_entry(view, index), _PROGRAM)
        maps = index.by_id
        return form % (
            view.id,
            quoted(view.name),
            quoted(view.target) if view.target else "null",
            ", ".join([self.link(link) for link in index.links.get(view.id, ())]),
            ", ".join([self.map(maps[number]) for number in view.map_ids if number in maps]),
            _texts(view.held_by),
            self.kernel(view, view.info),
        )

    def kernel(self, view: ProgramView, info: bpf.ProgramInfo) -> str:
        """What the kernel says of it."""
        form = self._known.get(("kernel",))
        if form is None:
            form = self._known[("kernel",)] = _form(kernel_entry(view), _KERNEL)
        sizes = (info.uid, info.btf_id, info.xlated_size, info.jited_size, info.memlock)
        numbers = (*sizes, info.verified_insns, info.run_time, info.run_count, info.recursion_misses)
        shown = ["null" if number is None else number for number in numbers] if None in numbers else numbers
        gpl = "true" if info.gpl else "false"
        map_ids = ", ".join(map(str, info.map_ids))
        return form % (view.id, map_ids, quoted(info.tag), gpl, quoted(view.loaded_at), *shown)

    def link(self, view: LinkView) -> str:
        """One link."""
        if view.id is not None or view.load is not None or view.record or view.pin or view.moved or view.part_ids:
            return _encoded(link_entry(view))
        details = view.details
        place = (view.interface, view.ifindex, view.direction, view.netns, view.netns_inode)
        words = (view.hook, view.how, view.type, view.attach_type, view.state, view.reason, details.get("mode"))
        chain = (view.priority, view.position, view.proceed_on, view.members, view.builder, view.protocol)
        key = (*words, *place, *chain)
        form = self._known.get(key)
        if form is None:
            form = self._known[key] = _form(link_entry(view), _LINK)
        number = "null" if view.kernel_id is None else view.kernel_id
        facts, held_by = _encoded(details) if details else "{}", _texts(view.held_by)
        return form % (number, number, view.program_id, quoted(view.target), facts, held_by)

    def map(self, view: MapView) -> str:
        """One map."""
        key = ("map", view.type, view.frozen)
        form = self._known.get(key)
        if form is None:
            form = self._known[key] = _form(map_entry(view), _MAP)
        memlock = "null" if view.memlock is None else view.memlock
        sizes = (view.key_size, view.value_size, view.max_entries, view.flags, memlock)
        return form % (view.id, quoted(view.name), *sizes, view.btf_id, _texts(view.held_by))


def _texts(texts: Iterable[str]) -> str:
    return ", ".join(map(quoted, texts))


def _form(entry: Entry, filled: tuple[str, ...]) -> str:
    """The text of an entry with a gap for each of these fields; lists have their brackets."""
    gaps = {name: [_GAP] if isinstance(entry[name], list) else _GAP for name in filled}
    return _encoded({**entry, **gaps}).replace("%", "%%").replace(quoted(_GAP), "%s")
