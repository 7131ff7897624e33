"""What sharing must not give away: maps of another repository's application, live tables to a dry run, our records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg import load
from bpfimg.errors import KernelError, UsageError
from bpfimg.kernel import bpf
from bpfimg.load import maps, prepare
from tests.support.loads import TAG
from tests.support.maps import loaded, shared
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from bpfimg.load import Host, Load

pytestmark = pytest.mark.kernel

JUMPS = f"""
static long (*tail)(void *context, void *map, __u32 index) = (void *)12;
SEC("xdp") int {TAG}called(void *context) {{ return 1; }}
struct {{
	__uint(type, 3); __uint(max_entries, 2); __uint(key_size, 4); __uint(pinning, 1);
	__array(values, int (void *));
}} jumps SEC(".maps") = {{ .values = {{ [0] = (void *)&{TAG}called }} }};
SEC("xdp") int {TAG}caller(void *context) {{ tail(context, &jumps, 0); return 2; }}
char LICENSE[] SEC("license") = "GPL";
"""


def from_image(host: Host, reference: str, home: str) -> Load:
    """Loads `edge` from an image of that reference."""
    image = load.ImageRecord(reference, "sha256:0", "sha256:0", "policy", "rule")
    with prepare(shared(pinning=True), name="edge") as prepared, host.writer() as writer:
        prepared.share(host, "edge", home=home)
        prepared.load()
        return writer.load(prepared, load.Origin("edge", image))


def test_a_repository_of_the_same_last_word_gets_no_maps_of_the_application(host: Host) -> None:
    trusted, hostile = "registry.example:5000/trusted/edge", "registry.example:5000/hostile/edge"
    first = from_image(host, f"{trusted}:v1", f"{trusted}:v1")
    second = from_image(host, f"{trusted}@sha256:{'0' * 64}", f"{trusted}@sha256:{'0' * 64}")
    assert first.record is not None
    assert second.record is not None
    assert first.record.maps == second.record.maps
    with pytest.raises(UsageError, match=f"is that of load {first.id} from '{trusted}'") as caught:
        from_image(host, f"{hostile}:v1", f"{hostile}:v1")
    assert "--name edge says that they are one application" in caught.value.hint
    said = from_image(host, f"{hostile}:v1", "")  # whoever runs it gave the name
    assert said.record is not None
    assert said.record.maps == first.record.maps


@pytest.mark.parametrize("way", ["application", "map"])
def test_a_live_table_of_programs_is_not_filled_by_another(host: Host, way: str) -> None:
    """libbpf would fill it at load: before anything is attached, and whatever becomes of the rest."""
    data = compile_source(JUMPS)
    live = loaded(host, data, "edge")
    assert live.record is not None
    number = dict(live.record.maps)["jumps"]
    sharing = maps.Sharing(maps={"jumps": str(number)}) if way == "map" else None

    def jumps_to() -> bytes | None:
        with bpf.map_by_id(number) as fd:
            return bpf.map_lookup(fd, bytes(4), 4)

    before = jumps_to()
    assert before
    with (
        prepare(data, name="edge", sharing=sharing) as second,
        pytest.raises(UsageError, match="'jumps' is a table of programs that the object fills"),
    ):
        second.share(host, "edge")
    assert jumps_to() == before
    with prepare(data, name="other") as apart:  # another application has a table of its own
        apart.share(host, "other")
        apart.load()
    assert jumps_to() == before


def test_our_records_are_nobodys_maps(host: Host) -> None:
    known = loaded(host, shared(), "known")
    with bpf.get(f"{known.path}/record") as fd:
        number = bpf.map_info(fd).id
    for word in (str(number), f"{known.path}/record"):
        with (
            prepare(shared(), name="x", sharing=maps.Sharing(maps={"hits": word})) as prepared,
            pytest.raises(KernelError, match="is a record of bpfimg"),
        ):
            prepared.share(host, "x")
