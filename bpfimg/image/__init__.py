"""The hall where bytecode and images meet: `spec/bytecode-image.md` in code.

* `BytecodeImage`: an object with its labels and platform; `fetch` reads one, `pack` makes manifest and blobs
* `Description`: what an image says of its object in detail, as labels or as the document of an artifact
* `Labels`: program and map names with their types, of an object or from an image config
* `Limits`: how much of a stranger's image is looked at; `BPFMAN_LIMIT`: the bytes of an object that bpfman takes
* `LABEL_PROGRAMS`, `LABEL_MAPS`: the two labels that every bytecode image has
* `MACHINES`: GOARCH to byte order, `__TARGET_ARCH_` word, multiarch triplet and kernel `arch/`
* `bpf2go`: for which machines an object is, by the name that bpf2go gives its file
* `check_file_name`, `rfc3339`: the grammar of an object's file name; a time as images have it
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image._bpf2go import bpf2go
    from bpfimg.image._check import Finding
    from bpfimg.image._description import Description
    from bpfimg.image._image import BytecodeImage
    from bpfimg.image._labels import LABEL_MAPS, LABEL_PROGRAMS, Labels
    from bpfimg.image._layer import check_file_name
    from bpfimg.image._limits import BPFMAN_LIMIT, Limits
    from bpfimg.image._machines import MACHINES
    from bpfimg.image._pack import Packed, rfc3339

__all__ = [
    "BPFMAN_LIMIT",
    "LABEL_MAPS",
    "LABEL_PROGRAMS",
    "MACHINES",
    "BytecodeImage",
    "Description",
    "Finding",
    "Labels",
    "Limits",
    "Packed",
    "bpf2go",
    "check_file_name",
    "rfc3339",
]

__getattr__ = opened(
    __name__,
    {
        "BPFMAN_LIMIT": "_limits",
        "BytecodeImage": "_image",
        "Description": "_description",
        "Finding": "_check",
        "LABEL_MAPS": "_labels",
        "LABEL_PROGRAMS": "_labels",
        "Labels": "_labels",
        "Limits": "_limits",
        "MACHINES": "_machines",
        "Packed": "_pack",
        "bpf2go": "_bpf2go",
        "check_file_name": "_layer",
        "rfc3339": "_pack",
    },
)
