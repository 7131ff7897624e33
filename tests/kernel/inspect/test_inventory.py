"""Whatever runs in the kernel is in the inventory: where it is, who holds it, in what order, whoever attached it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg.cli._entries import link_entry, program_entries
from bpfimg.load import Host
from tests.support.cli import check
from tests.support.features import needs
from tests.support.zoo import LONG, zoo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.inspect import Inventory, LinkView
    from tests.support.zoo import Animal, Zoo

pytestmark = [pytest.mark.kernel, needs("bpffs", "xdp", "cgroup", "uprobe")]


@pytest.fixture(scope="module")
def animals() -> Iterator[Zoo]:
    with zoo() as found:
        yield found


@pytest.fixture(scope="module")
def seen(animals: Zoo) -> Inventory:
    return inspect.host(Host(animals.mount), all=True, maps=True, types=True)


def of(animal: Animal, seen: Inventory) -> list[LinkView]:
    return [view for view in seen.links if view.program_id == animal.program]


def test_each_attachment_is_there_once_with_where_it_is(animals: Zoo, seen: Inventory) -> None:
    assert len(animals.animals) >= 15
    for animal in animals.animals:
        views = of(animal, seen)
        assert len(views) == 1, (animal, views)
        (view,) = views
        assert (view.hook, view.how, view.state) == (animal.hook, animal.how, "attached"), (animal, view)
        assert all(word in view.target for word in animal.words), (animal, view.target)
        assert view.kernel_id == animal.link
        assert view.id is None
        if animal.position is not None:
            assert view.position == animal.position, (animal, view)


def test_programs_say_who_holds_them(animals: Zoo, seen: Inventory) -> None:
    import os

    views = {view.id: view for view in seen.programs}
    for animal in animals.animals:
        assert f"({os.getpid()})" in str(views[animal.program].held_by), animal
    pinned = [path for view in views.values() if view.id in animals.programs for path in view.held_by if path[0] == "/"]
    assert f"{animals.mount}/by_bpftool" in pinned


def test_names_are_in_full_where_types_say_them(animals: Zoo, seen: Inventory) -> None:
    (view,) = [view for view in seen.programs if view.name == LONG]
    assert view.id in animals.programs
    assert view.info is not None
    assert view.info.name == LONG[:15]


def test_entries_keep_to_their_schemas(seen: Inventory) -> None:
    check("programs", {"programs": program_entries(seen)})
    check("links", {"links": [link_entry(view) for view in seen.links]})


def test_nothing_is_left_unsaid(seen: Inventory) -> None:
    assert seen.unseen == ()
