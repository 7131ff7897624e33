"""Rollback protection as a user meets it: what was loaded on this host is the least that comes after."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Cli
from tests.support.objects import example
from tests.support.trusting import rule, with_policy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel
NAME = "localhost/team/app"
MONOTONIC = {"rollback": {"mode": "monotonic"}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with a key and a store with three versions, signed with their labels, and their digests."""
    folder = tmp_path_factory.mktemp("made")
    cli = Cli(folder, {"BPFIMG_STORE": str(folder / "store"), "HOME": str(folder)})
    cli("key", "generate", "k")
    (folder / "app.o").write_bytes(example("xdp_counter"))
    digests = {}
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        cli("build", "-t", f"{NAME}:{version}", "--label", f"v={version}", "app.o")
        cli("sign", "--key", "k.key", "-a", f"org.opencontainers.image.version={version}", f"{NAME}:{version}")
        digests[version] = cli("images", "-q", f"{NAME}:{version}").stdout.strip()
    return folder, digests


@pytest.fixture
def versions(host: Cli, made: tuple[Path, dict[str, str]]) -> tuple[Cli, dict[str, str]]:
    """Commands with a rule against going back, and three versions in the store: version -> digest."""
    folder, digests = made
    shutil.copytree(folder, host.folder, dirs_exist_ok=True)
    return with_policy(host, rule("localhost/team/**", **MONOTONIC)), digests


def load(cli: Cli, *words: str, expect: int = 0) -> str:
    done = cli("load", "-q", "--pull", "never", *words, expect=expect)
    if expect == 0 and "--dry-run" not in words:
        cli("unload", done.stdout.split()[0])
    return done.stderr


def remembered(cli: Cli) -> dict[str, str] | None:
    folder = cli.folder / "state" / "history"
    files = list(folder.glob("*.json")) if folder.exists() else []
    if not files:
        return None
    (file,) = files
    document = json.loads(file.read_text())
    assert document["repository"] == NAME
    found: dict[str, str] = document["highest"]
    return found


def version(cli: Cli) -> str | None:
    found = remembered(cli)
    return found["version"] if found else None


def test_an_older_image_is_refused_after_a_newer_one_was_loaded(versions: tuple[Cli, dict[str, str]]) -> None:
    cli, digests = versions
    (program,) = cli.json("programs", "load", f"{NAME}:1.0.0")["programs"]
    assert program["image"]["version"] == "1.0.0"
    cli("unload", str(program["id"]))
    assert version(cli) == "1.0.0"
    load(cli, f"{NAME}:2.0.0")
    found = remembered(cli)
    assert found is not None
    assert (found["version"], found["digest"]) == ("2.0.0", digests["2.0.0"])
    for older in (f"{NAME}:1.1.0", f"{NAME}@{digests['1.1.0']}"):
        said = load(cli, older, expect=3)
        assert "version '1.1.0' is older than '2.0.0'" in said
        assert f"--allow-downgrade {NAME}@{digests['1.1.0']}" in said
    # a tag that was moved back is the attack
    cli("tag", f"{NAME}:1.1.0", f"{NAME}:2.0.0")
    load(cli, f"{NAME}:2.0.0", expect=3)
    load(cli, f"{NAME}@{digests['2.0.0']}")
    assert version(cli) == "2.0.0"


def test_going_back_on_purpose_takes_the_digest_and_is_not_remembered(versions: tuple[Cli, dict[str, str]]) -> None:
    cli, digests = versions
    load(cli, f"{NAME}:2.0.0")
    pinned = f"{NAME}@{digests['1.0.0']}"
    error = cli.error("load", "--allow-downgrade", f"{NAME}:1.0.0", expect=2)
    assert error["kind"] == "UsageError"
    assert pinned in error["hint"]
    load(cli, "--allow-downgrade", pinned)
    assert version(cli) == "2.0.0"
    load(cli, pinned, expect=3)
    load(cli, "--allow-downgrade", f"{NAME}@{digests['2.0.0']}")
    assert version(cli) == "2.0.0"


def test_looking_is_not_accepting(versions: tuple[Cli, dict[str, str]]) -> None:
    """Verifying, a dry run and a load that fails leave nothing that would refuse what runs now."""
    cli, _ = versions
    cli("verify", f"{NAME}:2.0.0")
    load(cli, "--dry-run", f"{NAME}:2.0.0")
    load(cli, "-g", "no_such_global=1", f"{NAME}:2.0.0", expect=2)
    assert remembered(cli) is None
    load(cli, f"{NAME}:1.0.0")
    cli("verify", f"{NAME}:2.0.0")
    assert version(cli) == "1.0.0"


def test_verify_says_what_a_load_would_say(versions: tuple[Cli, dict[str, str]]) -> None:
    cli, _ = versions
    load(cli, f"{NAME}:2.0.0")
    assert "is older than" in cli.error("verify", f"{NAME}:1.0.0", expect=3)["message"]
    load(cli, "--dry-run", f"{NAME}:1.0.0", expect=3)


