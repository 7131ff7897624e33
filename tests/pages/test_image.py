"""The page of an image in a browser: what it says, what is merely stored, what is believed, whatever names it has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Cli
from tests.support.objects import PRELUDE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.browser import Browser

NAME = "registry.example/net/filter:v1"
SOURCE = (
    PRELUDE
    + r"""
static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*old_read)(void *to, __u32 size, const void *from) = (void *)4;
struct { __uint(type, 1); __uint(max_entries, 8); __type(key, __u32); __type(value, __u64); } hits SEC(".maps");
struct { __uint(type, 1); __uint(max_entries, 8); __type(key, __u32); __type(value, __u64); } unused SEC(".maps");
const volatile __u32 limit = 7;
static __attribute__((noinline)) int count(__u32 key)
{
	__u64 *value = lookup(&hits, &key); /* <script>alert("source")</script> */
	return value && *value > limit;
}
SEC("xdp") int drop_many(void *ctx) { return count(1) ? 1 : 2; }
SEC("kprobe/vfs_read") int old(void *ctx) { __u64 n = 0; old_read(&n, 8, ctx); return n; }
char LICENSE[] SEC("license") = "GPL </title><script>alert(1)</script>";
"""
)
HOSTILE = {
    "evil.script": "<script>alert(1)</script>",
    "evil.link": "javascript:alert(1)",
    "evil.quote": '" onmouseover="alert(1)',
    "good.link": "https://git.example/net/filter?at=1&by=2",
}


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A store with one image, which is signed and has an SBOM, and a key."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "filter.bpf.c").write_text(SOURCE)
    made = Cli(folder, {"BPFIMG_STORE": str(folder / "store"), "BPFIMG_POLICY": str(folder / "none.json")})
    words = [word for name, text in HOSTILE.items() for word in ("--annotation", f"{name}={text}")]
    made("build", "-t", NAME, *words, "filter.bpf.c")
    made("key", "generate", "signer")
    made("key", "generate", "other")
    made("sign", "--key", "signer.key", NAME)
    made("referrers", NAME, "--sbom", "spdx")
    return made


def report(cli: Cli, *words: str) -> Path:
    """The page that a command writes."""
    path = cli.folder / f"{len(list(cli.folder.iterdir()))}.html"
    cli("report", *words, "--to", str(path))
    return path


@pytest.mark.parametrize("dark", [False, True])
def test_a_checker_of_accessibility_finds_nothing(chromium: Browser, cli: Cli, dark: bool) -> None:
    chromium.dress(dark=dark, width=360 if dark else 1280)
    chromium.open(report(cli, NAME))
    chromium.ask("for (const each of document.querySelectorAll('details')) each.open = true")
    assert chromium.broken_rules() == []
    assert chromium.ask("return document.documentElement.scrollWidth - window.innerWidth") <= 0


def test_it_shows_what_is_in_the_image(chromium: Browser, cli: Cli) -> None:
    chromium.dress()
    path = report(cli, NAME)
    chromium.open(path)
    text = chromium.ask("return document.body.textContent")
    (image,) = [each for each in json.loads(cli("images", "-o", "json").stdout)["images"] if each["reference"] == NAME]
    for words in (
        *("drop_many", "hits", "limit", "count", "BL034", "docs/lint/BL034.md", "vfs_read", "filter.bpf.c"),
        *('lookup(&hits, &key); /* <script>alert("source")</script> */', "application/spdx+json", "Linux "),
        *(image["digest"], "linux/", "clang version"),
    ):
        assert words in text, words
    drawn = chromium.ask("return [...document.querySelectorAll('svg text')].map(each => each.textContent)")
    assert {"drop_many", "count", "hits"} <= set(drawn)
    assert chromium.ask("return document.scripts.length") == 0
    assert chromium.driver.get_log("browser") == []


def test_what_is_stored_is_not_what_is_believed(cli: Cli) -> None:
    unasked, believed, refused = (
        report(cli, NAME, *words).read_text() for words in ((), ("--key", "signer.pub"), ("--key", "other.pub"))
    )
    for text in (unasked, believed, refused):
        assert "none of it was verified" in text
        assert "as a tag of cosign" in text
    assert ">Not verified here<" in unasked
    assert ">Believed<" in believed
    assert ">Not believed<" in refused
    assert not list(cli.folder.glob("**/history*")), "looking is not using: nothing is remembered of it"


def test_the_policy_of_the_machine_is_asked(cli: Cli) -> None:
    """One that lets it in without a signature, and one that cannot be read: the page says so, and is made."""
    policy = cli.folder / "policy.json"
    for text, verdict in (
        ('{"version": 1, "default": "insecure-allow-unsigned", "rules": []}', ">Let in UNSIGNED<"),
        ("{", "The trust policy cannot be read"),
    ):
        policy.write_text(text)
        policy.chmod(0o600)
        path = cli.folder / "asked.html"
        cli("report", NAME, "--to", str(path), BPFIMG_POLICY=str(policy))
        assert verdict in path.read_text()


def test_only_addresses_of_the_web_are_links(chromium: Browser, cli: Cli) -> None:
    chromium.open(report(cli, NAME))
    links = chromium.ask(
        "return [...document.querySelectorAll('a')].map(e => [e.getAttribute('href'), e.rel])"
        ".filter(([address]) => !address.startsWith('#'))"
    )
    assert links == [[HOSTILE["good.link"], "noreferrer noopener nofollow"]]
    text = chromium.ask("return document.body.textContent")
    for words in HOSTILE.values():
        assert words in text


def test_an_object_file_has_a_page(chromium: Browser, cli: Cli) -> None:
    cli("build", "-t", "registry.example/net/other:v1", "filter.bpf.c")
    from tests.support.objects import compile_source

    (cli.folder / "one.bpf.o").write_bytes(compile_source(SOURCE, prelude=False))
    chromium.open(report(cli, "one.bpf.o"))
    assert chromium.driver.title == "Object one.bpf.o"
    assert chromium.ask("return document.getElementById('vouched')") is None


def test_what_a_report_is_not(cli: Cli) -> None:
    assert "list --all -o json" in cli.error("report", expect=2)["hint"]
    cli("report", "--platform", "linux/arm64", expect=2)
    cli("report", "one.bpf.o", "--key", "signer.pub", expect=2)
    cli("report", NAME, "--platform", "linux/mips", expect=1)
    (cli.folder / "folder").mkdir(exist_ok=True)
    assert "is no file" in cli("report", NAME, "--to", "folder", expect=2).stderr
    (cli.folder / "link").symlink_to("folder")
    cli("report", NAME, "--to", "link", expect=2)
    assert "cannot be written" in cli("report", NAME, "--to", "no/such/folder.html", expect=1).stderr


def test_a_page_takes_the_place_of_an_older_one(cli: Cli) -> None:
    path = cli.folder / "page.html"
    path.write_text("older")
    quiet = cli("report", NAME, "--to", "page.html", "-q")
    assert (quiet.stdout, quiet.stderr) == ("", "")
    printed = cli("report", NAME)
    assert path.read_text().splitlines()[:3] == printed.stdout.splitlines()[:3]
    assert printed.stdout.endswith("</html>\n")
    assert not [name for name in cli.folder.iterdir() if name.name.startswith(".page")]
