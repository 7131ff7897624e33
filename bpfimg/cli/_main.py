"""Finds the verb, runs it, and turns what went wrong into one sentence and an exit code."""

from __future__ import annotations

import errno
import itertools
import os
import sys

from bpfimg import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import NoReturn

#: verb -> (module below bpfimg.cli, one line); a verb's parser and imports cost nothing until it is asked for
VERBS: dict[str, tuple[str, str]] = {
    "init": ("_init", "write a project file and a pipeline for a tree of sources"),
    "build": ("_build", "make a bytecode image from an object file or a C source"),
    "images": ("_images", "list the images in the local store, or the tags in a registry"),
    "tag": ("_tag", "give an image in the local store one more name"),
    "rm": ("_rm", "remove names of images from the local store, or from a registry"),
    "prune": ("_prune", "remove content from the local store that no image needs"),
    "fsck": ("_fsck", "check every byte and every name of the local store"),
    "push": ("_push", "copy an image from the local store to a registry"),
    "pull": ("_pull", "copy an image from a registry to the local store"),
    "copy": ("_copy", "copy an image between any two places, with its signatures"),
    "login": ("_login", "log in to a registry, after asking it"),
    "logout": ("_logout", "forget the login to a registry"),
    "key": ("_key", "make signing keys, show a public key"),
    "sign": ("_sign", "sign an image, with a key or in the name of a CI job or a person"),
    "attest": ("_attest", "sign a statement about an image: an SBOM, provenance, a report"),
    "verify": ("_verify", "say who signed an image and whether the policy believes it"),
    "policy": ("_policy", "begin a trust policy, look into one, ask for the rule of an image"),
    "referrers": ("_referrers", "list what is attached to an image: SBOMs, provenance, signatures"),
    "inspect": ("_inspect", "show what is in an image or object file"),
    "lint": ("_lint", "say what is wrong with an image or object file, by stable rules"),
    "diff": ("_diff", "say what changed between two images or objects, and whom it breaks"),
    "check": ("_check", "say whether an object would load into kernels, by their types"),
    "run": ("_run", "pull if needed, verify, load and attach, in one step"),
    "load": ("_load", "pull if needed, verify and load, without attaching"),
    "unload": ("_unload", "detach and unload programs"),
    "attach": ("_attach", "attach a loaded program to a hook"),
    "detach": ("_detach", "detach links"),
    "set": ("_set", "give a program of a chain another priority, in one step"),
    "list": ("_list", "list programs; --all: everything eBPF in this kernel"),
    "get": ("_get", "show everything about one program"),
    "apply": ("_apply", "run what a file declares, and show first what that changes"),
    "export": ("_export", "write what is loaded as a file for `bpfimg apply`"),
    "doctor": ("_doctor", "say what is inconsistent on this host, and how to mend it"),
    "gc": ("_gc", "take away what killed commands left"),
    "features": ("_features", "say what this host can do: hooks, program and map types, functions"),
    "links": ("_links", "list links: what is attached where"),
    "status": ("_status", "show the chain of programs on each hook, in running order"),
    "top": ("_top", "show live how often programs run and what their maps count"),
    "maps": ("_maps", "list maps; --all: every map in this kernel"),
    "map": ("_map", "read, write and watch what is in a map, by its types"),
    "report": ("_report", "write one HTML page of this host, or of an image"),
    "hooks": ("_hooks_verb", "list what can be attached to: functions, tracepoints, probes"),
    "completion": ("_completion", "print what makes a shell complete the words of bpfimg"),
    "manual": ("_manual", "print the man page of a verb, or write all of them"),
}

#: the first class that fits decides; the rest is exit code 1
EXIT_CODES: tuple[tuple[type[errors.Error], int], ...] = (
    (errors.UsageError, 2),
    (errors.VerificationError, 3),
    (errors.NotSupported, 4),
)


_LIMITS = "bpfimg needs about 32 descriptors (`ulimit -n`)"


def command() -> NoReturn:
    """The `bpfimg` command: `main`, then the process ends at once.

    Taking an interpreter down object by object costs 4 to 7 ms, and collecting garbage while modules are imported 5:
    more than a third of `bpfimg list`. What has to be closed is closed by `with` before this.
    """
    import gc

    gc.set_threshold(100_000)
    _open_streams()
    try:
        code = main()
    except SystemExit as stop:  # argparse, after it has printed a help text
        code = stop.code if isinstance(stop.code, int) else 0
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 1
    os._exit(code)


def _open_streams() -> None:
    """Makes both streams fit to be written to, whatever the caller left of them.

    One that was closed (`>&-`) leads to /dev/null: else the next thing opened, a map perhaps, would be number 1. What
    the locale cannot spell is written as an escape.
    """
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:  # Python's way to say that it was closed
        while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(fd)
        sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # until the end
        sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line (without the program's name); returns 0, 1, 2, 3 or 4, or 130 after Ctrl-C."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(words)
        sys.stdout.flush()
    except errors.Error as error:
        return _report(error, words)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader (head, less) went away: what it wanted, it has; keep the interpreter from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # the rooms translate their own; what is left is the answer that could not be written, or no room to work in
        if error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EAGAIN):
            return _report(errors.Error(f"the answer could not be written: {error.strerror}"), words)
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            return _report(errors.Error(f"this process may use no more: {error.strerror}", hint=_LIMITS), words)
        raise
    return code


