"""`bpfimg features`: what this host can do."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from bpfimg.cli._options import Options
    from bpfimg.kernel import features

    Entry = dict[str, str | None]

EPILOG = """\
Everything is found out by trying the smallest thing of its kind, attached to nothing, and gone at once; there are three
answers, since a process with few capabilities cannot tell everything. Versions are not looked at.

examples:
  bpfimg features
  bpfimg features --helpers xdp --helpers sched_cls
  bpfimg features -o json"""
_WIDTH = 100
_PLACES = 3
_ANSWERS = {True: "yes", False: "no", None: "unknown"}


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument(
        "--helpers", metavar="TYPE", action="append", default=[], help="also the functions that programs of it may call"
    )


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints what there is; what there is not is no error."""
    from bpfimg.kernel import features

    types = _types(arguments.helpers)
    entries = [*_hooks(), *_program_types(), *_map_types(), *_helpers(types)]
    facts = features.host()
    if options.json:
        from bpfimg.cli._render import json_text

        print(json_text({"features": entries, "host": _host(facts)}))
    elif options.quiet:
        print("".join(f"{entry['id']}\n" for entry in entries if entry["answer"] == "yes"), end="")
    else:
        print(_text(entries, facts, types))
    return 0


def _types(words: Sequence[str]) -> list[str]:
    from bpfimg.errors import UsageError, quoted
    from bpfimg.kernel import abi

    known = abi.PROGRAM_TYPES[1:]
    for word in words:
        if word not in known:
            hint = f"they are: {', '.join(known)}"
            raise UsageError(f"--helpers is {quoted(word)}, expected a program type in the kernel's words", hint=hint)
    return list(dict.fromkeys(words))


def _entry(kind: str, name: str, answer: bool | None, reason: str = "", program_type: str | None = None) -> Entry:
    within = f"{program_type}:" if program_type else ""
    found: Entry = {"id": f"{kind}:{within}{name}", "kind": kind, "name": name, "answer": _ANSWERS[answer]}
    if program_type:
        found["program_type"] = program_type
    return {**found, "reason": reason or None}


def _hooks() -> Iterator[Entry]:
    from bpfimg.kernel import features
    from bpfimg.load import hooks

    for word in (*hooks.WORDS, "iter", "syscall"):
        answer = features.hook(word)
        yield _entry("hook", word, answer.has, answer.reason)


def _program_types() -> Iterator[Entry]:
    from bpfimg.kernel import abi, features

    for number, word in enumerate(abi.PROGRAM_TYPES):
        if number:
            answer = features.program_type(number)
            yield _entry("program_type", word, answer, features.untold(word) if answer is None else "")


def _map_types() -> Iterator[Entry]:
    from bpfimg.kernel import abi, features

    for number, word in enumerate(abi.MAP_TYPES):
        if number:
            answer = features.map_type(number)
            reason = features.permission_hint(("CAP_BPF",), "to tell, making a map") if answer is None else ""
            yield _entry("map_type", word, answer, reason.removesuffix(". Run it as root"))


def _helpers(types: Sequence[str]) -> Iterator[Entry]:
    from bpfimg.kernel import abi, features

    for word in types:
        type_id = abi.PROGRAM_TYPES.index(word)
        found = features.helper_functions(type_id)
        for name, answer in found:
            yield _entry("helper", name, answer, "", word)
        if not found:
            yield _entry("helper", "*", None, features.untold(word) or f"{word} programs cannot be tried here", word)


def _host(facts: features.Facts) -> dict[str, object]:
    return {
        "release": facts.release,
        "machine": facts.machine,
        "libbpf": facts.libbpf,
        "kernel_btf": facts.btf,
        "jit": facts.jit,
        "unprivileged_bpf_disabled": facts.unprivileged,
        "lockdown": facts.lockdown,
        "security_modules": None if facts.security_modules is None else list(facts.security_modules),
        "capabilities": None if facts.capabilities is None else dict(facts.capabilities),
        "user_namespace": facts.user_namespace,
        "mounts": {kind: list(places) for kind, places in facts.mounts.items()},
        "configuration": None if facts.configuration is None else dict(facts.configuration),
    }


def _text(entries: Sequence[Entry], facts: features.Facts, types: Sequence[str]) -> str:
    from bpfimg.cli._render import block, table

    rows = [(str(e["name"]), str(e["answer"]), e["reason"] or "") for e in entries if e["kind"] == "hook"]
    parts = [block("Host", _facts(facts)), table(("HOOK", "HERE", "WHY NOT"), rows)]
    parts += [block(title, _grouped(entries, kind)) for title, kind in _GROUPS]
    for word in types:
        found = [e for e in entries if e["kind"] == "helper" and e["program_type"] == word]
        parts.append(block(f"Functions that {word} programs may call", _grouped(found, "helper")))
    return "\n\n".join(parts)


_GROUPS = (("Program types", "program_type"), ("Map types", "map_type"))


def _grouped(entries: Sequence[Entry], kind: str) -> Iterator[tuple[str, str]]:
    from textwrap import wrap

    for answer in _ANSWERS.values():
        names = [str(e["name"]) for e in entries if e["kind"] == kind and e["answer"] == answer]
        for number, line in enumerate(wrap(" ".join(names), _WIDTH)):
            yield "" if number else answer, line
    why = {e["reason"] for e in entries if e["kind"] == kind and e["reason"]}
    if why:
        yield "why unknown", "; ".join(sorted(map(str, why)))


def _facts(facts: features.Facts) -> Iterator[tuple[str, str]]:
    yield "kernel", f"{facts.release} ({facts.machine})"
    yield "libbpf", facts.libbpf or "not installed"
    yield "kernel's types (BTF)", "yes" if facts.btf else "no"
    yield "JIT", {0: "off", 1: "on", 2: "on, with debug output", None: "unknown"}.get(facts.jit, str(facts.jit))
    yield "unprivileged eBPF", {0: "allowed", None: "unknown"}.get(facts.unprivileged, "not allowed")
    yield "lockdown", facts.lockdown or "unknown"
    yield "security modules", "unknown" if facts.security_modules is None else " ".join(facts.security_modules)
    held = facts.capabilities
    here = "unknown" if held is None else " ".join(name for name, has in held.items() if has) or "none"
    yield "capabilities", f"{here}{' (of a user namespace only)' if facts.user_namespace else ''}"
    for kind, places in facts.mounts.items():
        more = f" and {len(places) - _PLACES} more" if len(places) > _PLACES else ""
        yield f"{kind} at", f"{' '.join(places[:_PLACES])}{more}" if places else "not mounted"
    if facts.configuration is None:
        yield "configuration", "not readable"
