"""An image as `inspect` sees it: which platform, and what it says that its object does not bear out."""

from __future__ import annotations

import pytest

from bpfimg._value import replace
from bpfimg.bytecode import dissect
from bpfimg.errors import ImageError
from bpfimg.image import BytecodeImage, Description, Labels
from bpfimg.inspect import image
from bpfimg.oci import Index, Memory, Platform, Repository
from tests.support.artifacts import bee
from tests.support.objects import example

AMD64, ARM64, S390X = (Platform("linux", word) for word in ("amd64", "arm64", "s390x"))


def made(platform: Platform, labels: Labels | None = None) -> BytecodeImage:
    data = example("xdp_counter", target="bpfeb" if platform == S390X else "bpfel")
    found = dissect(data)
    return BytecodeImage(
        data, labels or Labels.of(found.object), platform, "xdp_counter.bpf.o", description=Description.of(found)
    )


def stored(store: Memory, *images: BytecodeImage) -> Index:
    entries = []
    for each in images:
        packed = each.pack()
        for descriptor, content in packed.blobs:
            store.push(descriptor, content)
        store.push(packed.manifest.descriptor, packed.manifest.raw)
        entries.append(replace(packed.manifest.descriptor, platform=each.platform))
    index = Index.build(entries)
    store.push(index.descriptor, index.raw)
    return index


def test_the_wanted_platform_then_this_machine_then_the_first() -> None:
    store = Memory(Repository("example.test", "x/prog"))
    index = stored(store, made(ARM64), made(S390X)).descriptor
    assert image(store, index, S390X, AMD64).image.platform == S390X
    assert image(store, index, None, S390X).image.platform == S390X
    seen = image(store, index, None, AMD64)
    assert seen.image.platform == ARM64
    assert seen.platforms == (ARM64, S390X)
    assert seen.findings == ()
    assert seen.head()["platforms"] == ["linux/arm64", "linux/s390x"]


def test_a_platform_that_is_not_there_is_answered_with_those_that_are() -> None:
    store = Memory(Repository("example.test", "x/prog"))
    index = stored(store, made(ARM64), made(S390X))
    with pytest.raises(ImageError, match="linux/arm64, linux/s390x"):
        image(store, index.descriptor, AMD64, AMD64)
    with pytest.raises(ImageError, match="the image is for linux/s390x alone, expected one for linux/amd64"):
        image(store, index.manifests[1], AMD64, AMD64)


def test_a_peers_artifact_is_for_whom_it_is_asked() -> None:
    found = bee()
    assert image(found.memory, found.descriptor, ARM64, AMD64).platforms == (ARM64,)
    assert image(found.memory, found.descriptor, None, AMD64).image.variant == "bee"
    with pytest.raises(ImageError, match="BI-25"):
        image(found.memory, found.descriptor, S390X, AMD64)


@pytest.mark.parametrize("here", [AMD64, S390X], ids=str)
@pytest.mark.parametrize("platform", [ARM64, S390X], ids=str)
def test_an_image_without_index_is_shown_on_any_machine(platform: Platform, here: Platform) -> None:
    store = Memory(Repository("example.test", "x/prog"))
    (entry,) = stored(store, made(platform)).manifests
    seen = image(store, replace(entry, platform=None), None, here)
    assert (seen.image.platform, seen.platforms) == (platform, (platform,))


def test_what_the_labels_say_and_the_object_does_not() -> None:
    store = Memory(Repository("example.test", "x/prog"))
    index = stored(store, made(AMD64, Labels({"xdp_count": "tc"}, {"counters": "array"})))
    head = image(store, index.descriptor, None, AMD64).head()
    assert [found["rule"] for found in head["findings"]] == ["BI-22"]  # type: ignore[attr-defined]
    assert head["labels"]["io.ebpf.programs"] == '{"xdp_count":"tc"}'  # type: ignore[index]
    assert "dev.bpfimg.programs" in head["labels"]  # type: ignore[operator]
