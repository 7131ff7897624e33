"""The kinds of BTF types, what an INT may be (`include/uapi/linux/btf.h`), and the kinds of CO-RE relocations."""

from __future__ import annotations

VOID, INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT = range(12)
FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(12, 20)

COMPOSITES, ENUMS = (STRUCT, UNION), (ENUM, ENUM64)
#: what C writes before a tag
WORDS = {STRUCT: "struct", UNION: "union", ENUM: "enum", ENUM64: "enum"}
QUALIFIERS = {VOLATILE: "volatile", CONST: "const", RESTRICT: "restrict"}
TRANSPARENT = frozenset((TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG))
INT_SIGNED, INT_CHAR, INT_BOOL = 1, 2, 4

#: linkage of a VAR and of a FUNC
STATIC, GLOBAL, EXTERN = 0, 1, 2

#: `enum bpf_core_relo_kind` (`include/uapi/linux/bpf.h`) by number, in lower case and without BPF_CORE_
CORE_KINDS = (
    "field_byte_offset",
    "field_byte_size",
    "field_exists",
    "field_signed",
    "field_lshift_u64",
    "field_rshift_u64",
    "type_id_local",
    "type_id_target",
    "type_exists",
    "type_size",
    "enumval_exists",
    "enumval_value",
    "type_matches",
)
