"""The main job as a user types it: from a registry to counted packets, and every way to be refused."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.netns import skip_unless
from tests.support.objects import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import Cli
    from tests.support.netns import Namespace
    from tests.support.registry import Server

pytestmark = pytest.mark.kernel


def counted(pin: str) -> int:
    done = subprocess.run(["bpftool", "-j", "map", "dump", "pinned", pin], capture_output=True, text=True, check=True)
    value = json.loads(done.stdout)[0]["formatted"]["value"]
    return int(value["packets"] if isinstance(value, dict) else value)


def nothing_loaded(host: Cli) -> bool:
    return host.json("programs", "list")["programs"] == []


def test_one_command_from_registry_to_counting_packets(host: Cli, ready: str, network: Namespace) -> None:
    where = ("xdp", "-i", network.interface, "--netns", network.name)
    (program,) = host.json("programs", "run", "--key", "k.pub", ready, *where)["programs"]
    assert program["image"]["reference"] == ready
    assert program["image"]["signers"]
    assert [link["state"] for link in program["links"]] == ["attached"]
    pin = program["map_pins"]["counters"]
    assert counted(pin) == 0
    assert network.ping(5)
    assert counted(pin) == 5
    assert host.json("programs", "list")["programs"] == host.json("programs", "get", str(program["id"]))["programs"]
    assert host("list", "-q").stdout == f"{program['id']}\n"
    assert host.json("programs", "unload", "xdp_counter") == {
        "programs": [{"id": program["id"], "application": "xdp_counter"}]
    }
    assert nothing_loaded(host)
    assert network.ping(1)


def test_in_words(host: Cli, ready: str, network: Namespace) -> None:
    where = ("xdp", "-i", network.interface, "--netns", network.name)
    said = host("run", "--key", "k.pub", "-m", "team=edge", ready, *where).stdout
    for line in (
        "Program",
        "Kernel",
        "  application:",
        "  signer:",
        "  pull policy:",
        "  proceed-on:",
        "  translated size:",
    ):
        assert line in said
    head, row = host("list").stdout.splitlines()
    assert head.split() == ["ID", "APPLICATION", "PROGRAM", "TYPE", "ATTACHED", "IMAGE"]
    assert f"{network.interface} in {network.name}" in row
    assert len(host("list", "-l", "team=edge").stdout.splitlines()) == 2
    assert len(host("list", "-l", "team=core").stdout.splitlines()) == 1
    assert len(host("list", "--type", "sched_cls").stdout.splitlines()) == 1
    (link,) = host.json("links", "links")["links"]
    assert host("detach", str(link["id"])).stdout == f"{link['id']} (xdp_count was on xdp {network.interface})\n"
    assert host.json("links", "links")["links"] == []
    (link,) = host.json("links", "attach", "xdp_counter", *where, "--mode", "generic", "-m", "why=test")["links"]
    assert (link["used_mode"], link["metadata"]) == ("generic", {"why": "test"})
    assert host.json("links", "detach", str(link["id"]))["links"][0]["id"] == link["id"]
    host("unload", host("list", "-q").stdout.strip())
    assert nothing_loaded(host)


@pytest.mark.parametrize(
    ("name", "hook"), [("tc_counter", "tc"), ("tc_counter", "tcx"), ("tracepoint_counter", "tracepoint")]
)
def test_the_other_hooks(name: str, hook: str, host: Cli, network: Namespace) -> None:
    skip_unless(*(["tcx"] if hook == "tcx" else []))
    host("key", "generate", "k")
    host("build", "-t", f"localhost/{name}:v1", str(EXAMPLES / f"{name}.bpf.c"))
    host("sign", "--key", "k.key", f"localhost/{name}:v1")
    words = [hook, "-i", network.interface, "--netns", network.name, "-d", "ingress"]
    if hook == "tracepoint":
        from tests.support.netns import tracefs

        with tracefs():
            (program,) = host.json(
                "programs", "run", "--key", "k.pub", f"localhost/{name}:v1", hook, "syscalls/sys_enter_getpid"
            )["programs"]
    else:
        (program,) = host.json("programs", "run", "--key", "k.pub", f"localhost/{name}:v1", *words)["programs"]
        assert network.ping(3)
    assert program["links"][0]["hook"] == hook
    if hook != "tracepoint":
        assert counted(program["map_pins"]["counters"]) == 3
    host("unload", str(program["id"]))
    assert nothing_loaded(host)


def test_the_seed_lines(host: Cli, server: Server, network: Namespace) -> None:
    """The two lines with which this project's field began (with a registry that is there, and a key)."""
    name = f"{server.host}/bpfd-bytecode/xdp_pass:latest"
    host("key", "generate", "k")
    host("build", "-t", name, str(EXAMPLES / "xdp_pass.bpf.c"), "--push")
    host("sign", "--key", "k.key", name)
    host("push", name)
    host(
        "run",
        "--key",
        "k.pub",
        "--netns",
        network.name,
        "-g",
        "GLOBAL_u8=01",
        name,
        "xdp",
        "-i",
        network.interface,
        "-p",
        "100",
        expect=2,
    )
    where = ("--netns", network.name)
    (program,) = host.json(
        "programs",
        "run",
        "--key",
        "k.pub",
        "-g",
        "GLOBAL_u8=01",
        name,
        "xdp",
        "-i",
        network.interface,
        "-p",
        "100",
        *where,
    )["programs"]
    assert program["globals"] == {"GLOBAL_u8": "01"}
    assert program["links"][0]["priority"] == 100
    dump = subprocess.run(
        ["bpftool", "-j", "map", "dump", "pinned", program["map_pins"][".rodata"]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(dump.stdout)[0]["value"][0] == "0x01"
    host("unload", str(program["id"]))
    (program,) = host.json(
        "programs", "run", "--key", "k.pub", name, "xdp", "--iface", network.interface, "--priority", "100", *where
    )["programs"]
    host("unload", str(program["id"]))


def test_a_digest_is_as_good_as_a_tag(host: Cli, ready: str, network: Namespace) -> None:
    pinned = host("pull", ready).stdout.strip()
    by_digest = ready.rpartition(":")[0] + "@" + pinned.partition("@")[2]
    for store in ("fresh", "store"):
        host(
            "run",
            "--key",
            "k.pub",
            by_digest,
            "xdp",
            "-i",
            network.interface,
            "--netns",
            network.name,
            BPFIMG_STORE=str(host.folder / store),
        )
        host("unload", "xdp_counter")


def test_no_policy_nobody_is_believed(host: Cli, ready: str, network: Namespace) -> None:
    words = ("run", ready, "xdp", "-i", network.interface, "--netns", network.name)
    missing = str(host.folder / "policy.json")
    error = host.error(*words, "--policy", missing, expect=3)
    assert error["kind"] == "PolicyError"
    assert missing in error["hint"]
    assert "keyPaths" in error["hint"]
    assert "--key" in error["hint"]
    assert nothing_loaded(host)


def test_a_policy_file_says_whom(host: Cli, ready: str, network: Namespace) -> None:
    policy = host.folder / "policy.json"
    key = str(host.folder / "k.pub")
    document = {
        "version": 1,
        "default": "deny",
        "authorities": {"release": {"type": "key", "keyPaths": [key]}},
        "rules": [{"scope": ready.rpartition(":")[0], "requireAny": ["release"]}],
    }
    policy.write_text(json.dumps(document))
    words = ("run", "--policy", str(policy), ready, "xdp", "-i", network.interface, "--netns", network.name)
    (program,) = host.json("programs", *words)["programs"]
    assert program["image"]["policy"].startswith(str(policy))
    host("unload", str(program["id"]))
    document["rules"] = []
    policy.write_text(json.dumps(document))
    assert host.error(*words, expect=3)["kind"] == "VerificationError"
    policy.chmod(0o666)
    assert host.error(*words, expect=3)["kind"] == "PolicyError"
    assert nothing_loaded(host)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("what", ["layer", "config", "manifest", "signatures"])
def test_one_flipped_byte_in_the_registry(
    what: str, host: Cli, ready: str, fragile: Server, network: Namespace
) -> None:
    """A digest error, or nobody to believe: never a program."""
    digest = json.loads(host("images", "-o", "json", BPFIMG_STORE=str(host.folder / "ci")).stdout)["images"][0][
        "digest"
    ]
    manifest = json.loads(fragile.blob(digest).read_text())
    if what == "signatures":
        from bpfimg.oci import Digest, Reference, Registry

        repository = Reference.parse(ready).repository
        with Registry(repository) as registry:
            blobs = [
                registry.resolve(digest.replace(":", "-") + ".sig"),
                *registry.referrers(Digest.parse(digest)),
            ]
        for blob in blobs:
            document = json.loads(fragile.blob(blob.digest).read_text())
            flip(fragile.blob(document["layers"][0]["digest"]), 40)
    else:
        flipped = {
            "layer": manifest["layers"][0]["digest"],
            "config": manifest["config"]["digest"],
            "manifest": digest,
        }[what]
        flip(fragile.blob(flipped), 20)
    words = ("run", "--key", "k.pub", ready, "xdp", "-i", network.interface, "--netns", network.name)
    done = host.start(*words, "-o", "json")
    out, err = done.communicate(timeout=120)
    assert out == ""
    kind = json.loads(err)["error"]["kind"]
    assert (done.returncode, kind) in ((1, "DigestMismatch"), (3, "VerificationError")), err
    assert nothing_loaded(host)


@pytest.mark.parametrize("at", ["layer", "manifest", "signature"])
def test_one_flipped_byte_in_the_store(at: str, host: Cli, ready: str, network: Namespace) -> None:
    host("pull", ready)
    blobs = host.folder / "store" / "blobs" / "sha256"
    for path in blobs.iterdir():
        data = path.read_bytes()
        is_layer, is_manifest = data[:2] == b"\x1f\x8b", b'"layers"' in data
        if (
            (at == "layer" and is_layer)
            or (at == "manifest" and is_manifest)
            or (at == "signature" and b'"critical"' in data)
        ):
            flip(path, 30)
        if at == "signature" and b"dsseEnvelope" in data:
            flip(path, 60)
    words = ("run", "--pull", "never", "--key", "k.pub", ready, "xdp", "-i", network.interface, "--netns", network.name)
    done = host.start(*words)
    _, err = done.communicate(timeout=120)
    assert done.returncode == (3 if at == "signature" else 1), err
    assert nothing_loaded(host)


def test_another_key_another_image_unsigned(host: Cli, ready: str, server: Server, network: Namespace) -> None:
    host("key", "generate", "other")
    where = ("xdp", "-i", network.interface, "--netns", network.name)
    error = host.error("run", "--key", "other.pub", ready, *where, expect=3)
    assert error["reasons"]
    unsigned = f"{server.host}/unsigned/xdp_pass:v1"
    host("build", "-t", unsigned, str(EXAMPLES / "xdp_pass.bpf.c"), "--push")
    assert host.error("run", "--key", "k.pub", unsigned, *where, expect=3)["kind"] == "VerificationError"
    # the signature of a believed image, put where the signature of this one is looked for
    from bpfimg.oci import Reference, Registry

    mine, theirs = Reference.parse(unsigned), Reference.parse(ready)
    with Registry(mine.repository) as target, Registry(theirs.repository) as source:
        top, good = target.resolve("v1"), source.resolve("v1")
        legacy = source.resolve(str(good.digest).replace(":", "-") + ".sig")
        raw = source.fetch(legacy)
        document = json.loads(raw)
        for part in (document["config"], *document["layers"]):
            from bpfimg.oci import Descriptor

            descriptor = Descriptor.from_dict(part)
            target.push(descriptor, source.fetch(descriptor))
        target.push(legacy, raw)
        target.tag(legacy, str(top.digest).replace(":", "-") + ".sig")
    error = host.error("run", "--pull", "always", "--key", "k.pub", unsigned, *where, expect=3)
    assert any(str(good.digest) in reason for reason in error["reasons"]), error["reasons"]
    assert nothing_loaded(host)


def test_twenty_at_once(host: Cli, ready: str) -> None:
    """Twenty `run`s on twenty interfaces, then twenty `unload`s: all succeed, nothing is lost."""
    from contextlib import ExitStack

    from tests.support.netns import namespace

    with ExitStack() as stack:
        places = [stack.enter_context(namespace()) for _ in range(20)]
        host("pull", ready)
        words = ("run", "-q", "--key", "k.pub", ready, "xdp")
        running = [host.start(*words, "-i", each.interface, "--netns", each.name) for each in places]
        ids = []
        for each in running:
            out, err = each.communicate(timeout=120)
            assert each.returncode == 0, err
            ids.append(out.strip())
        assert sorted(host("list", "-q").stdout.split()) == sorted(ids)
        assert all(each.ping(1) for each in places)
        assert len(host.json("links", "links")["links"]) == 20
        # half of them go while as many come to the places that were never used
        fresh = [stack.enter_context(namespace()) for _ in range(10)]
        changes = [host.start("unload", number) for number in ids[:10]]
        changes += [host.start(*words, "-i", each.interface, "--netns", each.name) for each in fresh]
        for each in changes:
            out, err = each.communicate(timeout=120)
            assert each.returncode == 0, err
            ids.append(out.strip())
        kept = sorted(ids[10:20] + ids[30:])
        assert sorted(host("list", "-q").stdout.split()) == kept
        for each in [host.start("unload", number) for number in kept]:
            _, err = each.communicate(timeout=120)
            assert each.returncode == 0, err
        assert nothing_loaded(host)


def test_what_other_tools_loaded_is_listed(host: Cli, network: Namespace, tmp_path: Path) -> None:
    from tests.support.objects import example

    (tmp_path / "x.o").write_bytes(example("xdp_pass"))
    pin = f"{host.environ['BPFIMG_BPFFS']}/theirs"
    subprocess.run(["bpftool", "prog", "load", str(tmp_path / "x.o"), pin], check=True)
    (theirs,) = [
        p for p in host.json("programs", "list", "--all")["programs"] if any(pin in held for held in p["held_by"])
    ]
    assert theirs["managed"] is False
    assert theirs["image"] is None
    assert nothing_loaded(host)
    assert host.json("programs", "get", str(theirs["id"]))["programs"][0]["id"] == theirs["id"]
    (row,) = [line for line in host("list", "--all").stdout.splitlines() if line.startswith(f"{theirs['id']} ")]
    assert pin in row
