"""Which words can stand where: one table, from a verb's words and options to where their candidates come from."""

from __future__ import annotations

import argparse
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from bpfimg.cli._complete_line import Line

__all__ = ["SOURCES", "source", "values"]

_PREDICATES = "words slsaprovenance slsaprovenance1 spdxjson cyclonedx vuln openvex link custom compatibility"

#: for words "VERB METAVAR" or METAVAR, for options "VERB FLAG" or FLAG (the long one); the nearest that is there counts
#: -> a function of one of the files below, with what is to be given to it behind a blank; "" where anything can stand.
#: What has choices, or a metavar of words as text|json, needs no entry.
SOURCES: dict[str, str] = {
    # images, objects, files
    "REF": "images.references",
    "REF|OBJ": "images.references_or_objects",
    "REF|OBJ|DIR": "images.references_or_objects",
    "A": "images.references_or_objects",
    "B": "images.references_or_objects",
    "SRC": "images.references",
    "DST": "images.destinations",
    "tag SRC": "images.names",
    "tag DST": "images.names",
    "images REF": "images.names",
    "rm REF": "images.names",
    "run REF": "images.references_to_run",
    "load REF": "images.references_to_run",
    "build --tag": "images.names",
    "build --check": "images.names",
    "INPUT": "system.files .o .c",
    "REGISTRY": "images.registries",
    "PREFIX": "system.files /",
    "KEY": "system.files .key",
    "FILE": "system.files .json",
    "apply FILE": "system.files .toml .json",
    "--program": "images.programs",
    "--disassemble": "images.programs",
    "--global": "images.globals",
    "--global-be": "images.globals",
    "--map": "images.maps",
    "--platform": "images.platforms",
    "build --platform": "images.platform_list",
    "lint --platform": "images.platform_list",
    "run sk_msg --map": "names.maps",
    "run sk_skb --map": "names.maps",
    "run struct_ops --map": "images.maps",
    "run iter --map": "images.maps",
    # what is on this host
    "ID": "names.programs",
    "ID|NAME": "names.programs_and_applications",
    "export ID|NAME": "names.programs_and_applications",
    "LINK": "names.links",
    "attach --program": "names.programs_of_application",
    "attach --map": "names.maps",
    "detach --program": "names.programs",
    "inspect --id": "names.programs",
    "--name": "names.applications",
    "--map-owner": "names.programs_and_applications",
    "--selector": "names.metadata",
    "--type": "system.hook_types",
    "maps --type": "system.map_types",
    "WORD": "names.map_words",
    # this machine
    "IFACE": "system.interfaces",
    "--iface": "system.interfaces",
    "--netns": "system.namespaces",
    "PATH": "system.cgroups",
    "--cgroup": "system.cgroups",
    "GROUP/NAME": "tracing.tracepoints",
    "raw_tracepoint NAME": "tracing.events",
    "tp_btf NAME": "tracing.events",
    "ksyscall NAME": "tracing.system_calls",
    "kretsyscall NAME": "tracing.system_calls",
    "lsm NAME": "tracing.lsm_hooks",
    "cgroup --target": "tracing.lsm_hooks",
    "FUNC": "tracing.functions",
    "--module": "tracing.modules",
    "EVENT": "words cpu-clock task-clock page-faults context-switches cpu-migrations minor-faults major-faults cycles"
    " instructions cache-references cache-misses branches branch-misses",
    "TARGET": "system.programs",
    "PROVIDER:NAME": "tracing.probes",
    "--function": "tracing.file_functions",
    "KIND": "words kprobe tracepoint uprobe usdt",
    "FILE | PATTERN": "tracing.listed",
    "--pid": "system.processes",
    "--container-pid": "system.processes",
    "--map-user": "system.users",
    "--map-group": "system.groups",
    # words of bpfimg's own
    "VERB": "system.verbs",
    "--proceed-on": "system.results",
    "--priority": "",
    "netfilter --priority": "words raw mangle dstnat filter security srcnat",
    "netfilter --hook": "words prerouting input forward output postrouting",
    "cgroup --attach-type": "system.cgroup_types",
    "sk_skb --attach-type": "words verdict stream_verdict stream_parser",
    "--helpers": "system.program_types",
    "--attestation": _PREDICATES,
    "attest --type": _PREDICATES,
    "--disable": "images.rules",
    "--fail-on": "words error warning note never",
    "--graph-of": "list calls maps helpers",
    "--limit": "images.limits",
    "lint --format": "words text json sarif markdown github gitlab junit",
    "diff --format": "words text json markdown github junit",
    "lint --report": "system.reports sarif junit github gitlab markdown json text",
    "diff --report": "system.reports markdown junit github json text",
    "build --report": "system.reports github",
    "check --format": "words text json markdown github junit",
    "check --report": "system.reports junit markdown github json text",
    "check --max-insns": "words 10000 100000 1000000",
    "DIR": "system.files /",
    "--kernels": "words 6.1 6.12 bookworm trixie forky sid bookworm-backports trixie-backports",
    "--kernels-cache": "system.files /",
    "--kernels-mirror": "",
    "--kernels-timeout": "",
    "--image": "",
    "--print": "words pipeline.sh github.yml gitlab.yml pre-commit.yaml",
    "--map-mode": "words 600 640 644 660",
    "--older": "words 30m 12h 1d 7d 30d",
    "--certificate-oidc-issuer": "words https://token.actions.githubusercontent.com https://gitlab.com"
    " https://accounts.google.com",
    "--predicate": "system.files .json",
    "--key": "system.files .pub .pem .key",
    "sign --key": "system.files .key .pem",
    "attest --key": "system.files .key .pem",
    "--store": "system.files /",
    "--bpffs": "system.files /",
    "--state": "system.files /",
    "--to": "system.files /",
    "--project": "system.files .toml",
    "--from-containers": "system.files .json",
    "--policy": "system.files .json",
    "--trusted-root": "system.files .json",
    "--trust-config": "system.files .json",
    "--signing-config": "system.files .json",
    "--ca-file": "system.files .pem .crt",
    "-I": "system.files /",
    "--compiler": "system.programs",
    "--authfile": "system.files",
    "--btf": "system.files",
    "--digest-file": "system.files",
    "--from-file": "system.files",
    "--identity-token": "system.files",
    "--journal": "system.files",
    "--password-file": "system.files",
    "--context": "",
    # what only its author knows
    **dict.fromkeys(
        (
            "--annotation", "--label", "--metadata", "-D", "--builder-id", "--username", "--certificate-identity",
            "--certificate-identity-regexp", "--certificate-oidc-issuer-regexp", "--scope", "--get", "--pattern",
            "--offset", "--frequency", "--period", "--cpu", "--count", "--interval", "--stats", "--map-memory",
            "--lock-timeout",
        ),
        "",
    ),
}  # fmt: skip