def _dispatch(words: list[str]) -> int:
    if words[:1] == ["complete"]:  # what the shells ask: no verb of people's, and never an error
        from bpfimg.cli import _complete

        return _complete.run(words[1:])
    leading, verb, rest = _split(words)
    if verb is None:
        if "--version" in leading:
            from bpfimg import __version__

            print(f"bpfimg {__version__}")
            return 0
        if not {"-h", "--help"} & set(leading):
            print(_help(), file=sys.stderr)
            return 2
        print(_help())
        return 0
    from bpfimg.cli import _parser

    module = module_of(verb)
    arguments, options = _parser.parse(verb, VERBS[verb][1], module, leading + rest)
    with options.open:
        return int(module.run(arguments, options))


def module_of(verb: str) -> ModuleType:
    """The module of one of `VERBS`."""
    module: ModuleType = __import__(f"bpfimg.cli.{VERBS[verb][0]}", fromlist=["*"])
    return module


def _split(words: list[str]) -> tuple[list[str], str | None, list[str]]:
    """Common options may stand before the verb: what precedes it, the verb, what follows."""
    from bpfimg.cli._options import takes_value

    i = 0
    while i < len(words) and words[i].startswith("-"):
        i += 2 if takes_value(words[i]) else 1
    if i >= len(words):
        return words, None, []
    verb = words[i]
    rest = words[i + 1 :]
    if verb == "help":
        if rest[:1] in ([], ["help"]):
            return ["--help"], None, []
        verb, *rest = rest
        # a HOOK stands behind the word that says what is attached
        rest = [*(["REF"] if verb in ("run", "attach") and rest else []), *rest, "--help"]
    if verb not in VERBS:
        raise unknown_verb(verb)
    return words[:i], verb, rest


def unknown_verb(word: str) -> errors.UsageError:
    """What to say of a word that is no verb, with the one that was meant perhaps."""
    from difflib import get_close_matches

    near = get_close_matches(word, VERBS, n=1)
    hint = f"did you mean `bpfimg {near[0]}`?" if near else "`bpfimg --help` lists the verbs"
    return errors.UsageError(f"there is no verb {errors.quoted(word)}", hint=hint)


def _help() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:{width}}  {line}" for verb, (_, line) in VERBS.items())
    return f"""\
usage: bpfimg VERB [OPTIONS] ...

Ship eBPF programs as OCI images, and run them only when they are trusted.

{verbs}

`bpfimg VERB --help` explains a verb. Options that every verb takes:
  --store DIR, --bpffs DIR, --policy FILE, --state DIR, -o text|json, -q, -v,
  --authfile FILE, --ca-file FILE, --plain-http, --insecure-skip-tls-verify,
  --lock-timeout SECONDS; each also as a variable, BPFIMG_STORE and so on.

exit codes: 0 done, 1 failed, 2 usage, 3 not believed (signature or policy),
            4 not supported by this kernel or host; `diff` also 10 and 11

example:
  bpfimg run --key cosign.pub registry.example/xdp_counter:v1 xdp --iface eth0"""


def exit_code(error: errors.Error) -> int:
    """The exit code of a failed command."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


def _report(error: errors.Error, words: list[str]) -> int:
    code = exit_code(error)
    try:
        print(_as_json(error, code) if _wants_json(words) else _as_text(error, words), file=sys.stderr)
        sys.stderr.flush()
    except OSError:  # nobody listens, or the disk is full: the exit code still says what it was
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return code


def _as_json(error: errors.Error, code: int) -> str:
    import json

    from bpfimg.cli._render import clean

    said: dict[str, object] = {
        "kind": type(error).__name__,
        "message": clean(str(error)),
        "hint": clean(error.hint, keep_lines=True),
        "exit": code,
    }
    reasons = [clean(reason) for reason in getattr(error, "reasons", ())]
    if reasons:
        said["reasons"] = reasons
    for word in ("cause", "source"):
        if getattr(error, word, ""):
            said[word] = clean(getattr(error, word))
    log = getattr(error, "log", "")
    if log:
        said["log"] = clean(log, keep_lines=True)
    return json.dumps({"error": said})


def _as_text(error: errors.Error, words: list[str]) -> str:
    from bpfimg.cli._colour import paint
    from bpfimg.cli._render import clean

    lines = [f"bpfimg: {paint('error:', 'worse', sys.stderr)} {clean(str(error))}"]
    lines += [f"  - {clean(reason)}" for reason in getattr(error, "reasons", ())]
    log, hint = getattr(error, "log", ""), error.hint
    if log and {"-v", "--verbose"} & set(words):
        lines.append(clean(log, keep_lines=True))
    elif log:
        hint = f"{hint} (-v shows it)"
    if hint:
        lines.append(f"{paint('hint:', 'head', sys.stderr)} {clean(hint, keep_lines=True)}")
    return "\n".join(lines)


def _wants_json(words: list[str]) -> bool:
    """Also answers for a command line that could not be parsed: the last word on it counts, else the variable."""
    wanted = os.environ.get("BPFIMG_OUTPUT", "")
    for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
        if word in ("-o", "--output"):
            wanted = following
        elif word.startswith(("-otext", "-ojson", "--output=")):
            wanted = word.removeprefix("--output=").removeprefix("-o")
    return wanted == "json"
