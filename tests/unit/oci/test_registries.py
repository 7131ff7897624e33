"""registries.conf(5): which files count, what they say about a name, and what is refused in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import RegistryError, UsageError
from bpfimg.oci import Repository, places

if TYPE_CHECKING:
    from pathlib import Path


class Files:
    """A host's configuration below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"HOME": str(folder / "home")}
        (folder / "etc").mkdir()

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def load(self, **environ: str) -> places.Registries:
        return places.Registries.load({**self.environ, **environ}, 1000, system=str(self.folder / "etc"))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def asked(registries: places.Registries, name: str, *, by_digest: bool = False) -> list[str]:
    """The places where a repository is read, `!` for insecure ones."""
    found = registries.endpoints(Repository.parse(name), by_digest=by_digest)
    assert [each.mirror for each in found] == [True] * (len(found) - 1) + [False]
    return [f"{each.host}/{each.path}{'!' if each.insecure else ''}" for each in found]


def test_nothing_is_said_without_files(files: Files) -> None:
    assert files.load() == places.Registries()
    assert asked(files.load(), "quay.io/a/b") == ["quay.io/a/b"]


MANUAL = """
unqualified-search-registries = ["example.com"]

[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal-registry-for-example.com/bar"

[[registry.mirror]]
location = "example-mirror-0.local/mirror-for-foo"

[[registry.mirror]]
location = "example-mirror-1.local/mirrors/foo"
insecure = true

[[registry]]
location = "registry.com"

[[registry.mirror]]
location = "mirror.registry.com"
"""


def test_the_example_of_the_manual_page(files: Files) -> None:
    files.write("etc/registries.conf", MANUAL)
    found = files.load()
    assert asked(found, "example.com/foo/image") == [
        "example-mirror-0.local/mirror-for-foo/image",
        "example-mirror-1.local/mirrors/foo/image!",
        "internal-registry-for-example.com/bar/image",
    ]
    assert asked(found, "registry.com/image") == ["mirror.registry.com/image", "registry.com/image"]
    assert asked(found, "example.com/fool/image") == ["example.com/fool/image"]
    assert [str(each) for each in found.candidates("image:v1")] == ["example.com/image:v1"]


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("a.test/x/y/z", "four.test"),
        ("a.test/x/y", "four.test"),
        ("a.test/x/z", "three.test"),
        ("a.test/z", "two.test"),
        ("sub.a.test/z", "wild.test"),
        ("deep.sub.a.test:5000/z", "wild.test"),
        ("notaa.test/z", "notaa.test"),
        ("x.a.test.y.a.test/z", "wild.test"),
        ("a.test.evil.test/z", "a.test.evil.test"),
        ("evil.test/sub.a.test/z", "evil.test"),
    ],
)
def test_the_longest_prefix_decides(files: Files, name: str, host: str) -> None:
    rules = {"*.a.test": "wild.test", "a.test": "two.test", "a.test/x": "three.test", "a.test/x/y": "four.test/q"}
    text = "".join(f'[[registry]]\nprefix = "{prefix}"\nlocation = "{place}"\n' for prefix, place in rules.items())
    files.write("etc/registries.conf", text)
    assert asked(files.load(), name)[0].partition("/")[0].partition(":")[0] == host


@pytest.mark.parametrize(
    ("word", "by_tag", "by_digest"),
    [("", True, True), ("all", True, True), ("digest-only", False, True), ("tag-only", True, False)],
)
def test_mirrors_for_tags_and_for_digests(files: Files, word: str, by_tag: bool, by_digest: bool) -> None:
    text = '[[registry]]\nlocation = "a.test"\n[[registry.mirror]]\nlocation = "m.test"\n'
    files.write("etc/registries.conf", text + f'pull-from-mirror = "{word}"\n')
    assert len(asked(files.load(), "a.test/x")) == 1 + by_tag
    assert len(asked(files.load(), "a.test/x", by_digest=True)) == 1 + by_digest


