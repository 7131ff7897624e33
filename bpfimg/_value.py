"""Frozen, slotted classes without the start-up price of `dataclasses`.

Importing `dataclasses` costs 4 ms, and each class 0.3 to 0.6 ms, because its methods are compiled anew in every
process: that would be a third of what `bpfimg list` may take. Here a class costs 0.02 ms. Type checkers are told that
it is `dataclass`; positional and named arguments, defaults, `field`, `__post_init__`, methods and equality are as
there. For values that `bpfimg list` and `run` touch (ADR 0009); everything else uses `dataclass` itself.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass as value
    from dataclasses import field, replace
else:
    _MISSING = object()

    class _Field:
        __slots__ = ("factory", "hash", "repr")

        def __init__(self, *, default=_MISSING, default_factory=None, repr=True, hash=True):
            self.factory = default_factory if default is _MISSING else lambda: default
            self.repr = repr
            self.hash = hash

    field = _Field

    class _Value:
        __slots__ = ()

        def __init__(self, *given, **named):
            names = self.__slots__
            if len(given) == len(names) and not named:
                for store, content in zip(self._stores, given, strict=True):
                    store(self, content)
                self.__post_init__()
                return
            if len(given) > len(names):
                raise TypeError(f"{type(self).__name__} takes {len(names)} values, not {len(given)}")
            fields = dict(zip(names, given, strict=False))
            if fields.keys() & named.keys() or not named.keys() <= set(names):
                raise TypeError(f"{type(self).__name__} takes each of {', '.join(names)} once")
            fields.update(named)
            for name in names:
                if name in fields:
                    content = fields[name]
                elif name in self._defaults:
                    content = self._defaults[name]
                elif name in self._fields and self._fields[name].factory is not None:
                    content = self._fields[name].factory()
                else:
                    raise TypeError(f"{type(self).__name__} lacks {', '.join(n for n in names if n not in fields)}")
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
            counted = (name for name in self.__slots__ if name not in self._fields or self._fields[name].hash)
            return hash(tuple(getattr(self, name) for name in counted))

        def __repr__(self):
            shown = (n for n in self.__slots__ if n not in self._fields or self._fields[n].repr)
            return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def _contents(instance):
        return tuple(getattr(instance, name) for name in instance.__slots__)

    def value(*, frozen, slots, eq=True):
        """Makes a class of annotated fields a value; `frozen` and `slots` are there to be read, and must be true."""
        assert frozen
        assert slots

        def made(plain):
            own = vars(plain)
            names = tuple(plain.__annotations__)
            kept = {key: entry for key, entry in own.items() if key not in ("__dict__", "__weakref__", *names)}
            fields = {name: own[name] for name in names if isinstance(own.get(name), _Field)}
            defaults = {name: own[name] for name in names if name in own and name not in fields}
            if not eq:
                kept |= {"__eq__": object.__eq__, "__hash__": object.__hash__}
            body = {**kept, "__slots__": names, "_defaults": defaults, "_fields": fields}
            found = type(plain.__name__, (_Value,), body)
            found._stores = tuple(getattr(found, name).__set__ for name in names)
            return found

        return made

    def replace(instance, /, **changes):
        """The same value with some fields exchanged."""
        fields = dict(zip(instance.__slots__, _contents(instance), strict=True))
        return type(instance)(**{**fields, **changes})


__all__ = ["field", "replace", "value"]
