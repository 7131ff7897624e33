"""What the writer makes, byte by byte against `spec/bytecode-image.md`: one test for each rule, named by it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from bpfimg import build
from bpfimg._value import replace
from bpfimg.bytecode import check_header
from bpfimg.errors import BytecodeError, ImageError, UsageError
from bpfimg.image import MACHINES, BytecodeImage, Description, Limits
from bpfimg.oci import Memory, Platform
from tests.support.objects import EXAMPLES, compile_source, example
from tests.support.strangers import AMD64, HOST_ELF, OBJECT, repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

OCI = "application/vnd.oci.image."


def image(data: bytes = OBJECT, **options: Any) -> BytecodeImage:
    return build.image(data, **{"file_name": "xdp_pass.bpf.o", "platform": AMD64, **options})


def parts(made: BytecodeImage) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """(manifest, config, layer) as another program sees them."""
    packed = made.pack()
    (_, config), (_, layer) = packed.blobs
    return json.loads(packed.manifest.raw), json.loads(config), layer


def test_bi_01_the_manifest_is_an_oci_image_manifest() -> None:
    manifest, _, _ = parts(image())
    assert manifest["schemaVersion"] == 2
    assert manifest["mediaType"] == OCI + "manifest.v1+json"
    assert set(manifest) == {"schemaVersion", "mediaType", "config", "layers"}
    assert "annotations" in parts(image(annotations={"a": "b"}))[0]


def test_bi_02_one_layer() -> None:
    assert len(parts(image())[0]["layers"]) == 1


def test_bi_03_bi_04_media_types() -> None:
    manifest, _, _ = parts(image())
    assert manifest["config"]["mediaType"] == OCI + "config.v1+json"
    assert manifest["layers"][0]["mediaType"] == OCI + "layer.v1.tar+gzip"


def test_bi_06_the_config_is_an_image_config() -> None:
    _, config, layer = parts(replace(image(created=86_400), description=Description()))
    assert config == {
        "created": "1970-01-02T00:00:00Z",
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": {"io.ebpf.maps": "{}", "io.ebpf.programs": '{"pass":"xdp"}'}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(gzip.decompress(layer)).hexdigest()}"]},
        "history": [{"created": "1970-01-02T00:00:00Z", "created_by": "bpfimg build"}],
    }
    assert parts(image(platform=Platform("linux", "arm", "v7")))[1]["variant"] == "v7"


def test_bi_09_the_layer_is_gzip_with_stored_blocks() -> None:
    for size in (0, 70_000, 200_000):
        made = replace(image(), bytecode=OBJECT + bytes(size))
        layer = parts(made)[2]
        assert layer[:10] == bytes.fromhex("1f8b08000000000000ff")
        position, archive, last = 10, b"", False
        while not last:
            last = layer[position] == 1
            assert layer[position] in (0, 1)
            length = int.from_bytes(layer[position + 1 : position + 3], "little")
            assert int.from_bytes(layer[position + 3 : position + 5], "little") == length ^ 0xFFFF
            assert length == 65535 or last
            archive += layer[position + 5 : position + 5 + length]
            position += 5 + length
        assert len(layer) - position == 8
        assert gzip.decompress(layer) == archive


def test_bi_13_the_archive_holds_the_object_alone() -> None:
    archive = gzip.decompress(parts(image(created=0o1234567))[2])
    header = bytearray(archive[:512])
    assert bytes(header[:100]) == b"xdp_pass.bpf.o".ljust(100, b"\0")
    assert bytes(header[100:124]) == b"0000644\0" + b"0000000\0" * 2
    assert bytes(header[124:136]) == b"%011o\0" % len(OBJECT)
    assert bytes(header[136:148]) == b"00001234567\0"
    stated = bytes(header[148:156])
    header[148:156] = b" " * 8
    assert stated == b"%06o\0 " % sum(header)
    assert bytes(header[156:]) == b"0" + bytes(100) + b"ustar\x0000" + bytes(247)
    assert archive[512 : 512 + len(OBJECT)] == OBJECT
    assert archive[512 + len(OBJECT) :] == bytes(-len(OBJECT) % 512 + 1024)


def test_bi_14_file_names() -> None:
    pattern = re.compile(re.search(r"matches `(.+)`", rule(14))[1])  # type: ignore[index]
    for name in (
        "a.o",
        "xdp_pass.bpf.o",
        "a b.o",
        ".a.o",
        "-a.o",
        "a",
        "a/b.o",
        "x" * 96 + ".o",
        "x" * 97 + ".o",
        "a.o\n",
    ):
        if pattern.fullmatch(name):
            assert image(file_name=name).file_name == name
        else:
            with pytest.raises(UsageError, match="BI-14"):
                image(file_name=name)


def rule(number: int) -> str:
    from tests.support.strangers import SPEC

    found = re.search(rf"^\* \*\*BI-{number}\*\* .*?(?=^$|^\* )", SPEC.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return found[0]


@pytest.mark.parametrize("data", [b"", b"text", HOST_ELF, OBJECT[:63], OBJECT[:16] + b"\3" + OBJECT[17:]])
def test_bi_16_only_objects_are_packed(data: bytes) -> None:
    with pytest.raises(BytecodeError):
        image(data)


def test_bi_17_both_labels_hold_json_of_strings() -> None:
    labels = parts(image(example("xdp_counter")))[1]["config"]["Labels"]
    for name in ("io.ebpf.programs", "io.ebpf.maps"):
        value = json.loads(labels[name])
        assert value
        assert all(isinstance(word, str) for word in value.values())
        assert labels[name] == json.dumps(dict(sorted(value.items())), separators=(",", ":"))
    assert parts(image())[1]["config"]["Labels"]["io.ebpf.maps"] == "{}"


def test_bi_18_every_program_is_named_with_the_word_of_its_section() -> None:
    words = {
        "xdp": "xdp", "xdp.frags": "xdp", "?xdp": "xdp", "tc": "tc", "classifier": "tc", "tc/ingress": "tc",
        "tcx/egress": "tcx", "tp/a/b": "tracepoint", "tracepoint/a/b": "tracepoint", "kprobe/f": "kprobe",
        "kprobe.multi/f*": "kprobe", "kretprobe/f": "kretprobe", "uprobe/a:b": "uprobe", "uretprobe.s/a:b": "uretprobe",
        "uprobe.multi/a:b": "uprobe", "fentry/f": "fentry", "fentry.s/f": "fentry", "fexit/f": "fexit", "lsm/f": "lsm",
        "lsm.s/f": "lsm", "tp_btf/f": "tracing", "raw_tp/f": "raw_tracepoint", "iter/task": "tracing", "socket":
        "socket_filter", "cgroup/connect6": "cgroup_sock_addr", "sockops": "sock_ops", "sk_lookup": "sk_lookup",
        "freplace/f": "ext", "perf_event": "perf_event", "syscall": "syscall", "nobody/knows": "unspec",
    }  # fmt: skip
    source = "".join(f'SEC("{name}") int p{n}(void *c) {{ return 0; }}\n' for n, name in enumerate(words))
    made = image(compile_source(source + 'char LICENSE[] SEC("license") = "GPL";'))
    assert made.labels.programs == dict(sorted((f"p{n}", word) for n, word in enumerate(words.values())))


def test_bi_19_every_map_but_global_data_is_named() -> None:
    listed = re.search(r"The types are `(.+?)`", rule(19), re.DOTALL)
    assert listed
    kinds = listed[1].split()
    assert len(kinds) == 33
    skipped = {
        "prog_array",
        "array_of_maps",
        "hash_of_maps",
        "struct_ops",
        "arena",
    }  # need more than numbers to declare
    source = "".join(
        f'struct {{ __uint(type, {n}); __uint(key_size, 4); __uint(value_size, 4); }} m{n} SEC(".maps");\n'
        for n, kind in enumerate(kinds, 1)
        if kind not in skipped
    )
    source += """
