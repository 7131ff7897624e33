"""Values by their types: bytes to plain Python and back, for what maps and globals hold. Pure, bounded.

`decode` gives numbers, truth values, text (an array of char that ends in NUL), names of enumerators, lists and dicts;
a pointer is its number in hex. Members of unnamed structs and unions stand among those of the type around them, as in
C, and each member of a union is given: they are views of the same bytes. `encode` takes the same, and numbers and
names as text; of a struct it takes some members and keeps the others. `parse` makes such a value of what a person
writes: JSON, with 0x10 and names of enumerators as they are. `difference` says in what two types differ.
"""

from __future__ import annotations

from bpfimg.btf._value_read import decode
from bpfimg.btf._value_same import difference
from bpfimg.btf._value_sum import total
from bpfimg.btf._value_text import parse, parse_number, shown
from bpfimg.btf._value_write import encode

__all__ = ["decode", "difference", "encode", "parse", "parse_number", "shown", "total"]
