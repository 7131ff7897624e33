"""The cheap values behave as frozen dataclasses do, wherever anybody relies on it."""

from __future__ import annotations

import copy
import dataclasses

import pytest

from bpfimg._value import field, replace, row, value


@value(frozen=True, slots=True)
class Point:
    """A point."""

    x: int
    y: int = 2
    words: tuple[str, ...] = ()

    @property
    def both(self) -> tuple[int, int]:
        return (self.x, self.y)

    @classmethod
    def at(cls, x: int) -> Point:
        return cls(x)


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    x: int
    y: int = 2
    words: tuple[str, ...] = ()


def test_arguments_defaults_and_methods() -> None:
    assert Point(1).both == Point(y=2, x=1).both == Point.at(1).both == (1, 2)
    assert Point(1, 3).y == 3
    assert Point.__doc__ == "A point."
    assert repr(Point(1)) == repr(Model(1)).replace("Model", "Point")


@pytest.mark.parametrize("build", [Point, Model])
def test_wrong_arguments(build: type[Point]) -> None:
    for given, named in (((), {}), ((1, 2, (), 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1})):
        with pytest.raises(TypeError):
            build(*given, **named)  # type: ignore[arg-type]


def test_equality_and_hash() -> None:
    assert Point(1) == Point(1, 2, ())
    assert Point(1) != Point(2)
    assert Point(1) != Model(1)
    assert len({Point(1), Point(1), Point(2)}) == 2


def test_frozen_and_slotted() -> None:
    point = Point(1)
    with pytest.raises(AttributeError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del point.x
    with pytest.raises(AttributeError):
        object.__setattr__(point, "z", 1)


def test_replace() -> None:
    assert replace(Point(1, 5), x=7) == Point(7, 5)
    with pytest.raises(TypeError):
        replace(Point(1), z=1)


def test_fields() -> None:
    @value(frozen=True, slots=True)
    class Login:
        user: str
        password: str | None = field(default=None, repr=False)
        notes: dict[str, str] = field(default_factory=dict, hash=False)

    one, other = Login("a", password="secret"), Login("a")
    assert repr(one).endswith("Login(user='a', notes={})")
    assert other.password is None
    assert one.notes is not other.notes
    assert hash(Login("a", notes={"x": "y"})) == hash(other)
    with pytest.raises(TypeError):
        Login(password="secret")  # type: ignore[call-arg]


def test_post_init_and_identity() -> None:
    @value(frozen=True, slots=True, eq=False)
    class Even:
        number: int

        def __post_init__(self) -> None:
            if self.number % 2:
                raise ValueError(self.number)

    with pytest.raises(ValueError, match="3"):
        Even(3)
    assert Even(2) != Even(2)
    assert len({Even(2), Even(2)}) == 2


@row(frozen=True, slots=True)
class Line:
    """A line."""

    x: int
    y: int = 2
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def both(self) -> tuple[int, int]:
        return (self.x, self.y)


def test_a_row_takes_what_a_value_takes() -> None:
    assert Line(1).both == Line(y=2, x=1).both == Line(1, 2, {}).both == (1, 2)
    assert Line(1).notes is not Line(1).notes
    assert (Line.__doc__, repr(Line(1))) == ("A line.", "Line(x=1, y=2, notes={})")
    for given, named in (((), {}), ((1, 2, {}, 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1})):
        with pytest.raises(TypeError):
            Line(*given, **named)


def test_a_row_is_frozen_and_replaced() -> None:
    line = Line(1)
    for name in ("x", "z"):
        with pytest.raises(AttributeError):
            setattr(line, name, 2)
    with pytest.raises(AttributeError):
        del line.x
    assert replace(line, x=7) == Line(7)
    assert copy.deepcopy(line) == copy.copy(line) == line
    with pytest.raises(TypeError):
        replace(line, z=1)


def test_a_row_is_no_tuple_to_those_who_use_it() -> None:
    assert Line(1) == Line(1, 2, {})
    assert Line(1) != Line(2)
    assert Line(1) != (1, 2, {})
    with pytest.raises(TypeError):
        list(Line(1))  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        sorted([Line(1), Line(2)])  # type: ignore[type-var]