def test_mirrors_by_digest_only(files: Files) -> None:
    text = '[[registry]]\nlocation = "a.test"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.test"\n'
    files.write("etc/registries.conf", text)
    assert asked(files.load(), "a.test/x") == ["a.test/x"]
    assert asked(files.load(), "a.test/x", by_digest=True) == ["m.test/x", "a.test/x"]


def test_what_is_blocked_is_neither_read_nor_written(files: Files) -> None:
    path = files.write("etc/registries.conf", '[[registry]]\nprefix = "docker.io/library"\nblocked = true\n')
    found = files.load()
    for act in (lambda: asked(found, "busybox"), lambda: found.destination(Repository.parse("busybox"))):
        with pytest.raises(RegistryError, match=f"{path} blocks docker.io/library"):
            act()
    assert asked(found, "me/busybox") == ["docker.io/me/busybox"]


def test_pushes_go_to_the_name_itself(files: Files) -> None:
    files.write("etc/registries.conf", '[[registry]]\nprefix = "a.test"\nlocation = "b.test/x"\ninsecure = true\n')
    found = files.load()
    assert asked(found, "a.test/y") == ["b.test/x/y!"]
    to = found.destination(Repository.parse("a.test/y"))
    assert (to.host, to.path, to.insecure) == ("a.test", "y", True)


def test_short_names(files: Files) -> None:
    files.write("etc/registries.conf", 'unqualified-search-registries = ["quay.io", "docker.io"]\n')
    files.write(
        "etc/registries.conf.d/shortnames.conf",
        '# a comment\n[aliases]\n  "skopeo" = "quay.io/skopeo/stable"\n  "a/b" = "c.test/d"\n  gone = ""\n',
    )
    found = files.load()

    def meant(name: str) -> list[str]:
        return [str(each) for each in found.candidates(name)]

    assert meant("skopeo") == ["quay.io/skopeo/stable:latest"]
    assert meant("skopeo:v1") == ["quay.io/skopeo/stable:v1"]
    assert meant(f"skopeo@sha256:{'0' * 64}") == [f"quay.io/skopeo/stable@sha256:{'0' * 64}"]
    assert meant("a/b:v1") == ["c.test/d:v1"]
    for name in ("gone", "other"):
        assert meant(name) == [f"quay.io/{name}:latest", f"docker.io/library/{name}:latest"]
    assert meant("a.test/skopeo") == ["a.test/skopeo:latest"]
    assert meant("localhost/skopeo") == ["localhost/skopeo:latest"]
    with pytest.raises(UsageError):
        meant("Not A Name")


def test_without_registries_to_search_a_short_name_is_docker_hubs(files: Files) -> None:
    assert [str(each) for each in files.load().candidates("busybox")] == ["docker.io/library/busybox:latest"]


@pytest.mark.parametrize(("mode", "fails"), [("enforcing", True), ("permissive", False), ("disabled", False)])
def test_nobody_is_asked_which_registry_is_meant(files: Files, mode: str, fails: bool) -> None:
    text = f'short-name-mode = "{mode}"\nunqualified-search-registries = ["a.test", "b.test"]\n'
    files.write("etc/registries.conf", text)
    if fails:
        with pytest.raises(UsageError, match=r"any of a\.test/x:latest, b\.test/x:latest"):
            files.load().candidates("x")
    else:
        assert len(files.load().candidates("x")) == 2


