"""Images of every variant through the commands: what is read, believed and opened does not ask for the variant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.oci import Layout, Platform, copy
from tests.support.artifacts import bee, gadget
from tests.support.objects import EXAMPLES, example

if TYPE_CHECKING:
    from tests.support.cli import Cli

SOURCE = str(EXAMPLES / "xdp_counter.bpf.c")


def test_an_artifact_is_signed_believed_and_opened_like_an_image(cli: Cli) -> None:
    cli("key", "generate", "k")
    digests = {}
    for variant in ("image", "artifact"):
        name = f"x.example/counter:{variant}"
        digests[variant] = cli("build", "-q", "-t", name, "--variant", variant, SOURCE).stdout.strip()
        cli("sign", "--key", "k.key", name)
        cli("load", "--dry-run", "-g", "sample=2", "--key", "k.pub", name)
    assert digests["image"] != digests["artifact"]
    seen: dict[str, Any] = {
        variant: json.loads(cli("inspect", f"x.example/counter:{variant}", "-o", "json").stdout) for variant in digests
    }
    assert seen["image"]["variant"] == "image"
    assert seen["artifact"]["variant"] == "artifact"
    for name in ("programs", "maps", "globals", "requirements", "object_digest", "findings"):
        assert seen["image"].get(name) == seen["artifact"].get(name), name
    assert seen["image"]["findings"] == []


@pytest.mark.parametrize(("variant", "make"), [("gadget", gadget), ("bee", bee)])
def test_peers_are_shown(variant: str, make: Any, cli: Cli) -> None:
    if Platform.host().architecture in ("s390x", "mips", "mips64", "ppc64"):
        pytest.skip("needs a little-endian machine")
    data = example("xdp_counter", target="bpfel")
    made = make(data)
    layout = Layout(cli.environ["BPFIMG_STORE"], made.memory.repository)
    copy(made.memory, made.descriptor.digest, layout, "v1")
    seen = cli.json("object", "inspect", f"{made.memory.repository}:v1")
    assert (seen["variant"], seen["findings"], seen["labels"]) == (variant, [], {})
    assert [program["name"] for program in seen["programs"]] == ["xdp_count"]