def test_where_the_rule_says_nothing_nothing_is_remembered(versions: tuple[Cli, dict[str, str]]) -> None:
    cli, _ = versions
    silent = with_policy(cli, rule("localhost/team/**"))
    load(silent, f"{NAME}:2.0.0")
    load(silent, f"{NAME}:1.0.0")
    assert remembered(cli) is None
    assert not (cli.folder / "state").exists()


@pytest.mark.parametrize("damage", ["junk", "empty", "other", "mode", "owner", "folder"])
def test_a_damaged_history_refuses_even_what_may_go_back(damage: str, versions: tuple[Cli, dict[str, str]]) -> None:
    cli, digests = versions
    load(cli, f"{NAME}:1.0.0")
    folder = cli.folder / "state" / "history"
    (file,) = folder.glob("*.json")
    match damage:
        case "junk":
            file.write_text("{")
        case "empty":
            file.write_text("")
        case "other":
            file.write_text(file.read_text().replace("team/app", "team/cpp"))
        case "mode":
            file.chmod(0o666)
        case "owner":
            os.chown(file, 1, 1)
        case _:
            folder.chmod(0o777)
    for words in ((f"{NAME}:2.0.0",), ("--allow-downgrade", f"{NAME}@{digests['2.0.0']}")):
        error = cli.error("load", *words, expect=3)
        assert error["kind"] in ("VerificationError", "PolicyError")
        assert str(folder) in error["message"]
        assert error["hint"]


def test_a_history_that_cannot_be_written_loads_nothing(versions: tuple[Cli, dict[str, str]]) -> None:
    cli, _ = versions
    (cli.folder / "state").write_text("a file where a folder has to be")
    assert "cannot be" in load(cli, f"{NAME}:1.0.0", expect=3)
    assert cli.json("programs", "list")["programs"] == []


def test_twenty_loads_at_once_keep_the_highest(host: Cli) -> None:
    host("key", "generate", "k")
    (host.folder / "app.o").write_bytes(example("xdp_counter"))
    names = []
    for number in range(4):
        name = f"{NAME}:1.{number}.0"
        host("build", "-t", name, "--annotation", f"org.opencontainers.image.version=1.{number}.0", "app.o")
        host("sign", "--key", "k.key", name)
        names.append(name)
    cli = with_policy(host, rule("localhost/team/**", **MONOTONIC))
    running = [cli.start("load", "-q", "--pull", "never", names[(3 * each) % 4]) for each in range(20)]
    codes = []
    for each in running:
        _, err = each.communicate(timeout=120)
        codes.append(each.returncode)
        assert each.returncode in (0, 3), err
        assert each.returncode == 0 or "is older than" in err
    assert codes.count(0) >= 5, "the newest one always comes in"
    assert version(cli) == "1.3.0"
    for number in cli("list", "-q").stdout.split():
        cli("unload", number)


def test_the_annotation_of_the_signed_manifest_is_a_version_too(host: Cli) -> None:
    host("key", "generate", "k")
    (host.folder / "app.o").write_bytes(example("xdp_counter"))
    for number in (1, 2):
        name = f"{NAME}:{number}"
        host("build", "-t", name, "--annotation", f"com.example.version={number}.0", "app.o")
        host("sign", "--key", "k.key", name)
    annotated = {"rollback": {"mode": "monotonic", "annotation": "com.example.version", "minVersion": "1.0"}}
    cli = with_policy(host, rule("localhost/team/**", **annotated))
    load(cli, f"{NAME}:2")
    load(cli, f"{NAME}:1", expect=3)
    assert version(cli) == "2.0"
    annotated["rollback"]["minVersion"] = "3"
    cli = with_policy(host, rule("localhost/team/**", **annotated))
    assert "minVersion" in load(cli, f"{NAME}:2", expect=3)


def test_nothing_to_compare_is_refused(host: Cli) -> None:
    host("key", "generate", "k")
    (host.folder / "app.o").write_bytes(example("xdp_counter"))
    host("build", "-t", f"{NAME}:1", "app.o")
    host("sign", "--key", "k.key", f"{NAME}:1")
    cli = with_policy(host, rule("localhost/team/**", **MONOTONIC))
    assert "neither a version label" in load(cli, f"{NAME}:1", expect=3)


def test_state_is_an_option_and_a_variable(versions: tuple[Cli, dict[str, str]], tmp_path: Path) -> None:
    cli, _ = versions
    load(cli, f"{NAME}:2.0.0")
    load(cli, "--state", str(tmp_path / "other"), f"{NAME}:1.0.0")
    assert len(list((tmp_path / "other").glob("*.json"))) == 1
    assert version(cli) == "2.0.0"
