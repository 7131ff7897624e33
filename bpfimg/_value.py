"""Frozen, slotted classes without the start-up price of `dataclasses`.

Importing `dataclasses` costs 3.5 ms, and each class 0.3 to 0.6 ms, because its methods are compiled anew in every
process: that would be a third of what `bpfimg list` may take. Here a class costs 0.02 ms. Type checkers are told that
it is `dataclass`; positional and named arguments, defaults, `__post_init__`, methods and equality are as there. Only
for values that `bpfimg list` needs (ADR 0009); everything else uses `dataclass` itself.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass as value
    from dataclasses import replace
else:

    class _Value:
        __slots__ = ()

        def __init__(self, *given, **named):
            names = self.__slots__
            if len(given) > len(names):
                raise TypeError(f"{type(self).__name__} takes {len(names)} values, not {len(given)}")
            fields = dict(zip(names, given, strict=False))
            if fields.keys() & named.keys() or not named.keys() <= set(names):
                raise TypeError(f"{type(self).__name__} takes each of {', '.join(names)} once")
            fields = {**self._defaults, **fields, **named}
            if len(fields) != len(names):
                raise TypeError(f"{type(self).__name__} lacks {', '.join(n for n in names if n not in fields)}")
            for name, content in fields.items():
                object.__setattr__(self, name, content)
            self.__post_init__()

        def __post_init__(self):
            pass

        def __setattr__(self, name, content):
            raise AttributeError(f"{type(self).__name__} is frozen")

        def __delattr__(self, name):
            raise AttributeError(f"{type(self).__name__} is frozen")

        def __eq__(self, other):
            return _contents(self) == _contents(other) if type(other) is type(self) else NotImplemented

        def __hash__(self):
            return hash(_contents(self))

        def __repr__(self):
            fields = zip(self.__slots__, _contents(self), strict=True)
            return f"{type(self).__name__}({', '.join(f'{name}={content!r}' for name, content in fields)})"

    def _contents(instance):
        return tuple(getattr(instance, name) for name in instance.__slots__)

    def value(*, frozen, slots):
        """Makes a class of annotated fields a value; both arguments are there to be read, and must be true."""
        assert frozen
        assert slots

        def made(plain):
            names = tuple(plain.__annotations__)
            kept = {key: entry for key, entry in vars(plain).items() if key not in ("__dict__", "__weakref__", *names)}
            defaults = {name: vars(plain)[name] for name in names if name in vars(plain)}
            return type(plain.__name__, (_Value,), {**kept, "__slots__": names, "_defaults": defaults})

        return made

    def replace(instance, /, **changes):
        """The same value with some fields exchanged."""
        fields = dict(zip(instance.__slots__, _contents(instance), strict=True))
        return type(instance)(**{**fields, **changes})


__all__ = ["replace", "value"]
