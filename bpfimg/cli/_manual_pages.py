"""The man pages as texts: `bpfimg.1`, and one for each verb."""

from __future__ import annotations

import re

from bpfimg.cli import _manual_words as words
from bpfimg.cli import _roff as roff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bpfimg.cli._described import Verb

__all__ = ["main_page", "verb_page"]

_ABOUT = "Ship eBPF programs as OCI images, and run them only when they are trusted."
_COMMON = (
    "Options that every verb takes are in bpfimg(1): --store, --policy, -o text|json, -q, -v and more; each is a "
    "variable, too, as BPFIMG_STORE is for --store."
)


def main_page(verbs: Sequence[Verb], date: str, version: str) -> str:
    """The page of `bpfimg` itself: its verbs, and the options, variables and files of all."""
    lines = [roff.title("bpfimg", date, f"bpfimg {version}")]
    lines += _name("bpfimg", "ship eBPF programs as OCI images, and run them only when they are trusted")
    lines += [roff.section("SYNOPSIS"), f"{roff.bold('bpfimg')} {roff.slanted('VERB')} [OPTIONS] ..."]
    lines += [".br", f"{roff.bold('bpfimg')} {roff.slanted('VERB')} {roff.bold('--help')}"]
    lines += [roff.section("DESCRIPTION"), roff.filled(_ABOUT), roff.section("VERBS")]
    lines += [roff.entry(f"{roff.bold('bpfimg-' + verb.name)}(1)", verb.line) for verb in verbs]
    lines += [roff.section("OPTIONS"), roff.filled("Every verb takes these, before it or behind it.")]
    lines += roff.options(verbs[0].common.arguments)
    named = {flag: f"BPFIMG_{flag[2:].upper().replace('-', '_')}" for flag in _long(verbs[0])}
    of_options = {variable: f"as {flag}" for flag, variable in named.items()}
    lines += _exit("")
    lines += _listed("ENVIRONMENT", of_options | words.environment(""))
    lines += _listed("FILES", words.files(""))
    shown = "bpfimg run --key cosign.pub registry.example/xdp_counter:v1 xdp --iface eth0"
    lines += [roff.section("EXAMPLES"), roff.kept(shown)]
    lines += _see_also([f"bpfimg-{verb.name}(1)" for verb in verbs], words.NEIGHBOURS[""])
    return "\n".join(lines) + "\n"


def verb_page(verb: Verb, names: Iterable[str], date: str, version: str) -> str:
    """The page of one verb; `names` are all verbs, of which those that it speaks of are named at its end."""
    lines = [roff.title(f"bpfimg-{verb.name}", date, f"bpfimg {version}")]
    lines += _name(f"bpfimg-{verb.name}", verb.line)
    lines += [roff.section("SYNOPSIS"), *_usages(verb)]
    lines += [roff.section("DESCRIPTION"), roff.filled(f"{verb.line[0].upper()}{verb.line[1:]}.")]
    lines += roff.paragraphs(verb.paragraphs)
    lines += [roff.section("OPTIONS"), roff.filled(_COMMON)]
    for group in verb.groups:
        if group.title not in ("words", "options"):
            lines.append(roff.section(group.title, small=True))
        lines += roff.options(each for each in group.arguments if "--help" not in each.flags)
    if any(sub.groups for sub in verb.subs):
        lines += [roff.section(verb.subs_title.upper())]
        for sub in verb.subs:
            lines += _sub(sub)
    lines += [roff.section("EXAMPLES")]
    for example in verb.examples:
        lines += [".PP", roff.kept(example)] if example is not verb.examples[0] else [roff.kept(example)]
    lines += _exit(verb.name)
    lines += _listed("ENVIRONMENT", words.environment(verb.name))
    lines += _listed("FILES", words.files(verb.name))
    said = " ".join([*(each.text for each in verb.paragraphs), *verb.examples])
    near = [name for name in names if name != verb.name and re.search(rf"\bbpfimg {name}\b", said)]
    lines += _see_also(["bpfimg(1)", *(f"bpfimg-{name}(1)" for name in near)], words.NEIGHBOURS.get(verb.name, ()))
    return "\n".join(lines) + "\n"


def _name(name: str, line: str) -> list[str]:
    """In one line, as lexgrog(1) and makewhatis(8) want it."""
    return [roff.section("NAME"), f"{roff.escaped(name)} \\- {roff.escaped(line)}"]


def _usages(verb: Verb) -> Iterator[str]:
    usages = [sub.usage for sub in verb.subs] if verb.subs_title == "actions" else [verb.usage]
    for i, usage in enumerate(usages):
        if i:
            yield ".br"
        yield " ".join(
            roff.bold(word) if re.match(r"[a-z]+$|-", word) else roff.slanted(word) for word in usage.split()
        )


def _sub(sub: Verb) -> Iterator[str]:
    yield roff.section(sub.name.partition(" ")[2], small=True)
    yield roff.filled(f"{sub.line[0].upper()}{sub.line[1:]}.")
    for group in sub.groups:
        yield from roff.options(each for each in group.arguments if "--help" not in each.flags)


def _exit(verb: str) -> Iterator[str]:
    codes = dict(words.EXIT) | dict(words.MORE_EXIT.get(verb, ()))
    return _listed("EXIT STATUS", dict(sorted(codes.items(), key=lambda code: int(code[0]))))


def _listed(heading: str, entries: dict[str, str]) -> Iterator[str]:
    if entries:
        yield roff.section(heading)
    for name, text in entries.items():
        yield roff.entry(roff.bold(name) if not name.startswith(("/", "$")) else roff.slanted(name), text)


def _see_also(pages: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    yield roff.section("SEE ALSO")
    named = [page.partition("(") for page in (*pages, *others)]
    yield ",\n".join(f"{roff.bold(name)}({number}" for name, _, number in named)


def _long(verb: Verb) -> list[str]:
    return [each.flags[-1] for each in verb.common.arguments]
