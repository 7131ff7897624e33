"""Policy files: who may have written one, what is said when there is none, and which rule is for what."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from bpfimg.errors import PolicyError
from bpfimg.oci import Digest, Reference
from bpfimg.sign import Policy
from tests.support.descriptors import none_left
from tests.support.sigstack import World
from tests.unit.sign.craft import key, policy, reference, trusting
from tests.unit.sign.policy_documents import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

ME = os.getuid()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a policy that names a key file, both good."""
    (tmp_path / "release.pub").write_text(key().public.pem)
    document = {
        "version": 1,
        "default": "deny",
        "authorities": {"release": {"type": "key", "keyPaths": [str(tmp_path / "release.pub")]}},
        "rules": [{"scope": "registry.example/**", "requireAny": ["release"]}],
    }
    (tmp_path / "policy.json").write_text(json.dumps(document))
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    return tmp_path


def load(folder: Path, **options: Any) -> Policy:
    return Policy.load(str(folder / "policy.json"), **{"system": True, "owner": ME, **options})


def test_a_good_file_is_read(files: Path) -> None:
    found = load(files)
    assert found.origin == str(files / "policy.json")
    assert found.digest == "sha256:" + hashlib.sha256((files / "policy.json").read_bytes()).hexdigest()
    rule = found.rule_for(reference())
    assert (rule.name, [one.name for one in rule.authorities]) == ("registry.example/**", ["release"])
    assert rule.authorities[0].keys == (key().public,)
    assert load(files, system=False).digest == found.digest


@pytest.mark.parametrize("name", ["policy.json", "release.pub"])
@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o620])
def test_a_system_file_that_others_may_write_is_refused(files: Path, name: str, mode: int) -> None:
    (files / name).chmod(mode)
    with pytest.raises(PolicyError, match=f"mode {mode:04o}, expected that only its owner") as caught:
        load(files)
    assert f"chmod go-w {files / name}" in caught.value.hint
    load(files, system=False)


def test_a_system_file_of_another_owner_is_refused(files: Path) -> None:
    with pytest.raises(PolicyError, match=f"belongs to uid {ME}, expected uid {ME + 1}"):
        load(files, owner=ME + 1)


@pytest.mark.skipif(ME != 0, reason="chown to another user needs root")
@pytest.mark.parametrize("name", ["policy.json", "release.pub"])
def test_root_is_the_owner_that_counts(files: Path, name: str) -> None:
    Policy.load(str(files / "policy.json"), system=True)
    os.chown(files / name, 1000, 0)
    with pytest.raises(PolicyError, match=f"{name} belongs to uid 1000, expected uid 0"):
        Policy.load(str(files / "policy.json"), system=True)


@pytest.mark.parametrize("name", ["policy.json", "release.pub"])
def test_a_system_file_is_no_link(files: Path, name: str) -> None:
    (files / name).rename(files / "elsewhere")
    (files / name).symlink_to(files / "elsewhere")
    with pytest.raises(PolicyError, match=f"{name} cannot be read: it is a symbolic link"):
        load(files)
    load(files, system=False)


@pytest.fixture
def deep(files: Path) -> Path:
    """The same files, two folders further down: `a/b`."""
    (files / "a" / "b").mkdir(parents=True)
    for name in ("policy.json", "release.pub"):
        (files / name).rename(files / "a" / "b" / name)
    document = json.loads((files / "a" / "b" / "policy.json").read_text())
    document["authorities"]["release"]["keyPaths"] = [str(files / "a" / "b" / "release.pub")]
    (files / "a" / "b" / "policy.json").write_text(json.dumps(document))
    return files / "a" / "b"


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
@pytest.mark.parametrize("folder", [".", ".."])
def test_a_folder_that_others_may_write_to_is_refused(deep: Path, folder: str, mode: int) -> None:
    """They could put another file there: an older one of root's, or a folder in place of a folder."""
    load(deep)
    (deep / folder).chmod(mode)
    with pytest.raises(PolicyError, match=f"the folder .* has mode {mode:04o}, expected that only its owner") as caught:
        load(deep)
    assert f"chmod go-w {os.path.normpath(deep / folder)}" in caught.value.hint
    load(deep, system=False)


