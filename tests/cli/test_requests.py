"""How often a command asks a registry: nothing twice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.fake_registry import FakeRegistry, fake_registry
from tests.support.objects import example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cli import Cli


@pytest.fixture
def remote() -> Iterator[FakeRegistry]:
    with fake_registry() as made:
        yield made


@pytest.fixture
def name(cli: Cli, remote: FakeRegistry) -> str:
    """An image for three platforms, in the registry alone."""
    for number, platform in enumerate(("le", "other", "third")):
        (cli.folder / f"{platform}.o").write_bytes(example("xdp_counter" if number != 1 else "xdp_pass"))
    name = f"{remote.host}/team/multi:v1"
    elsewhere = {"BPFIMG_STORE": str(cli.folder / "ci")}
    cli("build", "-t", name, "linux/amd64=le.o", "linux/arm64=other.o", "linux/riscv64=third.o", **elsewhere)
    cli("push", name, **elsewhere)
    remote.requests.clear()
    return name


@pytest.mark.parametrize(
    "words",
    [("lint",), ("inspect",), ("referrers",), ("check", "--btf", "/sys/kernel/btf/vmlinux")],
    ids=lambda w: w[0],
)
def test_looking_asks_for_nothing_twice(words: tuple[str, ...], cli: Cli, name: str, remote: FakeRegistry) -> None:
    done = cli.start(words[0], f"registry:{name}", *words[1:])
    done.communicate(timeout=60)
    assert remote.seen("manifests/v1") == ["GET /v2/team/multi/manifests/v1"]
    assert [line for line, count in Counter(remote.seen()).items() if count > 1] == []


def test_diff_of_one_registry(cli: Cli, name: str, remote: FakeRegistry) -> None:
    cli("diff", f"registry:{name}", f"registry:{name}")
    assert max(Counter(remote.seen()).values()) == 2  # once for each side


def test_a_pull_of_what_is_there_asks_by_head(cli: Cli, name: str, remote: FakeRegistry) -> None:
    cli("pull", name)
    first = remote.seen()
    assert sum("/blobs/" in line for line in first) == 2
    remote.requests.clear()
    cli("pull", name)
    assert [line for line in remote.seen() if "manifests/v1" in line] == ["HEAD /v2/team/multi/manifests/v1"]
    assert not remote.seen("/blobs/")
    # what is left is looking for signatures
    rest = [line for line in remote.seen()[1:] if not ("/referrers/" in line or line.endswith((".sig", ".att")))]
    assert rest == []


def test_missing_asks_for_nothing(cli: Cli, name: str, remote: FakeRegistry) -> None:
    cli("pull", name)
    remote.requests.clear()
    cli("pull", "--pull", "missing", name)
    assert remote.seen() == []


def test_from_one_repository_to_another_nothing_is_uploaded(cli: Cli, name: str, remote: FakeRegistry) -> None:
    remote.mounts = True
    cli("copy", f"registry:{name}", f"{remote.host}/team/other:v1")
    assert not [line for line in remote.seen() if line.startswith(("PUT", "PATCH")) and "/blobs/" in line]
    assert not [line for line in remote.seen() if line.startswith("GET") and "/blobs/" in line]
