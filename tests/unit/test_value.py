"""The cheap values behave as frozen dataclasses do, wherever anybody relies on it."""

from __future__ import annotations

import dataclasses

import pytest

from bpfimg._value import replace, value


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
