"""Frozen, slotted classes without the start-up price of `dataclasses`.

Importing `dataclasses` costs 4 ms, and each class 0.3 to 0.6 ms, because its methods are compiled anew in every
process: that would be a third of what `bpfimg list` may take. Here a class costs 0.02 ms. Type checkers are told that
it is `dataclass`; positional and named arguments, defaults, `field`, `__post_init__`, methods and equality are as
there. For values that `bpfimg list` and `run` touch (ADR 0009); everything else uses `dataclass` itself.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass as row
    from dataclasses import dataclass as value
    from dataclasses import field, replace
else:
    from operator import attrgetter, itemgetter

    try:
        from _collections import _tuplegetter as _getter  # what named tuples have
    except ImportError:

        def _getter(place, doc):
            return property(itemgetter(place), doc=doc)

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
            if named or len(given) != len(self._stores):
                given = _arranged(type(self), self.__slots__, given, named)
            for store, content in zip(self._stores, given, strict=True):
                store(self, content)
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

    class _Row(tuple):
        __slots__ = ()
        __iter__ = None
        __lt__ = __le__ = __gt__ = __ge__ = object.__lt__
        __setattr__ = _Value.__setattr__
        __delattr__ = _Value.__delattr__

        def __new__(cls, *given, **named):
            if named or len(given) != len(cls._names):
                given = _arranged(cls, cls._names, given, named)
            return tuple.__new__(cls, given)

        def __eq__(self, other):
            return type(other) is type(self) and tuple.__eq__(self, other)

        def __ne__(self, other):
            return not self == other

        def __hash__(self):
            return tuple.__hash__(self)

        def __repr__(self):
            shown = zip(self._names, tuple.__iter__(self), strict=True)
            return f"{type(self).__name__}({', '.join(f'{name}={content!r}' for name, content in shown)})"

        def __getnewargs__(self):
            return tuple(tuple.__iter__(self))

    def _arranged(kind, names, given, named):
        """The content of each field, in order."""
        if len(given) > len(names):
            raise TypeError(f"{kind.__name__} takes {len(names)} values, not {len(given)}")
        fields = dict(zip(names, given, strict=False))
        if fields.keys() & named.keys() or not named.keys() <= set(names):
            raise TypeError(f"{kind.__name__} takes each of {', '.join(names)} once")
        fields.update(named)
        for name in names:
            if name in fields:
                continue
            if name in kind._defaults:
                fields[name] = kind._defaults[name]
            elif name in kind._fields and kind._fields[name].factory is not None:
                fields[name] = kind._fields[name].factory()
            else:
                raise TypeError(f"{kind.__name__} lacks {', '.join(n for n in names if n not in fields)}")
        return [fields[name] for name in names]

    def _contents(instance):
        found = instance._all(instance)
        return found if len(instance.__slots__) > 1 else (found,)

    def _parted(plain):
        """The names of the fields, and what else the class is made of."""
        own = vars(plain)
        names = tuple(plain.__annotations__)
        kept = {key: entry for key, entry in own.items() if key not in ("__dict__", "__weakref__", *names)}
        fields = {name: own[name] for name in names if isinstance(own.get(name), _Field)}
        defaults = {name: own[name] for name in names if name in own and name not in fields}
        return names, {**kept, "_defaults": defaults, "_fields": fields}

    def row(*, frozen, slots):
        """The same kept in a tuple: made in a tenth of the time, for what a host has thousands of.

        It does not unpack, and is not compared, as a tuple; there is no `__post_init__`.
        """
        assert frozen
        assert slots

        def made(plain):
            names, body = _parted(plain)
            getters = {name: _getter(place, name) for place, name in enumerate(names)}
            return type(plain.__name__, (_Row,), {**body, **getters, "__slots__": (), "_names": names})

        return made

    def value(*, frozen, slots, eq=True):
        """Makes a class of annotated fields a value; `frozen` and `slots` are there to be read, and must be true."""
        assert frozen
        assert slots

        def made(plain):
            names, body = _parted(plain)
            if not eq:
                body |= {"__eq__": object.__eq__, "__hash__": object.__hash__}
            body["__slots__"] = names
            found = type(plain.__name__, (_Value,), body)
            found._stores = tuple(getattr(found, name).__set__ for name in names)
            found._all = attrgetter(*names) if names else staticmethod(lambda _: ())
            return found

        return made

    def replace(instance, /, **changes):
        """The same value with some fields exchanged."""
        if isinstance(instance, _Row):
            fields = dict(zip(instance._names, tuple.__iter__(instance), strict=True))
        else:
            fields = {name: getattr(instance, name) for name in instance.__slots__}
        return type(instance)(**{**fields, **changes})


__all__ = ["field", "replace", "row", "value"]
