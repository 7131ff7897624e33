"""What an object says about a place that libbpf or the kernel complain of: source line, CO-RE relocation, requirement.

Made only when a load has failed: reading the object and the kernel's types takes some tenths of a second.
"""

from __future__ import annotations

from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.btf import Ext, KernelTypes, LineInfo
    from bpfimg.bytecode import Dissection, ProgramSpec

_TYPES = "/sys/kernel/btf/vmlinux"


class About:
    """Answers about one object, from its bytes; with "" for what it does not say, or says unsoundly."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._parsed: Dissection | None = None
        self._unsound = False

    def place(self, program: str, index: int, text: str) -> tuple[str, int, str]:
        """File, line and text of the source of instruction `index` of a loaded program; ("", 0, text) where that
        is not known. The text is `text`, if that is not empty.

        Sub-programs stand behind the program then, in an order of libbpf's: their lines are found by the text.
        """
        ext, spec = self._ext(), self._program(program)
        if ext is None or spec is None:
            return "", 0, text
        try:
            found = ext.line_at(spec.section, spec.offset + 8 * index) if index < spec.instructions else None
            if text and (found is None or found.text.strip() != text):
                found = _only(line for lines in ext.lines.values() for line in lines if line.text.strip() == text)
        except BytecodeError:
            return "", 0, text
        return (found.file.rpartition("/")[2], found.line, found.text.strip()) if found else ("", 0, text)

    def relocation(self, program: str, index: int) -> str:
        """Why the CO-RE relocation at an instruction has no answer here, and what this kernel has that is like it."""
        ext, spec = self._ext(), self._program(program)
        if ext is None or spec is None or self._parsed is None or self._parsed.types is None:
            return ""
        from bpfimg.btf import Resolver, question

        wanted = spec.offset + 8 * index
        try:
            found = next((each for each in ext.core.get(spec.section, ()) if each.offset == wanted), None)
            if found is None or index >= spec.instructions:
                return ""
            asked = question(self._parsed.types, found)
            kernel = _kernel()
            resolution = Resolver(self._parsed.types, kernel).resolve(found) if kernel else None
        except BytecodeError:
            return ""
        near = f" (it has {resolution.nearest})" if resolution and resolution.nearest else ""
        return f"this kernel has no {asked.subject}{near}"

    def _ext(self) -> Ext | None:
        if self._parsed is None and not self._unsound:
            from bpfimg.bytecode import dissect

            try:
                self._parsed = dissect(self._data)
            except BytecodeError:
                self._unsound = True
        return self._parsed.ext if self._parsed else None

    def _program(self, name: str) -> ProgramSpec | None:
        return next((p for p in self._parsed.object.programs if p.name == name), None) if self._parsed else None


def _only(lines: Iterator[LineInfo]) -> LineInfo | None:
    """The one place that all of these are of; None where there are several."""
    found = {(line.file, line.line): line for line in lines}
    return next(iter(found.values())) if len(found) == 1 else None


def _kernel() -> KernelTypes | None:
    from bpfimg.btf import KernelFile

    try:
        with open(_TYPES, "rb") as file:
            data = file.read()
    except OSError:
        return None
    return KernelFile.find(_TYPES, lambda start, length: data[start : start + length], len(data)).kernel("this kernel")
