"""The kinds of BTF types, and what an INT may be (`include/uapi/linux/btf.h`)."""

from __future__ import annotations

VOID, INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT = range(12)
FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(12, 20)

QUALIFIERS = {VOLATILE: "volatile", CONST: "const", RESTRICT: "restrict"}
TRANSPARENT = frozenset((TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG))
INT_SIGNED, INT_CHAR, INT_BOOL = 1, 2, 4

#: linkage of a VAR and of a FUNC
STATIC, GLOBAL, EXTERN = 0, 1, 2
