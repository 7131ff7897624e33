"""How much of an executable is looked at before it is refused."""

from __future__ import annotations

from bpfimg._value import value


@value(frozen=True, slots=True)
class Limits:
    """Bounds on what a file that nobody has vouched for may cost; each is above what linkers make of large programs.

    sections       entries of the section header table
    segments       entries of the program header table
    symbols        entries of each symbol table
    string_bytes   size of each string table (a browser with all its symbols has about 150 MB), and of the names in it
                   together, which may overlap
    name_bytes     length of a name of C++ or Rust
    versions       versions of symbols that a library defines
    note_bytes     size of all notes of one section or segment; of all that are searched for the build id twice that
    probes         static probes, at all their places
    cache_bytes    size of ld.so.cache, and of the names in it together
    same_name      symbols of one name
    """

    sections: int = 1 << 17
    segments: int = 1 << 12
    symbols: int = 8 << 20
    string_bytes: int = 256 << 20
    name_bytes: int = 16 << 10
    versions: int = 4096
    note_bytes: int = 16 << 20
    probes: int = 1 << 16
    cache_bytes: int = 16 << 20
    same_name: int = 1 << 16