def test_a_sticky_folder_is_as_good_as_what_is_in_it(deep: Path) -> None:
    """In /tmp nobody can move away what belongs to others."""
    deep.parent.chmod(0o1777)
    load(deep)


@pytest.mark.skipif(ME != 0, reason="chown to another user needs root")
def test_a_folder_of_another_owner_is_refused(deep: Path) -> None:
    os.chown(deep.parent, 1000, 0)
    with pytest.raises(PolicyError, match=r"the folder .*/a of trust policy .* belongs to uid 1000, expected uid 0"):
        load(deep)
    load(deep, owner=0, system=False)


def test_folders_of_keys_count_too(files: Path) -> None:
    (files / "keys").mkdir()
    (files / "release.pub").rename(files / "keys" / "release.pub")
    document = json.loads((files / "policy.json").read_text())
    document["authorities"]["release"]["keyPaths"] = [str(files / "keys" / "release.pub")]
    (files / "policy.json").write_text(json.dumps(document))
    load(files)
    (files / "keys").chmod(0o777)
    with pytest.raises(PolicyError, match=r"the folder .*/keys of public key"):
        load(files)


@pytest.mark.parametrize("target", ["a", "{}/a", "./a/../a", "also"])
def test_links_to_folders_are_followed_where_nobody_else_can_change_them(deep: Path, target: str) -> None:
    top = deep.parent.parent
    (top / "also").symlink_to("a")
    (top / "link").symlink_to(target.format(top))
    load(top / "link" / "b")
    deep.chmod(0o777)
    with pytest.raises(PolicyError, match=r"the folder .*/a/b of trust policy"):
        load(top / "link" / "b")


@pytest.mark.skipif(ME != 0, reason="chown to another user needs root")
def test_a_link_of_another_owner_is_not_followed(deep: Path) -> None:
    """In a sticky folder anybody can make one, and lead it to where an old policy lies."""
    top = deep.parent.parent
    (top / "link").symlink_to("a")
    load(top / "link" / "b")
    os.chown(top / "link", 1000, 1000, follow_symlinks=False)
    with pytest.raises(PolicyError, match=r"the link .*/link of trust policy .* belongs to uid 1000"):
        load(top / "link" / "b")


def test_links_in_a_circle_end(files: Path) -> None:
    (files / "x").symlink_to("y")
    (files / "y").symlink_to("x")
    with pytest.raises(PolicyError, match="cannot be read: Too many levels of symbolic links"):
        load(files / "x")