_WORDS = re.compile(r"[a-z0-9_-]+(?:\|[a-z0-9_-]+)+")


def source(verb: str, action: argparse.Action) -> str | None:
    """Where the candidates of a word or an option come from; None where nothing is known of it."""
    if isinstance(action, argparse._SubParsersAction):
        return "subs"
    metavar = str(action.metavar or "|".join(map(str, action.choices or ())) or action.dest)
    if action.choices is not None or _WORDS.fullmatch(metavar):
        return "words " + " ".join(map(str, action.choices or metavar.split("|")))
    name = action.option_strings[-1] if action.option_strings else metavar
    first, _, last = verb.rpartition(" ")
    for key in (f"{verb} {name}", f"{last} {name}", f"{first} {name}", name):
        if key in SOURCES:
            return SOURCES[key]
    return None


def values(line: Line, action: argparse.Action) -> Iterator[tuple[str, str]]:
    """What can stand there, and what that is."""
    said = source(line.verb, action)
    if said == "subs":
        assert isinstance(action, argparse._SubParsersAction)
        yield from ((each.dest, str(each.help)) for each in action._choices_actions)
        return
    name, *given = (said or "").split(" ")
    if name == "words":
        yield from ((word, "") for word in given)
    elif name == "list":
        from bpfimg.cli._complete_system import listed

        yield from listed(line.current, ((word, "") for word in given))
    elif name:
        yield from _asked(name, line, given)


def _asked(name: str, line: Line, given: list[str]) -> Iterator[tuple[str, str]]:
    file, _, function = name.partition(".")
    room: ModuleType
    if file == "images":
        from bpfimg.cli import _complete_images as room
    elif file == "names":
        from bpfimg.cli import _complete_names as room
    elif file == "tracing":
        from bpfimg.cli import _complete_tracing as room
    else:
        from bpfimg.cli import _complete_system as room
    yield from getattr(room, function)(line, *given)
