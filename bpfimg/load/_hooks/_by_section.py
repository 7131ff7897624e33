"""Each program of an object to the hook that its own section names."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from bpfimg.load._candidate import Candidate
    from bpfimg.load._hooks import Hook

_DIRECTIONS = {"ingress": "ingress", "egress": "egress"}


@value(frozen=True, slots=True)
class BySection:
    """What sections leave open: the interface and direction of network programs, the control group of others.

    `netns` is for both and for hooks of a whole network namespace, as in the hooks themselves.
    """

    interface: str | None = None
    direction: str | None = None
    netns: str | None = None
    cgroup: str | None = None

    def hooks(self, candidates: Sequence[Candidate], called: Container[str] = ()) -> tuple[tuple[str, Hook], ...]:
        """(program, its hook) for each of these but those that are `called` by others; operations of a struct_ops map
        have one hook together. UsageError says for each of the others what is lacking."""
        found: list[tuple[str, Hook]] = []
        lacking: list[str] = []
        operations = False
        for program in candidates:
            if program.name in called or (program.type == "struct_ops" and operations):
                continue
            operations = operations or program.type == "struct_ops"
            try:
                found.append((program.name, self._hook(program)))
            except UsageError as error:
                lacking.append(f"{program.shown}: {error}")
        if lacking or not found:
            raise UsageError(
                f"sections do not say where all of the programs go: {'; '.join(lacking) or 'there is none to attach'}",
                hint="give what is lacking, or choose programs with --program",
            )
        return tuple(found)

    def _hook(self, program: Candidate) -> Hook:
        from bpfimg.load import _hooks as hooks

        word, _, target = program.section.partition("/")
        plain, _, tail = word.partition(".")
        if plain == "xdp" and program.attach_type == "xdp":
            return hooks.Xdp(self._interface, netns=self.netns)
        if program.type == "sched_cls":
            return self._classifier(plain, target)
        if plain in ("sk_lookup", "flow_dissector"):
            return hooks.Netns(plain, netns=self.netns)
        if program.type.startswith("cgroup") or program.type == "sock_ops" or word == "lsm_cgroup":
            if self.cgroup is None:
                raise UsageError("it needs a control group (--cgroup PATH)")
            return hooks.Cgroup(self.cgroup)
        if program.type == "struct_ops":
            return hooks.StructOps()
        return _traced(program, plain, tail, program.target or target)

    @property
    def _interface(self) -> str:
        if self.interface is None:
            raise UsageError("it needs an interface (--iface IF)")
        return self.interface

    def _classifier(self, word: str, target: str) -> Hook:
        from bpfimg.load import _hooks as hooks

        if word == "netkit":
            return hooks.Netkit(self._interface, side=target or "primary", netns=self.netns)
        direction = _DIRECTIONS.get(target) or self.direction
        if direction is None:
            raise UsageError("it needs a direction (--direction ingress|egress)")
        made = hooks.Tcx if word == "tcx" else hooks.Tc
        return made(self._interface, direction, netns=self.netns)


def _traced(program: Candidate, word: str, tail: str, target: str) -> Hook:
    from bpfimg.load import _hooks as hooks

    if program.is_bound:
        return hooks.Tracing(word, program.target or None)
    several = tail.startswith(("multi", "session"))
    if not target and word in (*_PROBES, "tracepoint", "tp", "raw_tracepoint", "raw_tp", "usdt"):
        raise UsageError(f"its section {quoted(program.section)} names no target")
    if word in ("tracepoint", "tp"):
        return hooks.Tracepoint.parse(target)
    if word in ("raw_tracepoint", "raw_tp"):
        return hooks.RawTracepoint(target)
    if word in ("kprobe", "kretprobe"):
        name, offset = _offset(target)
        function, pattern = (None, name) if several else (name, None)
        return hooks.Kprobe(function, offset=offset, ret=word == "kretprobe", pattern=pattern)
    if word in ("ksyscall", "kretsyscall"):
        return hooks.Ksyscall(target, ret=word == "kretsyscall")
    if word in ("uprobe", "uretprobe"):
        path, _, place = target.rpartition(":")
        name, offset = _offset(place)
        function, pattern = (None, name) if several else (name, None)
        return hooks.Uprobe(path, function, offset=offset, ret=word == "uretprobe", pattern=pattern)
    if word == "usdt":
        path, provider, name = (["", "", *target.rsplit(":", 2)])[-3:]
        return hooks.Usdt(path, provider, name)
    raise UsageError(f"its section {quoted(program.section)} does not say where it goes")


_PROBES = ("kprobe", "kretprobe", "ksyscall", "kretsyscall", "uprobe", "uretprobe")


def _offset(place: str) -> tuple[str, int]:
    """FUNCTION or FUNCTION+OFFSET."""
    name, plus, number = place.partition("+")
    try:
        return name, int(number, 0) if plus else 0
    except ValueError:
        raise UsageError(f"its section has the offset {quoted(number)}, expected a number") from None