def test_a_path_may_be_relative(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    assert Policy.load("policy.json", system=True, owner=ME).origin == "policy.json"
    assert Policy.load("./../" + files.name + "/policy.json", system=True, owner=ME).rules


@pytest.mark.parametrize("path", ["", ".", "..", "/", "policy.json/", "policy.json/x"])
def test_what_is_no_file_is_refused(files: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(PolicyError):
        Policy.load(path, system=True, owner=ME)


def test_no_descriptor_is_left_open(deep: Path) -> None:
    with none_left():
        load(deep)
        deep.chmod(0o777)
        with pytest.raises(PolicyError):
            load(deep)


def with_root(files: Path, **changes: str) -> Path:
    root = World().trusted_root()
    (files / "root.json").write_bytes(root)
    (files / "root.json").chmod(0o644)
    document = json.loads((files / "policy.json").read_text())
    pin = hashlib.sha256(root).hexdigest()
    document["trustedRoots"] = {"corp": {"path": str(files / "root.json"), "sha256": pin, **changes}}
    document["authorities"]["release"] |= {"trustedRoot": "corp", "tlog": "require"}
    (files / "policy.json").write_text(json.dumps(document))
    return files


def test_a_trusted_root_is_read_pinned_and_parsed_once(files: Path) -> None:
    found = load(with_root(files))
    root = found.rule_for(reference()).authorities[0].root
    assert root is not None
    assert root.trusted().logs
    assert root.trusted() is root.trusted()
    (files / "root.json").write_bytes(root.raw + b" ")
    with pytest.raises(PolicyError, match=r"trusted root 'corp': .*root.json has the SHA-256"):
        load(files)


@pytest.mark.parametrize("mode", [0o664, 0o666])
def test_a_trusted_root_that_others_may_write_is_refused(files: Path, mode: int) -> None:
    with_root(files)
    (files / "root.json").chmod(mode)
    with pytest.raises(PolicyError, match=f"trusted root .*root.json has mode {mode:04o}"):
        load(files)


def test_a_trusted_root_that_is_none_is_an_error_of_the_policy_when_it_is_used(files: Path) -> None:
    with_root(files)
    (files / "root.json").write_text("{}")
    document = json.loads((files / "policy.json").read_text())
    del document["trustedRoots"]["corp"]["sha256"]
    (files / "policy.json").write_text(json.dumps(document))
    root = load(files).roots[0]
    with pytest.raises(PolicyError, match=r"trusted root corp .*root.json.* cannot be used"):
        root.trusted()


def test_the_root_of_the_public_sigstore_is_a_file_of_its_package(files: Path) -> None:
    document = json.loads((files / "policy.json").read_text())
    document["trustedRoots"] = {"public": {"builtin": "sigstore-public-good"}}
    (files / "policy.json").write_text(json.dumps(document))
    (root,) = load(files).roots
    assert root.origin == "builtin sigstore-public-good"
    assert root.trusted().authorities


@pytest.mark.parametrize("system", [True, False])
@pytest.mark.parametrize("name", ["policy.json", "release.pub"])
def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(files: Path, name: str, system: bool) -> None:
    (files / name).unlink()
    os.mkfifo(files / name, 0o600)
    with pytest.raises(PolicyError, match="not a regular file"):
        load(files, system=system)


@pytest.mark.parametrize("name", ["policy.json", "release.pub"])
def test_a_folder_in_place_of_a_file_is_refused(files: Path, name: str) -> None:
    (files / name).unlink()
    (files / name).mkdir()
    with pytest.raises(PolicyError, match="not a regular file"):
        load(files)


@pytest.mark.parametrize(("name", "size"), [("policy.json", (1 << 20) + 1), ("release.pub", (1 << 14) + 1)])
def test_files_are_bounded(files: Path, name: str, size: int) -> None:
    os.truncate(files / name, size)
    with pytest.raises(PolicyError, match=f"has {size} bytes, expected at most {size - 1}"):
        load(files)


@pytest.mark.skipif(ME == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_refused(files: Path) -> None:
    (files / "policy.json").chmod(0)
    with pytest.raises(PolicyError, match="Permission denied"):
        load(files)


def test_what_was_opened_is_judged_not_its_path(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is swapped after it is opened: the bytes read are those of the file that was checked."""
    real = os.fstat

    def swap(fd: int) -> os.stat_result:
        if stat.S_ISDIR(real(fd).st_mode):
            return real(fd)
        (files / "evil").write_text("{}")
        os.replace(files / "evil", files / "policy.json")
        monkeypatch.setattr(os, "fstat", real)
        return real(fd)

    monkeypatch.setattr(os, "fstat", swap)
    assert load(files).rule_for(reference()).name == "registry.example/**"
    with pytest.raises(PolicyError, match="lacks 'version'"):
        load(files)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "it lacks 'version'"),
        ("", "not JSON"),
        ('{"version":1,"default":"deny","rules":[],"rules":[]}', "has the key 'rules' twice"),
        ('{"version":1,"default":"deny","rules":[],"trustedRoots":[]}', "trustedRoots is a list"),
    ],
)
def test_a_bad_file_says_which_and_why(files: Path, text: str, says: str) -> None:
    (files / "policy.json").write_text(text)
    with pytest.raises(PolicyError) as caught:
        load(files)
    assert str(files / "policy.json") in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize("path", ["/no/such/key.pub", "/\0", "relative.pub"])
def test_a_missing_key_file_makes_the_policy_unusable(files: Path, path: str) -> None:
    document = json.loads((files / "policy.json").read_text())
    document["authorities"]["spare"] = {"type": "key", "keyPaths": [path]}
    (files / "policy.json").write_text(json.dumps(document))
    with pytest.raises(PolicyError, match=r"public key|keyPaths"):
        load(files)


def test_a_file_that_is_no_key_makes_the_policy_unusable(files: Path) -> None:
    (files / "release.pub").write_text("no key")
    with pytest.raises(
        PolicyError, match=r"authority 'release': keyPaths\[0\] \(.*release.pub\): public key is not PEM"
    ):
        load(files)


@pytest.mark.parametrize("system", [True, False])
def test_without_a_file_the_hint_is_one(tmp_path: Path, system: bool) -> None:
    path = "/no/such/folder/policy.json"  # below folders of root alone, whoever runs this
    with pytest.raises(PolicyError, match="does not exist") as caught:
        Policy.load(path, system=system)
    hint = caught.value.hint
    assert f"write {path}" in hint
    assert ("owned by root" in hint) is system
    found = re.search(r"\{.*\}", hint, re.DOTALL)
    assert found
    document = json.loads(found[0])
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(document)
    (paths,) = [one["keyPaths"] for one in document["authorities"].values()]
    (tmp_path / "cosign.pub").write_text(key().public.pem)
    (tmp_path / "policy.json").write_text(found[0].replace(paths[0], str(tmp_path / "cosign.pub")))
    written = Policy.load(str(tmp_path / "policy.json"), system=False)
    assert written.rule_for(Reference.parse("registry.example.com/team/app:v1")).action == "verify"
    assert "--key" in hint


# -- which rule -------------------------------------------------------------------------------------------------------


def named(*scopes: str) -> Policy:
    return policy([{"scope": scope, "requireAny": ["alice"]} for scope in scopes])


APP = "registry.example/team/app"
SCOPES = ("registry.example", "*.example", f"{APP}:v1", "registry.example/team/**", APP)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f"{APP}:v1", f"{APP}:v1"),
        (f"{APP}:v2", APP),
        ("registry.example/team/other:v1", "registry.example/team/**"),
        ("registry.example/x:v1", "registry.example"),
        ("other.example/x:v1", "*.example"),
        ("example.test/x:v1", "default"),
    ],
)
def test_the_most_specific_rule_wins_in_any_order(text: str, rule: str) -> None:
    for order in (SCOPES, SCOPES[::-1], SCOPES[2:] + SCOPES[:2]):
        assert named(*order).rule_for(Reference.parse(text)).name == rule


def test_the_longest_prefix_wins() -> None:
    found = named("registry.example/**", "registry.example/team/deep/**", "registry.example/team/**")
    assert found.rule_for(Reference.parse("registry.example/team/deep/x:1")).name == "registry.example/team/deep/**"


def test_a_tag_beside_a_digest_chooses_no_rule() -> None:
    """Nobody looked at that tag, so it may stand for anything."""
    text = f"{APP}:v1@{Digest.of(b'')}"
    assert named(APP, f"{APP}:v1").rule_for(Reference.parse(text)).name == APP
    assert named(f"{APP}:v1").rule_for(Reference.parse(text)).action == "deny"


def test_docker_hub_has_one_name() -> None:
    found = named("registry-1.docker.io/library/nginx")
    assert found.rule_for(Reference.parse("nginx")).name != "default"


def test_rules_are_not_merged() -> None:
    found = policy([{"scope": APP, "action": "deny"}, {"scope": "registry.example", "requireAny": ["alice"]}])
    assert found.rule_for(reference()).action == "deny"


def test_a_policy_for_one_key() -> None:
    found = Policy.for_key(key().public, "--key cosign.pub")
    assert found.origin == "--key cosign.pub"
    rule = found.rule_for(reference())
    assert (rule.action, rule.threshold, [one.keys for one in rule.authorities]) == ("verify", 1, [(key().public,)])
    assert found.digest != Policy.for_key(key("bob").public, "--key cosign.pub").digest
    assert trusting("alice").digest
