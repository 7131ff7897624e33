"""What a build made, and what it made it of: the facts that an SBOM and a provenance statement are written from."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image import BytecodeImage

__all__ = ["Built", "Source"]

_HEAD = 4096  # bytes in which the kernel's tools look for the line, too
_MOST = 256  # characters of an expression


@value(frozen=True, slots=True)
class Source:
    """One file that went into an object.

    `path` may be published: it names the file as the compiler was told, from the folder of the C source or of the
    object on (`prog.bpf.c`, `inner/deeper.h`), `includeN/...` for the N-th include folder when that lies elsewhere, and
    absolute only for headers of the system (`/usr/include/bpf/bpf_helpers.h`); never the folder that was built in.
    `digest` is the SHA-256 of its bytes, 64 lower-case hexadecimal digits; `kind` is "object" (compiled elsewhere),
    "c" or "header". `sha1` is there because SPDX 2.3 (8.4) wants it of every file; `license` is what the file says of
    itself in an `SPDX-License-Identifier` line, "" where it says nothing.
    """

    path: str
    digest: str
    kind: str
    sha1: str = ""
    license: str = ""

    @staticmethod
    def of(path: str, content: bytes, kind: str) -> Source:
        """The source that has `content` and is called `path` where it is published."""
        import hashlib

        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        said = "" if kind == "object" else _license(content)
        return Source(path, hashlib.sha256(content).hexdigest(), kind, sha1, said)


@value(frozen=True, slots=True)
class Built:
    """One image with everything that went into it.

    `sources` are sorted by kind (C and object files first, in the order of the inputs, then headers by path) and
    hold no file twice. `compiler` is what clang says of itself in one line ("Debian clang version 14.0.6"), None where
    nothing was compiled here. `arguments` are the words that the compiler was given after its own name, with published
    paths; empty where nothing was compiled. `stripped` is how many bytes of DWARF were taken off, 0 for none. `linker`
    is "libbpf 1.1" where several objects were linked. `declared` are the maps of the old kind, in section "maps", that
    were declared in the one that libbpf takes.
    """

    image: BytecodeImage
    sources: tuple[Source, ...]
    compiler: str | None = None
    arguments: tuple[str, ...] = ()
    stripped: int = 0
    linker: str | None = None
    declared: tuple[str, ...] = ()


def _license(content: bytes) -> str:
    """The expression behind the first `SPDX-License-Identifier:`, without the comment that it stands in."""
    _, found, rest = content[:_HEAD].partition(b"SPDX-License-Identifier:")
    if not found:
        return ""
    words = rest.split(b"\n", 1)[0].decode("utf-8", "replace").split("*/")[0].strip()
    return words if len(words) <= _MOST and words.isprintable() else ""
