"""`copy --from-file`: hundreds of images in one process, and a list that is gone on with after whatever happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Layout, Memory, Registry, Repository, copy, places
from tests.support.cli import Cli, check
from tests.support.fake_registry import FakeRegistry, Reply, fake_registry
from tests.support.targets import image, index, legacy_signature, referrer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = 100


@pytest.fixture(scope="module")
def remote() -> Iterator[FakeRegistry]:
    """A registry with a hundred signed images."""
    with fake_registry() as made:
        with places.Connections() as connections:
            for number in range(COUNT):
                place = Registry(Repository(made.host, f"team/image{number}"), connections=connections)
                memory = Memory(place.repository)
                one = image(str(number))
                one.push(memory, "v1")
                referrer(one.descriptor, f"evidence {number}").push(memory)
                legacy_signature(f"signature {number}").push(memory, one.descriptor.digest.tag + ".sig")
                copy(memory, "v1", place, "v1")
        yield made


def names(remote: FakeRegistry) -> list[str]:
    return [f"{remote.host}/team/image{number}:v1" for number in range(COUNT)]


@pytest.fixture
def listed(cli: Cli, remote: FakeRegistry) -> str:
    (cli.folder / "list").write_text("\n".join(names(remote)) + "\n")
    remote.requests.clear()
    return "list"


def whole(path: Path, remote: FakeRegistry, numbers: range = range(COUNT), *, short_names: bool = False) -> None:
    """Fails unless all images are there, with their signatures."""
    for number in numbers:
        place = Layout(str(path), Repository(remote.host, f"team/image{number}"), short_names=short_names)
        top = place.resolve("v1")
        assert top == image(str(number)).descriptor
        assert places.stores.is_whole(place, top)
        assert len(place.referrers(top.digest)) == 1
        assert place.resolve(top.digest.tag + ".sig")


def lines(remote: FakeRegistry, word: str, numbers: range = range(COUNT)) -> list[str]:
    return sorted(
        f"{word}:{remote.host}/team/image{number}:v1@{image(str(number)).descriptor.digest}" for number in numbers
    )


@pytest.mark.parametrize("where", ["store:", "oci:usb", "oci-archive:usb.tar"])
def test_all_of_them_arrive(where: str, cli: Cli, listed: str, remote: FakeRegistry) -> None:
    out = cli("copy", "--from-file", listed, where).stdout
    assert sorted(out.splitlines()) == lines(remote, where.rstrip(":"))
    assert not (cli.folder / "list.journal").exists()
    if where == "oci-archive:usb.tar":
        cli("copy", "--from-file", "-", "store:", stdin="".join(f"{where}:{name}\n" for name in names(remote)))
    whole(cli.folder / ("usb" if where == "oci:usb" else "store"), remote)


def test_into_a_registry(cli: Cli, listed: str, remote: FakeRegistry) -> None:
    cli("copy", "-q", "--from-file", listed, "store:")
    with fake_registry() as mirror:
        out = cli("copy", "--from-file", listed, f"registry:{mirror.host}/ebpf").stdout
        digests = [line.partition("@")[2] for line in sorted(lines(remote, "x"))]
        assert sorted(out.splitlines()) == sorted(
            f"{mirror.host}/ebpf/team/image{number}:v1@{image(str(number)).descriptor.digest}"
            for number in range(COUNT)
        )
        assert len(digests) == COUNT
        with Registry(Repository(mirror.host, "ebpf/team/image7")) as place:
            assert len(place.referrers(place.resolve("v1").digest)) == 1


def test_pairs_and_stdin(cli: Cli, listed: str, remote: FakeRegistry) -> None:
    first, second, *_ = names(remote)
    text = f"# two of them\n{first} oci:a:one\n{second}   store:other/name:v2 # the second\n"
    out = cli("copy", "--from-file", "-", stdin=text).stdout.splitlines()
    assert sorted(line.partition("@")[0] for line in out) == ["oci:a:one", "store:other/name:v2"]
    assert (
        Layout(str(cli.folder / "a"), places.Location.parse("oci:a").nameless, bare=True).resolve("one")
        == image("0").descriptor
    )
    assert cli("images", "-q", "other/name:v2").stdout.strip() == str(image("1").descriptor.digest)


def test_nothing_moves_before_all_is_understood(cli: Cli, listed: str, remote: FakeRegistry) -> None:
    with (cli.folder / listed).open("a") as file:
        file.write("docker://a/b\n")
    error = cli.error("copy", "--from-file", listed, "store:", expect=2)
    assert error["message"].startswith(f"line {COUNT + 1} of the list: ")
    assert not (cli.folder / "store").exists()
    assert remote.requests == []


def test_one_failure_does_not_stop_the_others(cli: Cli, listed: str, remote: FakeRegistry) -> None:
    with (cli.folder / listed).open("a") as file:
        file.write(f"{remote.host}/team/none:v1\n127.0.0.1:1/down:v1\n")
    done = cli("copy", "--from-file", listed, "store:", expect=1)
    assert sorted(done.stdout.splitlines()) == lines(remote, "store")
    assert f"line {COUNT + 1}: {remote.host}/team/none:v1 was not copied: " in done.stderr
    assert f"2 of {COUNT + 2} images were not copied" in done.stderr
    whole(cli.folder / "store", remote)
    # the journal knows what is done: only the two are tried again, and one comes now
    remote.requests.clear()
    with Registry(Repository(remote.host, "team/none")) as place:
        image("late").push(place, "v1")
    remote.requests.clear()
    done = cli("copy", "-o", "json", "--from-file", listed, "store:", expect=1)
    document = json.loads(done.stdout)
    check("copies", document)
    assert len(document["images"]) == COUNT + 1
    assert [each["line"] for each in document["failed"]] == [COUNT + 2]
    assert {line.split("/")[3] for line in remote.seen()} == {"none"}
    # without the line that cannot be, all is done, and the journal has served
    text = (cli.folder / listed).read_text().splitlines()
    (cli.folder / listed).write_text("\n".join(text[:-1]))
    cli("copy", "--from-file", listed, "store:")
    assert not (cli.folder / "list.journal").exists()
    del remote.manifests["team/none", "v1"]


def test_a_run_after_all_is_done_follows_tags(cli: Cli, listed: str, remote: FakeRegistry) -> None:
    cli("copy", "--from-file", listed, "store:")
    (kind, raw) = remote.manifests["team/image3", "v1"]
    with Registry(Repository(remote.host, "team/image3")) as place:
        image("moved").push(place, "v1")
    try:
        cli("copy", "--from-file", listed, "store:")
        place3 = Layout(str(cli.folder / "store"), Repository(remote.host, "team/image3"), short_names=False)
        assert place3.resolve("v1") == image("moved").descriptor
    finally:
        remote.manifests["team/image3", "v1"] = (kind, raw)


def test_what_the_journal_says_is_looked_at(cli: Cli, listed: str, remote: FakeRegistry) -> None:
    """Somebody took an image out of the target between two runs: it comes again."""
    with (cli.folder / listed).open("a") as file:
        file.write("127.0.0.1:1/down:v1\n")
    cli("copy", "--from-file", listed, "oci:usb", expect=1)
    Layout(str(cli.folder / "usb"), Repository(remote.host, "team/image5")).remove("v1")
    cli("copy", "--from-file", listed, "oci:usb", expect=1)
    whole(cli.folder / "usb", remote)


def test_journals_of_other_options(cli: Cli, listed: str) -> None:
    with (cli.folder / listed).open("a") as file:
        file.write("127.0.0.1:1/down:v1\n")
    cli("copy", "--from-file", listed, "store:", expect=1)
    error = cli.error("copy", "--no-referrers", "--from-file", listed, "store:", expect=2)
    assert "referrers" in error["message"]
    assert "list.journal" in error["message"]
    cli("copy", "--no-referrers", "--journal", "other", "--from-file", listed, "store:", expect=1)
    cli("copy", "--no-referrers", "--no-journal", "--from-file", listed, "store:", expect=1)
    assert (cli.folder / "other").exists()


def test_a_journal_of_somebody_else(cli: Cli, listed: str, tmp_path: Path) -> None:
    """What it says is done would be passed over."""
    journal = cli.folder / "list.journal"

    def foreign() -> None:
        journal.write_text("")
        os.chown(journal, 65534, 65534)

    def linked() -> None:
        (tmp_path / "theirs").write_text("")
        os.link(tmp_path / "theirs", journal)

    for make in (lambda: os.mkfifo(journal), linked, *([foreign] if os.geteuid() == 0 else [])):
        make()
        assert "yours alone" in cli.error("copy", "--from-file", listed, "store:", expect=2)["message"]
        journal.unlink()
    journal.write_text("[" * 100_000 + "\n")
    assert "is no journal" in cli.error("copy", "--from-file", listed, "store:", expect=2)["message"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from-file", "list", "a", "b"), "expected DST alone"),
        (("--journal", "j", "a", "b"), "--journal is for lists"),
        (("--no-journal", "a", "b"), "--no-journal is for lists"),
        (("--from-file", "list", "--journal", "j", "--no-journal", "store:"), "expected one of them"),
        (("a",), "expected SRC DST or --from-file LIST"),
        ((), "expected SRC DST or --from-file LIST"),
        (("--from-file", "none", "store:"), "No such file"),
        (("--from-file", "list", "oci:usb:v1"), "a name for one image"),
    ],
)
def test_words_that_do_not_go_together(words: tuple[str, ...], said: str, cli: Cli, listed: str) -> None:
    assert said in cli.error("copy", *words, expect=2)["message"]


def test_no_room_ends_it_at_once(cli: Cli, listed: str, remote: FakeRegistry) -> None:
    (cli.folder / "usb").write_text("a file where a directory is expected")
    done = cli("copy", "--from-file", listed, "oci:usb", expect=1)
    assert done.stdout == ""
    assert not done.stderr.startswith("Traceback")


@pytest.mark.parametrize("word", ["oci:usb", "store:"])
def test_killed_at_any_moment_it_goes_on(word: str, cli: Cli, listed: str, remote: FakeRegistry) -> None:
    """What was said to be there is there after a kill; and the last run brings the rest."""
    dice = random.Random(word)
    said: set[str] = set()
    target = cli.folder / ("usb" if word == "oci:usb" else "store")
    for _ in range(12):
        with start(cli, "copy", "--from-file", listed, word) as process:
            assert process.stdout is not None
            # as many lines as the dice say, then the signal
            for _ in range(dice.choice([0, 0, 1, 70])):
                process.stdout.readline()
            process.send_signal(dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM]))
            said |= {line.strip() for line in process.stdout if line.endswith("\n")}
        for line in said:
            number = int(line.partition("/team/image")[2].partition(":")[0])
            whole(target, remote, range(number, number + 1), short_names=word == "oci:usb")
    cli("copy", "--from-file", listed, word)
    whole(target, remote, short_names=word == "oci:usb")
    assert not (cli.folder / "list.journal").exists()


def test_what_is_done_is_not_asked_for_again(cli: Cli, listed: str, remote: FakeRegistry) -> None:
    with start(cli, "copy", "--from-file", listed, "oci:usb") as process:
        assert process.stdout is not None
        said = [process.stdout.readline()]  # the first group is there
        process.kill()
        said += [line for line in process.stdout if line.endswith("\n")]
    done = {line.partition("/team/")[2].partition(":")[0] for line in said}
    assert len(json_lines(cli.folder / "list.journal")) >= len(done) > 0
    remote.requests.clear()
    out = cli("copy", "--from-file", listed, "oci:usb").stdout
    assert sorted(out.splitlines()) == lines(remote, "oci:usb")
    asked = {line.split("/")[3] for line in remote.seen() if "/team/" in line}
    assert not done & asked
    whole(cli.folder / "usb", remote, short_names=True)


def json_lines(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


def start(cli: Cli, *words: str) -> subprocess.Popen[str]:
    # a shell's background jobs ignore Ctrl-C, and what they start goes on with that: these tests may be in one
    return subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-m", "bpfimg", *words],
        cwd=cli.folder,
        env={**os.environ, **cli.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_ctrl_c_does_not_wait_for_registries_that_hang(cli: Cli, remote: FakeRegistry) -> None:
    (cli.folder / "list").write_text(f"{remote.host}/team/image0:v1\n{remote.host}/team/image1:v1\n")
    remote.requests.clear()
    asked, release = threading.Event(), threading.Event()

    def hang(reply: Reply) -> Reply:
        asked.set()
        release.wait(60.0)
        return reply

    remote.fail("image0/manifests", hang)
    try:
        with start(cli, "copy", "--from-file", "list", "store:") as process:
            assert asked.wait(60.0)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        assert process.returncode in (130, -signal.SIGINT)
        assert not release.is_set()
    finally:
        release.set()
        remote.faults.clear()


def test_platforms_of_a_list(cli: Cli) -> None:
    with fake_registry() as other:
        place = Registry(Repository(other.host, "team/multi"))
        with place:
            images = image("one", "amd64"), image("two", "arm64")
            for each in images:
                each.push(place)
            both = index(*images)
            place.push(both.descriptor, both.raw, tag="v1")
        (cli.folder / "list").write_text(f"{other.host}/team/multi:v1\n")
        words = ("copy", "-q", "--platform", "linux/arm64")
        assert cli(*words, "--from-file", "list", "oci:some").stdout.strip() == str(both.descriptor.digest)
        assert cli(*words, "--flatten", "--from-file", "list", "oci:flat").stdout.strip() == str(
            images[1].descriptor.digest
        )
