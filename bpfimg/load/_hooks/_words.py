"""Words to hooks and back: one table, from which command line, records, files and the engine all read.

A word may fix a field of its class: `kretprobe` is a Kprobe with `ret`.
"""

from __future__ import annotations

from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from bpfimg.load._hooks._union import Hook

#: word -> (file of the class, class, fields that the word fixes, family in load/_families)
WORDS: dict[str, tuple[str, str, dict[str, object], str]] = {
    "xdp": ("_net", "Xdp", {}, "_xdp"),
    "tc": ("_net", "Tc", {}, "_tc"),
    "tcx": ("_net", "Tcx", {}, "_tcx"),
    "netkit": ("_net", "Netkit", {}, "_netkit"),
    "netfilter": ("_net", "Netfilter", {}, "_netfilter"),
    "sk_lookup": ("_net", "Netns", {"kind": "sk_lookup"}, "_netns"),
    "flow_dissector": ("_net", "Netns", {"kind": "flow_dissector"}, "_netns"),
    "sk_msg": ("_net", "Sockmap", {"kind": "sk_msg"}, "_sockmap"),
    "sk_skb": ("_net", "Sockmap", {"kind": "sk_skb"}, "_sockmap"),
    "cgroup": ("_cgroup", "Cgroup", {}, "_cgroup"),
    "tracepoint": ("_trace", "Tracepoint", {}, "_tracepoint"),
    "raw_tracepoint": ("_trace", "RawTracepoint", {}, "_raw_tracepoint"),
    "tp_btf": ("_trace", "Tracing", {"kind": "tp_btf"}, "_tracing"),
    "kprobe": ("_trace", "Kprobe", {}, "_kprobe"),
    "kretprobe": ("_trace", "Kprobe", {"ret": True}, "_kprobe"),
    "ksyscall": ("_trace", "Ksyscall", {}, "_kprobe"),
    "kretsyscall": ("_trace", "Ksyscall", {"ret": True}, "_kprobe"),
    "fentry": ("_trace", "Tracing", {"kind": "fentry"}, "_tracing"),
    "fexit": ("_trace", "Tracing", {"kind": "fexit"}, "_tracing"),
    "fmod_ret": ("_trace", "Tracing", {"kind": "fmod_ret"}, "_tracing"),
    "lsm": ("_trace", "Tracing", {"kind": "lsm"}, "_tracing"),
    "perf_event": ("_trace", "PerfEvent", {}, "_perf_event"),
    "struct_ops": ("_trace", "StructOps", {}, "_struct_ops"),
    "uprobe": ("_user", "Uprobe", {}, "_uprobe"),
    "uretprobe": ("_user", "Uprobe", {"ret": True}, "_uprobe"),
    "usdt": ("_user", "Usdt", {}, "_usdt"),
}


def family(hook: Hook) -> str:
    """The file in load/_families that attaches to such a hook."""
    return WORDS[hook.word][3]


def to_dict(hook: Hook, *, defaults: bool = False) -> dict[str, object]:
    """The hook as a document: `kind` is its word, the rest those of its fields that are not the default.

    `defaults` keeps those too, but for None.
    """
    file, name, fixed, _ = WORDS[hook.word]
    document: dict[str, object] = {"kind": hook.word}
    for field, default in _fields(file, name).items():
        content = getattr(hook, field)
        if field not in fixed and (content is not None if defaults else content != default):
            document[field] = list(content) if isinstance(content, tuple) else content
    return document


def from_dict(document: Mapping[str, Any]) -> Hook:
    """Reads a document of `to_dict`; UsageError names a word, a field or a value that is not one."""
    word = document.get("kind")
    if not isinstance(word, str) or word not in WORDS:
        raise UsageError(f"{quoted(word)} is not a hook, expected one of {', '.join(WORDS)}")
    file, name, fixed, _ = WORDS[word]
    known = {field: default for field, default in _fields(file, name).items() if field not in fixed}
    given = {field: content for field, content in document.items() if field != "kind"}
    for field, content in given.items():
        if field not in known:
            raise UsageError(f"hook {word} has no {quoted(field)}, expected {', '.join(known)}")
        if isinstance(content, list):
            given[field] = tuple(content)
    lacking = [field for field, default in known.items() if default is ... and field not in given]
    if lacking:
        raise UsageError(f"hook {word} lacks {' and '.join(lacking)}")
    hook: Hook = _class(file, name)(**given, **fixed)
    return hook


def _class(file: str, name: str) -> Any:
    return getattr(__import__(f"bpfimg.load._hooks.{file}", fromlist=["*"]), name)


def _fields(file: str, name: str) -> dict[str, object]:
    """Field -> default; `...` where there is none."""
    found = _class(file, name)
    return {field: found._defaults.get(field, ...) for field in found.__slots__}
