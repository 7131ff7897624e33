"""Whatever bytes arrive: an image, or an `ImageError` with a rule, or a `BytecodeError`. Nothing else, and soon."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bpfimg._value import replace
from bpfimg.errors import BytecodeError, ImageError
from bpfimg.image import Description, Labels
from bpfimg.image._gunzip import gunzip
from bpfimg.image._layer import gzip_stored, tar_of
from bpfimg.image._tar import regular_files
from tests.support.artifacts import document, ours
from tests.support.strangers import OBJECT, SMALL, Stranger
from tests.support.tars import archive, entry, gzipped, pax

TAR = tar_of("a.o", OBJECT, modified=0)
RICH = archive(pax(path="b.o"), entry("a.o", b"x" * 20), entry("L", b"c.o\0", kind=b"L"), entry("x", b"y"), end=b"")
many = settings(max_examples=300)

changes = st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=12), st.integers(0, 12)), max_size=4)


def changed(content: bytes, edits: list[tuple[int, bytes, int]]) -> bytes:
    for position, new, old in edits:
        at = position % (len(content) + 1)
        content = content[:at] + new + content[at + old :]
    return content


def ends_well(call: object) -> None:
    assert callable(call)
    said: list[ImageError] = []
    try:
        call()
    except ImageError as error:
        said.append(error)
    for found in said:
        assert found.rules
        assert str(found).isprintable()
        assert len(str(found)) < 600


@many
@given(st.binary(max_size=2000) | st.builds(changed, st.sampled_from([gzipped(TAR), gzip_stored(TAR)]), changes))
def test_gunzip(data: bytes) -> None:
    ends_well(lambda: gunzip(data, limits=SMALL))


@many
@given(st.builds(changed, st.sampled_from([TAR, RICH, b""]), changes))
def test_tar(data: bytes) -> None:
    ends_well(lambda: regular_files(data, limits=SMALL))


@many
@given(st.builds(changed, st.sampled_from([TAR, RICH]), changes))
def test_layers(data: bytes) -> None:
    with contextlib.suppress(BytecodeError):
        ends_well(Stranger(data).fetch)


@many
@given(st.binary(max_size=200) | st.builds(changed, st.just(Stranger.config()), changes))
def test_configs(data: bytes) -> None:
    ends_well(lambda: Labels.from_config(data, limits=SMALL))
    ends_well(Stranger(raw_config=data).fetch)


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@many
@given(values)
def test_label_values(value: object) -> None:
    labels = {"io.ebpf.programs": json.dumps(value), "io.ebpf.maps": value}
    ends_well(Stranger(labels=labels).fetch)
    ends_well(Stranger(labels={"io.ebpf.programs": json.dumps(value)}).fetch)
    ends_well(Stranger(config={"config": value, "rootfs": value}).fetch)


PARTS = ("programs", "maps", "globals", "requires", "btf", "license", "byte-order", "toolchain", "omitted", "future")
NAMED = st.fixed_dictionaries({"name": values}, optional={"type": values, "inner": values, "helpers": values})
stated = st.dictionaries(st.sampled_from(PARTS), values | st.lists(NAMED, max_size=3), max_size=4)


@many
@given(stated, st.sampled_from(["1", "1", "2", ""]))
def test_descriptions_in_labels(parts: dict[str, object], schema: str) -> None:
    labels = {f"dev.bpfimg.{name}": part if isinstance(part, str) else json.dumps(part) for name, part in parts.items()}
    image = Stranger(labels={**labels, "dev.bpfimg.schema": schema}).fetch()
    for finding in image.check():
        assert str(finding).isprintable()
        assert finding.about.isprintable()
        assert len(str(finding)) < 600
    assert Description.from_labels(image.description.to_labels()) == image.description
    ends_well(replace(image, variant="artifact", created="1970-01-01T00:00:00Z").pack)


@many
@given(st.binary(max_size=200) | st.builds(changed, st.just(json.dumps(document()).encode()), changes))
def test_documents(data: bytes) -> None:
    ends_well(ours(raw=data).fetch)


@many
@given(stated, st.dictionaries(st.sampled_from(["schemaVersion", "object", "os", "architecture", "created"]), values))
def test_members_of_documents(parts: dict[str, Any], head: dict[str, Any]) -> None:
    ends_well(ours(**parts, **head).fetch)
    with contextlib.suppress(ImageError):
        image = ours(**parts).fetch()
        assert all(str(finding).isprintable() for finding in image.check())
