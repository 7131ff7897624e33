"""Real shells on a terminal of their own: what is typed, TAB among it, and what then stands on the line."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PATIENCE = 120.0
_LINE = "line-as-it-stands"
#: what each is told first: the script of bpfimg, and a key (Ctrl-X Ctrl-L) that writes the line into a file
_BEGIN = {
    "bash": """\
bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; bind 'set completion-query-items 0'
source /usr/share/bash-completion/bash_completion
eval "$(bpfimg completion bash)"
_seen() { printf '%s\\n' "$READLINE_LINE" > line.new; mv line.new line-as-it-stands; }
bind -x '"\\C-x\\C-l": _seen'
""",
    "zsh": """\
fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -u -D
bindkey -e; bindkey '^I' complete-word; unsetopt beep auto_menu; LISTMAX=9999
_seen() { print -r -- "$BUFFER" > line.new; mv line.new line-as-it-stands; zle .redisplay }
zle -N _seen; bindkey '^X^L' _seen
""",
    "fish": """\
set -g fish_greeting; set -g fish_autosuggestion_enabled 0
bpfimg completion fish | source
function _seen; commandline > line.new; mv line.new line-as-it-stands; end
bind \\cx\\cl _seen
""",
}
_START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}


class Shell:
    """One shell on its terminal."""

    def __init__(self, name: str, master: int, folder: Path) -> None:
        self.name, self._master, self._folder = name, master, folder
        self.shown = b""

    def typed(self, text: str) -> str:
        """What stands on the line after these keys; the line is empty again afterwards."""
        self._send(text.encode())
        line = self._line()
        self._send(b"\x05\x15")  # to its end, and all away
        return line

    def _line(self) -> str:
        path = self._folder / _LINE
        path.unlink(missing_ok=True)
        self._send(b"\x18\x0c")
        until = time.monotonic() + _PATIENCE
        while not path.exists():
            self._drain(0.02)
            assert time.monotonic() < until, f"{self.name} did not answer: {self.shown[-2000:]!r}"
        return path.read_text().removesuffix("\n")

    def _send(self, data: bytes) -> None:
        os.write(self._master, data)
        self._drain(0.0)

    def _drain(self, seconds: float) -> None:
        while select.select([self._master], [], [], seconds)[0]:
            try:
                self.shown += os.read(self._master, 65536)
            except OSError:
                return
            seconds = 0.0


@contextmanager
def shell(name: str, folder: Path, environ: Mapping[str, str]) -> Iterator[Shell]:
    """A shell that knows the words of bpfimg, in `folder`, on a terminal of 200 columns."""
    settings = {**os.environ, **environ, "TERM": "xterm", "HOME": str(folder), "LC_ALL": "C.UTF-8", "PS1": "$ "}
    settings["XDG_RUNTIME_DIR"] = str(folder)  # else fish makes a folder below /tmp, and leaves it
    settings["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    settings.pop("COLUMNS", None)
    (folder / "functions").mkdir(exist_ok=True)
    script = subprocess.run(["bpfimg", "completion", "zsh"], env=settings, capture_output=True, check=True).stdout
    (folder / "functions/_bpfimg").write_bytes(script)
    (folder / "begin").write_text(_BEGIN[name])
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (500, 200))
    setsid = shutil.which("setsid")
    assert setsid is not None
    process = subprocess.Popen(
        [setsid, "--ctty", "--wait", *_START[name]], stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=settings
    )
    os.close(slave)
    try:
        made = Shell(name, master, folder)
        made._send(b"source ./begin\r")
        made._line()
        yield made
        made._send(b"\x15exit\r")
    finally:
        os.close(master)  # a shell whose terminal has gone ends
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