def test_later_files_win(files: Files) -> None:
    files.write(
        "etc/registries.conf", 'unqualified-search-registries = ["one.test"]\n[[registry]]\nlocation="a.test"\n'
    )
    files.write("etc/registries.conf.d/10.conf", '[aliases]\nx = "ten.test/x"\n')
    files.write(
        "etc/registries.conf.d/20.conf",
        'unqualified-search-registries = ["two.test"]\n[aliases]\nx = "twenty.test/x"\n',
    )
    files.write("etc/registries.conf.d/30.txt", "not read")
    user = files.write(
        "home/.config/containers/registries.conf.d/x.conf", '[[registry]]\nprefix="a.test"\nlocation="user.test"\n'
    )
    found = files.load()
    assert found.search == ("two.test",)
    assert asked(found, "a.test/y") == ["user.test/y"]
    assert [rule.origin for rule in found.rules] == [str(user)]
    assert str(found.candidates("x")[0]) == "twenty.test/x:latest"
    files.write("home/.cache/containers/short-name-aliases.conf", '[aliases]\nx = "chosen.test/x"\n')
    assert str(files.load().candidates("x")[0]) == "chosen.test/x:latest"


def test_a_users_own_file_stands_for_the_systems(files: Files, tmp_path: Path) -> None:
    files.write("etc/registries.conf", '[[registry]]\nlocation="etc.test"\n')
    files.write("etc/registries.conf.d/x.conf", '[[registry]]\nlocation="etc.d.test"\n')
    files.write("home/.config/containers/registries.conf.d/x.conf", '[[registry]]\nlocation="home.d.test"\n')
    assert [rule.prefix for rule in files.load().rules] == ["etc.test", "etc.d.test", "home.d.test"]
    files.write("home/.config/containers/registries.conf", '[[registry]]\nlocation="home.test"\n')
    assert [rule.prefix for rule in files.load().rules] == ["home.test", "home.d.test"]
    named = files.write("named.conf", '[[registry]]\nlocation="named.test"\n')
    for name in ("CONTAINERS_REGISTRIES_CONF", "REGISTRIES_CONFIG_PATH"):
        found = files.load(**{name: str(named)})
        assert [rule.prefix for rule in found.rules] == ["named.test", "etc.d.test", "home.d.test"]
    with pytest.raises(RegistryError, match="does not exist, expected the registries"):
        files.load(CONTAINERS_REGISTRIES_CONF=str(tmp_path / "none"))
    elsewhere = files.load(XDG_CONFIG_HOME=str(tmp_path / "none"))
    assert [rule.prefix for rule in elsewhere.rules] == ["etc.test", "etc.d.test"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x", "is not TOML"),
        ("a = " + "[" * 5000, "is not TOML"),
        ("a = " + "9" * 5000, "is not TOML"),
        ('[registries.search]\nregistries = ["a.test"]', "of version 1"),
        ("registry = 1", r"registry is '1', expected \[\[registry\]\] tables"),
        ("registry = [1]", r"registry\[1\] is '1', expected a table"),
        ("[[registry]]", r"registry\[1\]\.prefix is '', expected a prefix or a location"),
        ('[[registry]]\nlocation = "https://a.test"', r"registry\[1\]\.location is 'https://a.test'"),
        ('[[registry]]\nlocation = "nohost/x"', r"registry\[1\]\.location is 'nohost/x'"),
        ('[[registry]]\nprefix = "*.a.test/x"', r"registry\[1\]\.prefix is '\*\.a\.test/x', expected \*\.DOMAIN"),
        ('[[registry]]\nprefix = "*.a.test:5000"', r"expected \*\.DOMAIN"),
        ('[[registry]]\nprefix = "a.*.test"', r"registry\[1\]\.prefix"),
        (
            '[[registry]]\nlocation = "a.test"\nblocked = "yes"',
            r"registry\[1\]\.blocked is 'yes', expected true or false",
        ),
        ('[[registry]]\nlocation = "a.test"\nmirror = [{}]', r"registry\[1\]\.mirror\[1\]\.location"),
        (
            '[[registry]]\nlocation = "a.test"\nmirror = [{location = "b.test", pull-from-mirror = "often"}]',
            "expected one of all, digest-only, tag-only",
        ),
        (
            '[[registry]]\nlocation = "a.test"\nmirror-by-digest-only = true\n'
            'mirror = [{location = "b.test", pull-from-mirror = "all"}]',
            "expected none beside mirror-by-digest-only",
        ),
        ('unqualified-search-registries = "a.test"', "unqualified-search-registries is 'a.test', expected a list"),
        ('unqualified-search-registries = ["a.test/x"]', r"expected registries as HOST\[:PORT\]"),
        ('short-name-mode = "loose"', "expected one of enforcing, permissive, disabled"),
        ("# " + "x" * (256 << 10), "is too large"),
    ],
)
def test_a_bad_file_is_one_sentence(files: Files, text: str, sentence: str) -> None:
    path = files.write("etc/registries.conf.d/bad.conf", text)
    with pytest.raises(RegistryError, match=sentence) as refused:
        files.load()
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", ["1", '"busybox"', '"a.test/x:v1"', '"a.test/x@sha256:0"'])
def test_a_bad_alias_is_said_when_it_is_asked_for(files: Files, value: str) -> None:
    files.write("etc/registries.conf.d/bad.conf", f"[aliases]\nx = {value}\n")
    found = files.load()
    assert found.candidates("y")
    with pytest.raises(RegistryError, match=r"aliases\.x is"):
        found.candidates("x")


