"""Which loads and links are meant, by words of the user's own, by type or by the application's name."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpfimg.load._host import Load
    from bpfimg.load._records import LinkRecord

#: what people call types of programs whose kernel word is another
_TYPES = {
    **dict.fromkeys(("tc", "tcx", "netkit"), "sched_cls"),
    **dict.fromkeys(("kretprobe", "ksyscall", "kretsyscall", "uprobe", "uretprobe", "usdt"), "kprobe"),
    **dict.fromkeys(("fentry", "fexit", "fmod_ret", "tp_btf"), "tracing"),
}


@value(frozen=True, slots=True)
class Selector:
    """All that is given has to hold: each of the `metadata`, one of the `types` of
    programs, one of the names of `applications`. A selector of nothing takes everything."""

    metadata: Mapping[str, str]
    types: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.metadata or self.types or self.applications)

    def fits(self, application: str, types: Iterable[str], metadata: Mapping[str, str]) -> bool:
        """Whether it takes something of that application, with programs of these types, and that metadata."""
        if self.applications and application not in self.applications:
            return False
        if self.types and not {_TYPES.get(each, each) for each in self.types} & set(types):
            return False
        return all(metadata.get(key) == text for key, text in self.metadata.items())

    def takes(self, load: Load) -> bool:
        """Whether it takes a load; one that is damaged has no name, type or metadata to go by."""
        record = load.record
        if record is None:
            return not self
        return self.fits(record.name, (program.type for program in record.programs), record.metadata)

    def takes_link(self, load: Load, link: LinkRecord) -> bool:
        """Whether it takes a link: by its hook's word, else its program's type; by its own metadata or its load's."""
        record = load.record
        if record is None:
            return not self
        types = [program.type for program in record.programs if program.id == link.program_id]
        if self.types:
            from bpfimg.load._hooks import WORDS

            if not any(link.hook == each if each in WORDS else each in types for each in self.types):
                return False
        rest = Selector(self.metadata, (), self.applications)
        return rest.fits(record.name, types, {**record.metadata, **(link.metadata or {})})
