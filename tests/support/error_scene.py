"""Where every error is tried: files that are wrong in one way each, registries that refuse, a store, a host.

`{NAME}` in a command stands for one of these; what a command says is written down with the same names.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from bpfimg.cli import main
from tests.support.fake_registry import fake_registry
from tests.support.netns import bpffs
from tests.support.objects import EXAMPLES, compile_source, example

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.fake_registry import Reply

NOBODY = 65534
#: an object with an error: nothing in it is a program
_NO_PROGRAM = 'struct { int (*type)[2]; } m SEC(".maps"); char L[] SEC("license") = "GPL";'


#: variables of the one who runs the tests, that commands look at
_FOREIGN = ("BPFIMG_", "COSIGN_", "XDG_", "GITHUB_", "ACTIONS_", "SIGSTORE_", "GITLAB_", "DOCKER_", "SUDO_")


@dataclass(frozen=True, slots=True)
class Said:
    """What became of a command."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Scene:
    """`names` are what stands for what; `environ` is the environment of every command; they run in `folder`."""

    folder: Path
    names: dict[str, str]
    environ: dict[str, str]

    def run(self, words: Sequence[str], **environ: str) -> Said:
        """What a command says, run here: its streams are not this process's."""
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
                patch.delenv(name)
            for name, text in {**self.environ, **environ}.items():
                patch.setenv(name, text)
            patch.chdir(self.folder)
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(), "utf-8"))
            code = main(list(words))
            out.flush()
        return Said(code, out.buffer.getvalue().decode(), err.getvalue())  # type: ignore[attr-defined]

    def unprivileged(self, words: Sequence[str], **environ: str) -> Said:
        """The same as a user who is nobody, in a process of its own."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            code = 70
            try:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                said = self.run(words, **environ)
                os.write(write, f"{said.code}\0{said.out[:20000]}\0{said.err[:20000]}".encode())
                code = 0
            finally:
                os._exit(code)
        os.close(write)
        with open(read, "rb") as pipe:
            answer = pipe.read().decode()
        assert os.waitpid(child, 0)[1] == 0, "the child did not end well"
        number, out, err = answer.split("\0")
        return Said(int(number), out, err)

    def filled(self, text: str) -> str:
        """`text` with what its names stand for."""
        for name, value in self.names.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def named(self, text: str) -> str:
        """`text` with names, and `...`, for what differs from one run, machine or compiler to the next."""
        for name, value in sorted(self.names.items(), key=lambda item: -len(item[1])):
            text = text.replace(value, f"{{{name}}}")
        for pattern, new in _DIFFERS:
            text = pattern.sub(new, text)
        return text


def _html(reply: Reply) -> Reply:
    """What a proxy says that stands between; a 500 would be tried again for some seconds."""
    return type(reply)(403, b"<html><body><h1>Not from here</h1></body></html>", {"Content-Type": "text/html"})


_DIFFERS = (
    (re.compile(r"(sha256[:/])(?!0{64})[0-9a-f]{64}"), r"\1..."),
    (re.compile(r"(cannot open program )\d+"), r"\1..."),
    (re.compile(r"(hint: )?there is: .*"), r"\1there is: ..."),
    (re.compile(r"( refuses '[^']*': ).*", re.S), r"\1...\n"),
)


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """A scene in that folder; root's has a file system for pins, too."""
    with ExitStack() as stack:
        fake, denied, html = (stack.enter_context(fake_registry()) for _ in range(3))
        denied.authorization, denied.challenge = "Basic eDp5", 'Basic realm="here"'
        html.fail("/v2/", _html, times=1 << 30)
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        names = {
            "here": str(folder),
            "fake": fake.host,
            "denied": denied.host,
            "html": html.host,
            "closed": f"127.0.0.1:{listener.getsockname()[1]}",
        }
        environ = {
            "HOME": str(folder),
            "NO_COLOR": "1",
            "COLUMNS": "100",
            "BPFIMG_STORE": str(folder / "store"),
            "BPFIMG_BPFFS": str(folder / "no-bpffs"),
            "BPFIMG_POLICY": str(folder / "policy.json"),
            "BPFIMG_STATE": str(folder / "state"),
            "BPFIMG_LOCK_TIMEOUT": "0.2",
            "COSIGN_PASSWORD": "x",
        }
        if os.geteuid() == 0:
            environ["BPFIMG_BPFFS"] = stack.enter_context(bpffs())
            names["bpffs"] = environ["BPFIMG_BPFFS"]
        made = Scene(folder, names, environ)
        _files(folder)
        _images(made)
        yield made


def _files(folder: Path) -> None:
    """Files that are right, and files that are wrong in one way."""
    (folder / "xdp.o").write_bytes(example("xdp_counter"))
    (folder / "xdp.bpf.c").write_bytes((EXAMPLES / "xdp_counter.bpf.c").read_bytes())
    (folder / "big.o").write_bytes(compile_source('SEC("xdp") int p(void *c) { return 2; }', target="bpfeb"))
    (folder / "none.o").write_bytes(compile_source(_NO_PROGRAM))
    (folder / "cut.o").write_bytes(example("xdp_counter")[:700])
    (folder / "empty").write_bytes(b"")
    (folder / "noise").write_bytes(bytes(range(1, 256)) * 4)
    (folder / "wrong.c").write_text("int main( {\n")
    (folder / "dir").mkdir()
    (folder / "full").mkdir()
    (folder / "full" / "file").write_text("x")
    (folder / "secret").write_text("x")
    (folder / "secret").chmod(0)
    (folder / "text.json").write_text("{")
    (folder / "list.json").write_text("[]")
    (folder / "object.json").write_text("{}")
    (folder / "bad.toml").write_text("inputs = [\n")
    (folder / "odd.toml").write_text('inputs = ["xdp.o"]\nimputs = 1\n')
    (folder / "out.toml").write_text('inputs = ["../xdp.o"]\n')
    (folder / "nested").mkdir()
    folder.chmod(0o755)


def _images(made: Scene) -> None:
    for words in (
        ["key", "generate", "k"],
        ["build", "-q", "-t", "team/xdp:v1", "xdp.o"],
        ["build", "-q", "-t", "team/unsigned:v1", "xdp.bpf.c"],
        ["sign", "-q", "--key", "k.key", "team/xdp:v1"],
        ["tag", "team/xdp:v1", f"{made.names['fake']}/team/xdp:v1"],
        ["push", "-q", f"{made.names['fake']}/team/xdp:v1"],
        ["rm", f"{made.names['fake']}/team/xdp:v1"],
    ):
        said = made.run(words)
        assert said.code == 0, said.err
