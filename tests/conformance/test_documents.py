"""The spec against its tests, its worked example and its schemas."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from bpfimg import build
from bpfimg._value import replace
from bpfimg.bytecode import check_header, parse
from bpfimg.bytecode._map_types import MAP_TYPES
from bpfimg.bytecode._sections import PROGRAM_TYPES
from bpfimg.image import MACHINES
from bpfimg.oci import Digest, Memory, Platform
from tests.support.corpus import compiled
from tests.support.objects import EXAMPLES, example
from tests.support.strangers import OBJECT, SPEC, repository

HERE = Path(__file__).parent
SCHEMAS = HERE.parents[1] / "schemas"
RULE = re.compile(r"^\* \*\*BI-(\d+)\*\* \((writer|reader|both), (MUST|SHOULD)\) ", re.MULTILINE)


#: where the tests of rules are, by whom the rules bind
WRITER = (
    "test_writer.py",
    "test_description_writer.py",
    "test_artifact_writer.py",
    "test_referrers_writer.py",
    "test_everywhere.py",
)
READER = ("test_reader.py", "test_description_reader.py", "test_artifact_reader.py", "test_referrers_reader.py")


def rules_in(*files: str) -> set[int]:
    texts = [(HERE / file).read_text() for file in files]
    names: list[str] = [name for text in texts for name in re.findall(r"^def (test_bi_\w+)", text, re.MULTILINE)]
    return {int(number) for name in names for number in re.findall(r"bi_(\d+)", name)}


def test_every_rule_has_a_test() -> None:
    rules = [(int(number), whom) for number, whom, _ in RULE.findall(SPEC.read_text())]
    writer = {number for number, whom in rules if whom in ("writer", "both")}
    reader = {number for number, whom in rules if whom in ("reader", "both")}
    assert rules_in(*WRITER) == writer
    assert rules_in(*READER) == reader


def test_rules_are_numbered_in_order_and_all_are_seen() -> None:
    text = SPEC.read_text()
    numbers = [int(number) for number, _, _ in RULE.findall(text)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == len(re.findall(r"\*\*BI-\d+\*\*", text))


def test_every_rule_that_the_code_names_is_in_the_spec() -> None:
    numbers = {int(number) for number, _, _ in RULE.findall(SPEC.read_text())}
    for file in [*Path("bpfimg/image").glob("*.py"), *Path("bpfimg/build").glob("*.py")]:
        named = {int(number) for number in re.findall(r"BI-(\d+)", file.read_text())}
        assert named <= numbers, file


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)\n```", SPEC.read_text(), re.DOTALL)


def example_made() -> tuple[dict[str, tuple[int, Digest]], list[str]]:
    """The figures of the worked examples by the words of their tables, and the JSON documents in their order."""
    platforms = [Platform("linux", name) for name in ("amd64", "arm64")]
    images = [build.image(OBJECT, file_name="xdp_pass.bpf.o", platform=platform) for platform in platforms]
    artifacts = [replace(image, variant="artifact") for image in images]
    memory = Memory(repository())
    made = {"object": (len(OBJECT), Digest.of(OBJECT))}
    texts: list[str] = []
    for platform, image in zip(platforms, images, strict=True):
        packed = image.pack()
        (config, raw_config), (layer, raw_layer) = packed.blobs
        diff_id = json.loads(raw_config)["rootfs"]["diff_ids"][0]
        made["archive (`diff_ids`)"] = (len(raw_layer) - 23, Digest.parse(diff_id))
        made["layer"] = _line(layer)
        made |= {f"config, `{platform}`": _line(config), f"manifest, `{platform}`": _line(packed.manifest.descriptor)}
        texts += [raw_config.decode(), packed.manifest.raw.decode()] if not texts else []
    made["index of both"] = _line(build.store(images, memory))
    for platform, image in zip(platforms, artifacts, strict=True):
        packed = image.pack()
        empty = image.pack(empty_config=True)
        document, raw = packed.blobs[0]
        made |= {
            f"document, `{platform}`": _line(document),
            f"artifact, `{platform}`": _line(packed.manifest.descriptor),
            f"artifact with the empty config, `{platform}`": _line(empty.manifest.descriptor),
        }
        texts += [raw.decode(), packed.manifest.raw.decode()] if len(texts) == 2 else []
    made["index of both artifacts"] = _line(build.store(artifacts, memory))
    return made, texts


def test_the_worked_examples() -> None:
    made, texts = example_made()
    rows = re.findall(r"^\| (.+?) \| (\d+) \| `(sha256:[0-9a-f]{64})` \|$", SPEC.read_text(), re.MULTILINE)
    assert {name: (int(size), Digest.parse(digest)) for name, size, digest in rows} == made
    assert blocks("json") == texts


def _line(descriptor: Any) -> tuple[int, Digest]:
    return descriptor.size, descriptor.digest


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.name)
def test_schemas_are_schemas(path: Path) -> None:
    schema = json.loads(path.read_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert path.name.endswith(".schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)


LABELS = json.loads((SCHEMAS / "labels.schema.json").read_text())
DOCUMENT = json.loads((SCHEMAS / "artifact-config.schema.json").read_text())
_KNOWN: Registry[Any] = Registry().with_resources(
    (each["$id"], Resource.from_contents(each)) for each in (LABELS, DOCUMENT)
)


def faults(value: Any, schema: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(schema, registry=_KNOWN).iter_errors(value)]


def label_faults(labels: Any) -> list[str]:
    """The labels by the schema, and what the strings hold by the schemas named there."""
    found = faults(labels, LABELS)
    for name, schema in LABELS["properties"].items():
        if "contentSchema" in schema and name in labels:
            inner = {"$ref": f"{LABELS['$id']}{schema['contentSchema']['$ref']}"}
            found += faults(json.loads(labels[name]), inner)
    return found


def valid(labels: Any) -> bool:
    return not label_faults(labels)


def both_forms(data: bytes, platform: Platform) -> tuple[dict[str, str], dict[str, Any]]:
    """The labels and the config document of an image."""
    made = build.image(data, file_name="a.bpf.o", platform=platform, toolchain={"compiler": "clang"})
    labels: dict[str, str] = json.loads(made.pack().blobs[0][1])["config"]["Labels"]
    document: dict[str, Any] = json.loads(replace(made, variant="artifact").pack().blobs[0][1])
    return labels, document


def test_every_object_of_the_corpus_is_described_by_the_schemas() -> None:
    samples = [sample for sample in compiled() if not any(item.legacy for item in parse(sample.data).maps)]
    assert len(samples) >= 60
    for sample in samples:
        platform = Platform("linux", "amd64" if check_header(sample.data) == "little" else "s390x")
        labels, document = both_forms(sample.data, platform)
        assert label_faults(labels) == [], sample.name
        assert faults(document, DOCUMENT) == [], sample.name
        made = build.image(sample.data, file_name="a.bpf.o", platform=platform)
        assert [each for each in made.check() if each.rule != "BI-36"] == [], sample.name


def test_the_schema_of_the_document_refuses_what_is_not_version_1() -> None:
    _, document = both_forms(example("xdp_counter"), Platform("linux", "amd64"))
    assert faults(document, DOCUMENT) == []
    (program,) = document["programs"]
    wrongs: tuple[dict[str, Any], ...] = (
        {"schemaVersion": 2}, {"config": {}}, {"os": "windows"}, {"license": ""}, {"requires": {}}, {"programs": []},
        {"object": {**document["object"], "digest": "md5:0"}}, {"programs": [{**program, "sleepable": False}]},
        {"programs": [{**program, "future": 1}]}, {"globals": [{"name": "g"}]}, {"btf": {"size": 0}},
        {"object": {**document["object"], "digest": document["object"]["digest"] + "\n"}}, {"license": "GPL\n"},
        {"object": {**document["object"], "name": "a.o\n"}}, {"object": {**document["object"], "name": "../a.o"}},
        {"object": {**document["object"], "mode": 0}}, {"architecture": "bpfel"}, {"created": "now"},
        {"created": "1970-01-01T00:00:00+00:00"}, {"programs": [{**program, "type": "xdp\n"}]},
        {"requires": {"helper": {"bpf_x": {"since": "4.8\n"}}}}, {"maps": [{"name": "m", "type": "hash"}]},
        {"omitted": ["object"]}, {"toolchain": {}}, {"globals": [{**document["globals"][0], "default": 0.5}]},
        {"globals": [{**document["globals"][0], "default": 2**53}]},
    )  # fmt: skip
    for wrong in wrongs:
        assert faults({**document, **wrong}, DOCUMENT) != [], wrong


@pytest.mark.parametrize("name", sorted(path.name.removesuffix(".bpf.c") for path in EXAMPLES.glob("*.bpf.c")))
def test_labels_of_real_images_follow_their_schema(name: str) -> None:
    image = build.image(example(name), file_name=f"{name}.bpf.o", labels={"org.opencontainers.image.title": name})
    labels = json.loads(image.pack().blobs[0][1])["config"]["Labels"]
    assert valid(labels)
    assert not valid({**labels, "io.ebpf.program_name": name})
    assert not valid({**labels, "dev.bpfimg.future": "x"})
    assert not valid({**labels, "dev.bpfimg.programs": "[]"})
    assert not valid({**labels, "other": 1})
    assert not valid({name: text for name, text in labels.items() if name != "dev.bpfimg.byte-order"})
    assert not valid({**labels, "io.ebpf.maps": '{"m":"no_such_type"}'})
    assert not valid({**labels, "io.ebpf.programs": '{"p":{"type":"xdp"}}'})
    del labels["io.ebpf.maps"]
    assert not valid(labels)


def test_the_words_of_the_schema_are_those_of_the_code() -> None:
    words = set(LABELS["$defs"]["program_type"]["enum"])
    bpfman = {"xdp", "tc", "tcx", "tracepoint", "kprobe", "kretprobe", "uprobe", "uretprobe", "fentry", "fexit", "lsm"}
    assert words == bpfman | set(PROGRAM_TYPES)
    assert set(LABELS["$defs"]["map_type"]["then"]["enum"]) == set(MAP_TYPES)
    assert set(DOCUMENT["properties"]["architecture"]["enum"]) == set(MACHINES)