@pytest.mark.parametrize("place", ["m.test:6000", "m.test/Upper"])
def test_a_name_that_becomes_none_is_said(files: Files, place: str) -> None:
    files.write("etc/registries.conf", f'[[registry]]\nprefix = "a.test"\nlocation = "{place}"\n')
    with pytest.raises(RegistryError, match=r"registries\.conf makes '.*' of a\.test, expected a repository"):
        asked(files.load(), "a.test:5000/x")


def test_unknown_words_are_left_to_others(files: Files) -> None:
    files.write("etc/registries.conf", 'future = 1\n[[registry]]\nlocation = "a.test"\nfuture = {x = 1}\n')
    assert [rule.prefix for rule in files.load().rules] == ["a.test"]


def test_a_pipe_in_place_of_a_file_hangs_nobody(files: Files) -> None:
    import os

    os.mkfifo(files.folder / "etc" / "registries.conf")
    with pytest.raises(RegistryError, match="cannot be read"):
        files.load()


def test_comments_and_aliases_cost_no_parser(files: Files) -> None:
    files.write("etc/registries.conf", "# unqualified-search-registries = []\n\n  # more\n")
    files.write("etc/registries.conf.d/shortnames.conf", '# x\n[aliases] # y\n"x" = "a.test/x"\n')
    code = (
        "import sys\nfrom bpfimg.oci import places\n"
        f"found = places.Registries.load({files.environ!r}, 1, system={str(files.folder / 'etc')!r})\n"
        "found.candidates('quay.io/x')\nprint('tomllib' in sys.modules)\n"
        "found.candidates('x')\nprint('tomllib' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_the_files_of_this_host_can_be_read() -> None:
    places.Registries.load({}, 0).candidates("busybox")


@pytest.mark.skipif(os.geteuid() != 0, reason="lacks root, who alone can give files away")
def test_root_reads_only_what_is_roots(files: Files) -> None:
    path = files.write("home/.config/containers/registries.conf", '[aliases]\n"counter" = "quay.io/evil/counter"\n')

    def candidates() -> str:
        found = places.Registries.load(files.environ, 0, system=str(files.folder / "etc"))
        return str(found.candidates("counter")[0].repository)

    assert candidates() == "quay.io/evil/counter"
    path.chmod(0o664)
    with pytest.raises(RegistryError, match="mode 0664, expected that only root can write to it"):
        candidates()
    path.chmod(0o644)
    os.chown(path, 65534, -1)
    with pytest.raises(RegistryError, match="belongs to uid 65534, expected root's own") as refused:
        candidates()
    assert "sudo -H" in refused.value.hint
    assert str(files.load().candidates("counter")[0].repository) == "quay.io/evil/counter"
