"""One command that goes to a registry, once: where it is run, what it asks, how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING

from bpfimg._value import replace
from bpfimg.errors import Error
from bpfimg.oci import Descriptor, Layout, Memory, Registry, Repository, places
from tests.support.faulty.goods import NAME, TAG, Goods

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bpfimg.oci import Target
    from tests.support.fake_registry import FakeRegistry

LIMITS = places.Limits(document=128 << 10)
OPTIONS = places.RegistryOptions(
    waits=(0.0, 0.0, 0.0), patience=3.0, connect=0.5, silence=0.3, grace=0.5, limits=LIMITS
)
USER, PASSWORD = "me", "secret"
HANGS = 30.0
"""Seconds after which a command that is bound to a few hangs."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request of an errand: its name, and how it is recognised."""

    name: str
    where: str
    """Words that its METHOD and PATH contain, blanks between them."""
    skip: int = 0
    evidence: bool = False
    """Asks what there is about an image."""
    maybe: bool = False
    """Not always made, so no fault is tried on it."""

    @property
    def sends(self) -> bool:
        return self.where.startswith(("PUT ", "PATCH ", "POST ", "DELETE "))

    @property
    def names(self) -> bool:
        """Makes a manifest be there, or not."""
        return self.sends and "/manifests/" in self.where

    @property
    def reads(self) -> bool:
        return self.where.startswith("GET ")


@dataclass(frozen=True, slots=True)
class Scene:
    """Where one errand is run, once."""

    fake: FakeRegistry
    folder: Path
    goods: Goods
    said: list[str] = field(default_factory=list)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def local(self) -> Layout:
        return Layout(str(self.store), Repository(self.fake.host, NAME), short_names=False)

    def options(self, **more: object) -> places.RegistryOptions:
        """Those of somebody who knows how to log in."""
        return replace(OPTIONS, warn=self.said.append, **more)

    def remote(self, name: str = NAME, **more: object) -> Registry:
        """A repository of the registry."""
        options = self.options(username=USER, password=PASSWORD, **more)
        return Registry(Repository(self.fake.host, name), options)


@dataclass(frozen=True, slots=True)
class Errand:
    """A command: how the scene is set, what is done, what must hold afterwards."""

    name: str
    goods: Goods
    asks: tuple[Ask, ...]
    prepare: Callable[[Scene], None]
    run: Callable[[Scene], object]
    check: Callable[[Scene], str]
    """Returns the digest that the tag names at the target."""
    faults: str = ""
    """The names of those that are tried, blanks between them; "" for all."""
    always: bool = False
    """It comes through whatever goes wrong."""
    once: bool = False
    """What was done cannot be done again."""

    def go(self, scene: Scene) -> Error | None:
        """Runs it within its deadline; returns the error with which it ended."""
        ended: list[BaseException | None] = []

        def run() -> None:
            try:
                self.run(scene)
            except BaseException as error:  # noqa: BLE001 - looked at below, in the thread of the test
                ended.append(error)
            else:
                ended.append(None)

        thread = Thread(target=run, daemon=True)
        thread.start()
        thread.join(HANGS)
        if not ended:
            scene.fake.hang_up()
            thread.join(HANGS)
            raise AssertionError("it hangs")
        if ended[0] is None or isinstance(ended[0], Error):
            return ended[0]
        raise ended[0]


def in_memory(goods: Goods, repository: Repository) -> Memory:
    """The same in memory."""
    found = Memory(repository)
    fill(found, goods)
    return found


def fill(target: Target, goods: Goods) -> None:
    """Pushes goods: content, then manifests, then indexes and what refers to them."""
    for content in goods.blobs.values():
        target.push(Descriptor.of(content, "application/octet-stream"), content)
    for media_type, raw in sorted(goods.documents.values(), key=lambda document: "index" in document[0]):
        target.push(Descriptor.of(raw, media_type), raw)
    for tag, digest in {**goods.tags, TAG: goods.top}.items():
        media_type, raw = goods.documents[digest]
        target.tag(Descriptor.of(raw, media_type), tag)
