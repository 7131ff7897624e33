"""Programs that others jump to: libbpf puts them into a map when it loads the object, so they are loaded with it."""

from __future__ import annotations

from bpfimg._value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpfimg.kernel import OpenObject
    from bpfimg.load._candidate import Candidate

_PROG_ARRAY = 3


@value(frozen=True, slots=True)
class TailCalls:
    """`tables`: map of programs -> the programs that the object puts there; `users`: program -> such maps it uses."""

    tables: Mapping[str, Sequence[str]]
    users: Mapping[str, Sequence[str]]

    @property
    def called(self) -> frozenset[str]:
        """Programs that something jumps to."""
        return frozenset(name for names in self.tables.values() for name in names)

    def closure(self, chosen: Sequence[Candidate], candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """The chosen programs with all that they may come to by tail calls, of the type of who calls them if their
        section gives none."""
        by_name = {candidate.name: candidate for candidate in candidates}
        found = {candidate.name: candidate for candidate in chosen}
        todo = list(chosen)
        while todo:
            caller = todo.pop()
            for table in self.users.get(caller.name, ()):
                for name in self.tables[table]:
                    if name in found or name not in by_name:
                        continue
                    found[name] = _typed(by_name[name], caller)
                    todo.append(found[name])
        return tuple(found.values())

    def unused(self, chosen: Sequence[Candidate]) -> tuple[str, ...]:
        """Maps of programs that none of these uses: libbpf could not fill them."""
        used = {table for candidate in chosen for table in self.users.get(candidate.name, ())}
        return tuple(table for table in self.tables if table not in used)


def _typed(candidate: Candidate, caller: Candidate) -> Candidate:
    if candidate.type:
        return candidate
    return replace(
        candidate,
        type=caller.type,
        type_id=caller.type_id,
        attach_type=caller.attach_type,
        attach_type_id=caller.attach_type_id,
    )


def tail_calls(opened: OpenObject, data: bytes) -> TailCalls:
    """Reads them from the object; nothing is read where it has no map of programs."""
    if not any(handle.type_id == _PROG_ARRAY for handle in opened.maps):
        return TailCalls({}, {})
    from bpfimg import bytecode

    dissection = bytecode.dissect(data)
    tables = {name: called for name, called in dissection.tail_calls().items() if called}
    users = {
        program.name: [name for name in program.uses.maps if name in tables] for program in dissection.object.programs
    }
    return TailCalls(tables, users)