volatile const int a = 1; int b = 2; int c; int d SEC(".data.own") = 3;
extern int CONFIG_HZ SEC(".kconfig") __attribute__((weak));
"""
    source += 'SEC("xdp") int p(void *x) { c = a + b + d + CONFIG_HZ; return 2; }'
    made = image(compile_source(source))
    assert made.labels.maps == {f"m{n}": kind for n, kind in enumerate(kinds, 1) if kind not in skipped}


def test_bi_20_labels_are_of_the_object_in_that_image() -> None:
    xdp, tc = example("xdp_counter"), example("tc_counter")
    memory = Memory(repository())
    both = [image(xdp), image(tc, platform=Platform("linux", "arm64"))]
    top = build.store(both, memory)
    for platform, data in ((AMD64, xdp), (Platform("linux", "arm64"), tc)):
        found = BytecodeImage.fetch(memory, top, platform)
        assert found.bytecode == data
        assert found.check() == ()
    for name in ("io.ebpf.programs", "io.ebpf.maps", "io.ebpf.anything"):
        with pytest.raises(UsageError, match="BI-20"):
            image(labels={name: "{}"}).pack()
    assert parts(image(labels={"io.ebp": "free"}))[1]["config"]["Labels"]["io.ebp"] == "free"


def test_bi_24_platforms_are_those_of_linux_in_gos_words() -> None:
    little, big = (words.split() for words in re.findall(r"endian `([^`]+)`", rule(24)))
    assert {name: row[0] for name, row in MACHINES.items()} == dict.fromkeys(little, "little") | dict.fromkeys(
        big, "big"
    )
    for name in ("bpf", "bpfel", "bpfeb", "x86_64", "aarch64", ""):
        with pytest.raises(ImageError, match="BI-24"):
            image(platform=Platform("linux", name))
    with pytest.raises(ImageError, match="BI-24"):
        image(platform=Platform("windows", "amd64"))


def test_bi_25_byte_order_fits_each_platform() -> None:
    big = compile_source('SEC("xdp") int p(void *c) { return 2; }', target="bpfeb")
    for name, (order, *_) in MACHINES.items():
        platform = Platform("linux", name)
        good, bad = (OBJECT, big) if order == "little" else (big, OBJECT)
        assert check_header(image(good, platform=platform).bytecode) == order
        with pytest.raises(ImageError, match="BI-25"):
            image(bad, platform=platform)


def test_bi_27_nothing_beyond_the_limits_is_written() -> None:
    with pytest.raises(ImageError, match="BI-27"):
        image(limits=Limits(object=len(OBJECT) - 1))
    with pytest.raises(ImageError, match="BI-27"):
        image(labels={"a": "a" * (4 << 20)}).pack()
    with pytest.raises(ImageError, match="BI-27"):
        replace(image(), bytecode=OBJECT + bytes(64 << 20)).pack()


def test_bi_28_one_is_a_manifest_several_are_an_index() -> None:
    memory = Memory(repository())
    arm = Platform("linux", "arm", "v7")
    assert build.store([image()], memory) == image().pack().manifest.descriptor
    top = build.store([image(platform=Platform("linux", "riscv64")), image(platform=arm), image()], memory)
    index = json.loads(memory.fetch(top))
    assert index["mediaType"] == top.media_type == OCI + "index.v1+json"
    assert [entry["platform"] for entry in index["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm", "os": "linux", "variant": "v7"},
        {"architecture": "riscv64", "os": "linux"},
    ]
    with pytest.raises(UsageError, match="BI-28"):
        build.store([image(), image()], memory)


def test_bi_29_what_names_comes_after_what_is_named() -> None:
    order: list[str] = []

    class Watched(Memory):
        def push(self, descriptor: Any, data: bytes, *, tag: str | None = None) -> None:
            super().push(descriptor, data, tag=tag)
            order.append(str(descriptor.digest))

        def tag(self, descriptor: Any, tag: str) -> None:
            super().tag(descriptor, tag)
            order.append(tag)

    memory = Watched(repository())
    both = [image(), image(platform=Platform("linux", "arm64"))]
    top = build.store(both, memory, "v1")
    assert order[-2:] == [str(top.digest), "v1"]
    for made in both:
        packed = made.pack()
        manifest = order.index(str(packed.manifest.descriptor.digest))
        assert all(order.index(str(descriptor.digest)) < manifest for descriptor, _ in packed.blobs)


BUILD = """
import sys
from bpfimg import build
from bpfimg.oci import Platform
data = open("xdp_pass.bpf.o", "rb").read()
made = build.image(data, file_name="xdp_pass.bpf.o", platform=Platform("linux", "amd64"), labels={"b": "1", "a": "2"})
print(made.pack().manifest.descriptor.digest)
"""


def test_bi_31_same_input_same_digest(tmp_path: Path) -> None:
    digests = set()
    surroundings = [
        ("UTC", "C", "0", 0o022),
        ("Asia/Tokyo", "tr_TR.UTF-8", "1", 0o077),
        ("America/New_York", "C.UTF-8", "2", 0),
    ]
    for number, (zone, locale, seed, mask) in enumerate(surroundings):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "xdp_pass.bpf.o").write_bytes(OBJECT)
        os.utime(folder / "xdp_pass.bpf.o", (number * 10**8, number * 10**8))
        environment = {
            "TZ": zone,
            "LC_ALL": locale,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.getcwd(),
            "HOME": str(folder),
        }
        done = subprocess.run(
            [sys.executable, "-c", BUILD],
            cwd=folder,
            env=environment,
            umask=mask,
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout)
    assert len(digests) == 1
    assert digests == {f"{image(labels={'a': '2', 'b': '1'}).pack().manifest.descriptor.digest}\n"}


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern.replace("HEX", "[0-9a-f]{64}"), text) is not None


def test_bi_32_json_has_one_form() -> None:
    made = image(labels={"z": 'ü"\\\n\x7f\U0001f41d', "a": "/<>&"}, annotations={"z": "ü", "a": "1"})
    packed = replace(made, description=Description()).pack()
    config = packed.blobs[0][1]
    assert config.startswith(
        b'{"created":"1970-01-01T00:00:00Z","architecture":"amd64","os":"linux","config":{"Labels":{"a":"/<>&","io.ebpf.maps":"{}",'
    )
    assert b'"z":"\\u00fc\\"\\\\\\n\\u007f\\ud83d\\udc1d"}},"rootfs":{"type":"layers","diff_ids":["sha256:' in config
    assert config.endswith(b'"]},"history":[{"created":"1970-01-01T00:00:00Z","created_by":"bpfimg build"}]}')
    manifest = packed.manifest.raw.decode()
    assert matches(
        r'\{"schemaVersion":2,"mediaType":"[^"]+","config":\{"mediaType":"[^"]+","digest":"sha256:HEX","size":\d+\},'
        r'"layers":\[\{"mediaType":"[^"]+","digest":"sha256:HEX","size":\d+\}\],"annotations":\{"a":"1","z":"ü"\}\}',
        manifest,
    )
    memory = Memory(repository())
    top = build.store([image(), image(platform=Platform("linux", "arm", "v6"))], memory)
    assert matches(
        r'\{"schemaVersion":2,"mediaType":"[^"]+","manifests":\[\{"mediaType":"[^"]+","digest":"sha256:HEX","size":\d+,'
        r'"platform":\{"architecture":"amd64","os":"linux"\}\},\{"mediaType":"[^"]+","digest":"sha256:HEX","size":\d+,'
        r'"platform":\{"architecture":"arm","os":"linux","variant":"v6"\}\}\]\}',
        memory.fetch(top).decode(),
    )


def test_bi_33_the_time_is_given_or_zero() -> None:
    assert parts(image())[1]["created"] == "1970-01-01T00:00:00Z"
    manifest, config, layer = parts(image(created=1_700_000_000))
    assert config["created"] == config["history"][0]["created"] == "2023-11-14T22:13:20Z"
    assert gzip.decompress(layer)[136:148] == b"%011o\0" % 1_700_000_000
    assert "annotations" not in manifest


def test_bi_34_an_object_from_c_does_not_depend_on_its_folder(tmp_path: Path) -> None:
    source = (EXAMPLES / "xdp_counter.bpf.c").read_text()
    objects = set()
    for name in ("one", "another folder/deeper"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "prog.bpf.c").write_text(source + "\nvolatile const char where[] = __FILE__;\n")
        compile_source("int x;")  # says by name what is missing where there is no compiler
        objects.add(build.compile_c(str(tmp_path / name / "prog.bpf.c"), arch="amd64"))
    assert len(objects) == 1
    (obj,) = objects
    assert str(tmp_path).encode() not in obj
    assert b"./prog.bpf.c" in obj
    assert b".BTF\0" in obj
    assert b".BTF.ext\0" in obj
    assert b".debug_" not in obj


def test_bi_36_the_user_is_told_of_objects_that_bpfman_refuses() -> None:
    at_most = image(OBJECT + bytes((16 << 20) - len(OBJECT)))
    assert at_most.check() == ()
    (finding,) = replace(at_most, bytecode=at_most.bytecode + b"\0").check()
    assert (finding.rule, finding.message) == ("BI-36", "the object has 16777217 bytes, bpfman takes at most 16777216")
