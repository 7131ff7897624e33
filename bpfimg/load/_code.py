"""What an XDP or tc program is made of, as the kernel was given it: kept for dispatchers that contain it.

The kernel gives translated instructions back, which it does not take again. So the relocated ones are written down
when the program is loaded, with maps named by their place in the load's record in the place of descriptors: good for
as long as the load is there.
"""

from __future__ import annotations

import json
import zlib
from binascii import a2b_base64, b2a_base64

from bpfimg._value import value
from bpfimg.errors import DamagedRecord, KernelError
from bpfimg.kernel import bpffs
from bpfimg.load._paths import pin_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bpfimg.load._host import Load
    from bpfimg.load._records import ProgramRecord

VERSION = 1
_WINDOW, _MEMORY = 12, 4  # of zlib: 24 KiB in place of 256, for what has a few KiB
MAX_BYTES = 1 << 24  # of each array, unpacked: a million instructions are 8 MiB


@value(frozen=True, slots=True)
class Code:
    """The relocated instructions of a program, with the functions that it calls behind it, and what the BTF of the
    loaded program says of them.

    `maps` are (place of a 64-bit load, index of the map in the load's record): there `insns` has 0 for a descriptor.
    `functions` are (place, id of the FUNC in the types `btf`), `lines` an array of struct bpf_line_info; places count
    instructions of eight bytes, and the id is 0 where there is no BTF. `flags` and `attach_type` are those it was
    loaded with; `modules`: it calls functions of modules; `kfuncs` are the names of the kernel's functions that it
    calls.
    """

    name: str
    insns: bytes
    maps: tuple[tuple[int, int], ...] = ()
    license: str = ""
    flags: int = 0
    attach_type: int = 0
    functions: tuple[tuple[int, int], ...] = ()
    lines: bytes = b""
    btf: bytes = b""
    modules: bool = False
    kfuncs: tuple[str, ...] = ()

    def to_text(self) -> str:
        """As it is written down: JSON, with what is long packed."""
        document = {
            "version": VERSION,
            "name": self.name,
            "insns": _packed(self.insns),
            "maps": [list(pair) for pair in self.maps],
            "license": self.license,
            "flags": self.flags,
            "attach_type": self.attach_type,
            "functions": [list(pair) for pair in self.functions],
            "lines": _packed(self.lines),
            "btf": _packed(self.btf),
            "modules": self.modules,
            "kfuncs": list(self.kfuncs),
        }
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Code:
        """Reads it; DamagedRecord for what is none, or would unpack to more than `MAX_BYTES`."""
        try:
            document = json.loads(text)
            if document["version"] != VERSION:
                raise DamagedRecord(f"the code of a program is of version {document['version']!r}, expected {VERSION}")
            return cls(
                name=str(document["name"]),
                insns=_unpacked(document["insns"]),
                maps=_pairs(document["maps"]),
                license=str(document["license"]),
                flags=int(document["flags"]),
                attach_type=int(document["attach_type"]),
                functions=_pairs(document["functions"]),
                lines=_unpacked(document["lines"]),
                btf=_unpacked(document["btf"]) if "btf" in document else b"",
                modules=bool(document["modules"]),
                kfuncs=tuple(str(each) for each in document.get("kfuncs", ())),
            )
        except (KeyError, TypeError, ValueError, RecursionError, zlib.error) as error:
            raise DamagedRecord(f"the code of a program cannot be read: {error}") from error


def code_of(load: Load, program: ProgramRecord) -> Code | None:
    """What was written down about a program of a load; None when it was not kept, or cannot be read."""
    try:
        return Code.from_text(bpffs.read_record(code_pin(load, program)))
    except (KernelError, DamagedRecord):
        return None


def code_pin(load: Load, program: ProgramRecord) -> str:
    """Where the code of a program of a load is pinned, if it was kept."""
    programs = load.record.programs if load.record else ()
    names = pin_names("code", [(p.name, p.id) for p in programs])
    return f"{load.path}/{names[[p.id for p in programs].index(program.id)]}"


def _packed(data: bytes) -> str:
    packer = zlib.compressobj(1, zlib.DEFLATED, _WINDOW, _MEMORY)
    return b2a_base64(packer.compress(data) + packer.flush(), newline=False).decode()


def _unpacked(text: Any) -> bytes:
    worker = zlib.decompressobj()
    data = worker.decompress(a2b_base64(text, strict_mode=True), MAX_BYTES)
    if worker.unconsumed_tail:
        raise ValueError(f"an array of more than {MAX_BYTES} bytes")
    return data


def _pairs(found: Any) -> tuple[tuple[int, int], ...]:
    return tuple((int(one), int(other)) for one, other in found)
