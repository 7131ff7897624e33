"""Frozen, slotted classes without the start-up price of `dataclasses`.

`@dataclass(frozen=True, slots=True)` compiles its methods anew in every process: 0.6 ms for a class of 17 fields,
where `bpfimg list` has 15 in all. This takes 0.02. Type checkers are told that it is `dataclass`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:

    class _Value:
        __slots__ = ()

        def __init__(self, **fields):
            if fields.keys() != set(self.__slots__):
                raise TypeError(f"{type(self).__name__} takes exactly {', '.join(self.__slots__)}")
            for name, given in fields.items():
                object.__setattr__(self, name, given)

        def __setattr__(self, name, given):
            raise AttributeError(f"{type(self).__name__} is frozen")

        def __eq__(self, other):
            return type(other) is type(self) and self._fields() == other._fields()

        def __hash__(self):
            return hash(self._fields())

        def __repr__(self):
            fields = (f"{name}={given!r}" for name, given in zip(self.__slots__, self._fields(), strict=True))
            return f"{type(self).__name__}({', '.join(fields)})"

        def _fields(self):
            return tuple(getattr(self, name) for name in self.__slots__)

    def value(*, frozen, slots):
        """Makes a class of annotated fields a value; both arguments are there to be read, and must be true."""
        assert frozen
        assert slots

        def made(plain):
            body = {"__slots__": tuple(plain.__annotations__), "__doc__": plain.__doc__, "__module__": plain.__module__}
            return type(plain.__name__, (_Value,), body)

        return made


__all__ = ["value"]
