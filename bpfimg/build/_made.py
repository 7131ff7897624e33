"""What a build made, and what it made it of: the facts that an SBOM and a provenance statement are written from."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image import BytecodeImage

__all__ = ["Built", "Source"]


@value(frozen=True, slots=True)
class Source:
    """One file that went into an object.

    `path` may be published: it names the file as the compiler was told, from the folder of the C source or of the
    object on (`prog.bpf.c`, `inner/deeper.h`), `includeN/...` for the N-th include folder when that lies elsewhere, and
    absolute only for headers of the system (`/usr/include/bpf/bpf_helpers.h`); never the folder that was built in.
    `digest` is the SHA-256 of its bytes, 64 lower-case hexadecimal digits; `kind` is "object" (compiled elsewhere),
    "c" or "header".
    """

    path: str
    digest: str
    kind: str


@value(frozen=True, slots=True)
class Built:
    """One image with everything that went into it.

    `sources` are sorted by kind (C and object files first, in the order of the inputs, then headers by path) and
    hold no file twice. `compiler` is what clang says of itself in one line ("Debian clang version 14.0.6"), None where
    nothing was compiled here. `arguments` are the words that the compiler was given after its own name, with published
    paths; empty where nothing was compiled. `stripped` is how many bytes of DWARF were taken off, 0 for none.
    """

    image: BytecodeImage
    sources: tuple[Source, ...]
    compiler: str | None = None
    arguments: tuple[str, ...] = ()
    stripped: int = 0
