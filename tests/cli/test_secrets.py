"""Passwords, PINs, tokens and private keys stay where they are: not in output, not in the arguments or the environment
of any process that is started, not in files that others can read, and not in tracebacks.

Each command runs watched: everything that it prints is read, all processes below it are looked at in /proc for as long
as it runs, and a credential program of the test writes down what it was given.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bpfimg.sign._keys import _keyfile
from tests.support import softhsm
from tests.support.cli import Cli
from tests.support.fake_registry import FakeRegistry, Reply, fake_registry
from tests.support.objects import EXAMPLES
from tests.support.sigstack import Stack, sigstack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.softhsm import Token

PASSWORD = "Tr0ub4dor-of-the-key"
WRONG = "wr0ng-passw0rd-typed"
PIN = "735142-pin"
LOGIN = "l0gin-of-the-registry"
REPOSITORY = "team/app"
#: writes down what a credential program is given and who calls it, and knows the login of the registry
SPY = f"""#!/bin/sh
cat /proc/self/environ /proc/$$/environ /proc/$$/cmdline /proc/$PPID/cmdline >>"$SPIED"
echo '{{"Username": "me", "Secret": "{LOGIN}"}}'
"""


def spellings(secret: bytes) -> set[bytes]:
    """How a secret could stand in text: as it is, and in the encodings that are usual."""
    plain = base64.b64encode(secret)
    found = {secret, secret.hex().encode(), secret.hex().upper().encode(), plain, base64.urlsafe_b64encode(secret)}
    found |= {urllib.parse.quote_from_bytes(secret).encode(), repr(secret)[2:-1].encode(), ascii(plain)[2:-1].encode()}
    return {each.rstrip(b"=") for each in found}


@dataclass(slots=True)
class World:
    """What the commands need, and what they must keep to themselves."""

    cli: Cli
    server: FakeRegistry
    stack: Stack
    token: Token
    secrets: dict[str, set[bytes]]
    spied: Path
    others: set[str] = field(default_factory=set)
    """Programs that were seen below a command."""

    def leaks(self, text: bytes) -> list[str]:
        return sorted(name for name, forms in self.secrets.items() if any(form in text for form in forms))

    def run(self, *words: str, **environ: str) -> tuple[int, bytes]:
        """Runs a command watched: no process shows in its arguments what the command was not given there, and none that
        we start has a secret in its environment. Returns how it ended and all that it printed."""
        done, arguments, environments = threading.Event(), set[bytes](), set[bytes]()
        child = self.cli.start(*words, **environ)
        watcher = threading.Thread(target=self._watch, args=(child.pid, done, arguments, environments))
        watcher.start()
        try:
            out, err = child.communicate(timeout=60)
        finally:
            done.set()
            watcher.join()
        assert self.leaks(b"\n".join(arguments)) == self.leaks("\0".join(words).encode())
        assert self.leaks(b"\n".join(environments)) == []
        return child.returncode, (out + err).encode()

    def _watch(self, top: int, done: threading.Event, arguments: set[bytes], environments: set[bytes]) -> None:
        us = os.path.realpath(sys.executable)
        while not done.is_set():
            arguments.add(_content(f"/proc/{top}/cmdline"))
            for pid in _children(top):
                program = _program(pid)
                if program not in ("", us):  # between fork and exec it is still ourselves
                    self.others.add(program)
                    arguments.add(_content(f"/proc/{pid}/cmdline"))
                    environments.add(_content(f"/proc/{pid}/environ"))
            time.sleep(0.001)


def _children(top: int) -> list[int]:
    found = []
    for pid in map(int, _content(f"/proc/{top}/task/{top}/children").split()):
        found += [pid, *_children(pid)]
    return found


def _program(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return ""


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("secrets")
    key = ec.generate_private_key(ec.SECP256R1())
    pkcs8 = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    scalar = key.private_numbers().private_value
    _private(folder / "k.key", _keyfile.seal(pkcs8, PASSWORD.encode()))
    _private(folder / "plain.key", pem)
    _private(folder / "password", PASSWORD.encode())
    _private(folder / "wrong", WRONG.encode())
    (folder / "predicate.json").write_text("{}")
    (folder / "bin").mkdir()
    (folder / "bin" / "docker-credential-spy").write_text(SPY)
    (folder / "bin" / "docker-credential-spy").chmod(0o755)
    token = softhsm.token(folder / "hsm", pin=PIN)
    token.generate("t")
    with fake_registry() as server, sigstack(folder / "stack") as stack:
        (folder / ".docker").mkdir()
        (folder / ".docker" / "config.json").write_text(f'{{"credHelpers": {{"{server.host}": "spy"}}}}')
        server.challenge = 'Basic realm="x"'
        server.authorization = "Basic " + base64.b64encode(f"me:{LOGIN}".encode()).decode()
        _private(folder / "id.jwt", stack.token("someone@example.org", email_verified=True).encode())
        _private(folder / "expired.jwt", stack.token("someone@example.org", exp=int(time.time()) - 60).encode())
        environ = {
            "BPFIMG_STORE": str(folder / "store"),
            "HOME": str(folder),
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "SPIED": str(folder / "spied"),
            "COSIGN_PASSWORD": PASSWORD,
            **token.environ,
        }
        secrets = {
            "password": spellings(PASSWORD.encode()),
            "wrong password": spellings(WRONG.encode()),
            "PIN": spellings(PIN.encode()),
            "login": spellings(LOGIN.encode()) | spellings(f"me:{LOGIN}".encode()),
            "key": spellings(pkcs8) | spellings(scalar.to_bytes(32, "big")) | {str(scalar).encode()},
            "token": {(folder / "id.jwt").read_bytes().rpartition(b".")[2]},
            "expired token": {(folder / "expired.jwt").read_bytes().rpartition(b".")[2]},
            "token of the job": spellings(stack.github["ACTIONS_ID_TOKEN_REQUEST_TOKEN"].encode()),
        }
        found = World(Cli(folder, environ), server, stack, token, secrets, folder / "spied")
        found.cli("build", "-t", f"{server.host}/{REPOSITORY}:v1", str(EXAMPLES / "xdp_pass.bpf.c"))
        found.cli("push", f"{server.host}/{REPOSITORY}:v1")
        yield found


def _private(path: Path, data: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(data)


STORED, THERE = "STORED", "THERE"
SIGN = ("sign", "--key")
TOKEN = "pkcs11:object=t"
ATTEST = ("attest", "--type", "custom", "--predicate", "predicate.json", "--key")
#: name -> words (STORED and THERE stand for the image in the store and in the registry), variables, exit code
COMMANDS: dict[str, tuple[tuple[str, ...], dict[str, str], int]] = {
    "generate": (("key", "generate", "new-{}"), {}, 0),
    "generate where one is": (("key", "generate", "k"), {}, 2),
    "generate into nothing": (("key", "generate", "no/such/k"), {}, 1),
    "generate from a file": (("key", "generate", "file-{}", "--password-file", "password"), {}, 0),
    "the password for its file": (("key", "generate", "x", "--password-file", PASSWORD), {}, 1),
    "public": (("key", "public", "k.key"), {}, 0),
    "public with a wrong password": (("key", "public", "k.key"), {"COSIGN_PASSWORD": WRONG}, 1),
    "public with a wrong file": (("key", "public", "k.key", "--password-file", "wrong"), {}, 1),
    "public of what is no key": (("key", "public", "predicate.json"), {}, 1),
    "a private key where a public one belongs": (("verify", "--key", "plain.key", STORED), {}, 1),
    "a private key as policy": (("verify", "--policy", "plain.key", STORED), {}, 3),
    "a private key as token": (("sign", "--identity-token", "plain.key", "--trust-config", "TRUST", STORED), {}, 2),
    "a password as predicate": ((*ATTEST[:3], "--predicate", "password", "--key", "k.key", STORED), {}, 2),
    "sign": ((*SIGN, "k.key", STORED), {}, 0),
    "sign with a plain key": ((*SIGN, "plain.key", STORED), {}, 0),
    "sign with a variable": ((*SIGN, "env://SOME_KEY", STORED), {"SOME_KEY": "KEY"}, 0),
    "sign with ours": ((*SIGN, "k.key", STORED), {"BPFIMG_KEY_PASSWORD": PASSWORD, "COSIGN_PASSWORD": WRONG}, 0),
    "sign with a wrong password": ((*SIGN, "k.key", STORED), {"BPFIMG_KEY_PASSWORD": WRONG}, 1),
    "sign what is not there": ((*SIGN, "k.key", "x/nothing:v1"), {}, 1),
    "sign in a registry": ((*SIGN, "k.key", THERE), {"BPFIMG_KEY_PASSWORD": PASSWORD, "BPFIMG_PIN": PIN}, 0),
    "sign where nobody answers": ((*SIGN, "k.key", "127.0.0.1:1/x/y:v1"), {}, 1),
    "sign with a token": ((*SIGN, TOKEN, STORED), {"BPFIMG_PIN": PIN}, 0),
    "sign in a registry with a token": ((*SIGN, TOKEN, THERE), {"BPFIMG_PIN": PIN}, 0),
    "sign with a wrong PIN": ((*SIGN, TOKEN, "-a", "n=0", STORED), {"BPFIMG_PIN": WRONG}, 1),
    "sign with a PIN in the URI": ((*SIGN, f"{TOKEN}?pin-value={PIN}", STORED), {}, 2),
    "sign with a PIN beside its name": ((*SIGN, f"{TOKEN};{PIN}", STORED), {}, 2),
    "attest": ((*ATTEST, "k.key", STORED), {}, 0),
    "attest with a wrong password": ((*ATTEST, "k.key", STORED), {"COSIGN_PASSWORD": WRONG}, 1),
    "sign by identity": (("sign", "--identity-token", "id.jwt", "--trust-config", "TRUST", STORED), {}, 0),
    "attest by identity": ((*ATTEST[:-1], "--identity-token", "id.jwt", "--trust-config", "TRUST", THERE), {}, 0),
    "sign by a variable": (("sign", "--trust-config", "TRUST", STORED), {"SIGSTORE_ID_TOKEN": "TOKEN"}, 0),
    "sign by a variable in a registry": (("sign", "--trust-config", "TRUST", THERE), {"SIGSTORE_ID_TOKEN": "TOKEN"}, 0),
    "sign by a job": (("sign", "--trust-config", "TRUST", STORED), {"GITHUB": "yes"}, 0),
    "a token in the words": (("sign", "--identity-token", "TOKEN", "--trust-config", "TRUST", STORED), {}, 2),
    "an expired token": (("sign", "--identity-token", "expired.jwt", "--trust-config", "TRUST", STORED), {}, 2),
    "a key in the words": ((*SIGN, "KEY", STORED), {}, 1),
}  # fmt: skip


@pytest.mark.parametrize("mode", [("-v",), ("-o", "json")], ids=["-v", "json"])
@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_secret_is_to_be_seen(world: World, name: str, mode: tuple[str, ...]) -> None:
    words, environ, expect = COMMANDS[name]
    given = {
        STORED: f"{world.server.host}/{REPOSITORY}:v1",
        THERE: f"registry:{world.server.host}/{REPOSITORY}:v1",
        "TRUST": str(world.stack.trust_config),
        "TOKEN": (world.cli.folder / "id.jwt").read_text(),
        "KEY": (world.cli.folder / "plain.key").read_text(),
    }
    if "GITHUB" in environ:
        environ = world.stack.github
    code, printed = world.run(
        *mode,
        *(given.get(word, word.replace("{}", "".join(mode))) for word in words),
        **{name: given.get(text, text) for name, text in environ.items()},
    )
    assert code == expect, printed.decode()
    assert world.leaks(printed) == [], printed.decode()
    assert b"Traceback" not in printed


def test_the_detector_sees_what_it_should(world: World) -> None:
    """And in /proc, too: a secret that the test itself puts there."""
    words = ["sh", "-c", "read line", PASSWORD]
    environ = {"X": base64.b64encode(PIN.encode()).decode()}
    with subprocess.Popen(words, env=environ, stdin=subprocess.PIPE) as child:
        given = Path(f"/proc/{child.pid}/environ")
        # the kernel names the new program first, and its environment last
        while _program(child.pid) == os.path.realpath(sys.executable) or not given.read_bytes():
            assert child.poll() is None
            time.sleep(0.001)
        assert world.leaks(_content(f"/proc/{child.pid}/cmdline")) == ["password"]
        assert world.leaks(given.read_bytes()) == ["PIN"]
    assert world.leaks(b"-----BEGIN\n" + (world.cli.folder / "plain.key").read_bytes().replace(b"\n", b"")) == ["key"]


def test_a_service_that_fails_gets_no_secret_told(world: World) -> None:
    """What it answers is told to the user, also when it sends back what it was sent."""
    fulcio = world.stack.services["fulcio"]
    for fault in (400, 503):
        fulcio.fault = fault
        try:
            config = str(world.stack.trust_config)
            code, printed = world.run(
                "-v",
                "sign",
                "--identity-token",
                "id.jwt",
                "--trust-config",
                config,
                f"{world.server.host}/{REPOSITORY}:v1",
            )
        finally:
            fulcio.fault = 0
        assert code == 1
        assert world.leaks(printed) == []


def test_ctrl_c_shows_nothing(world: World) -> None:
    """While a registry does not answer: the key is open, the signature made or about to be."""
    reached, held = threading.Event(), threading.Event()

    def hold(reply: Reply) -> Reply:
        reached.set()
        held.wait(30)
        return reply

    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    world.server.fail("PUT", hold)
    there = f"registry:{world.server.host}/{REPOSITORY}:v1"
    child = world.cli.start("-v", "sign", "--key", "plain.key", "--format", "bundle", "-a", "n=1", there)
    assert reached.wait(30)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    held.set()
    assert child.returncode == 130, out + err
    assert world.leaks((out + err).encode()) == []
    assert "Traceback" not in err


def test_programs_that_are_started_are_given_nothing(world: World) -> None:
    """What the credential program has written down of itself and of its caller, in all commands above and this one."""
    there = f"registry:{world.server.host}/{REPOSITORY}:v1"
    code, _ = world.run("sign", "--key", "k.key", "-a", "n=2", there, BPFIMG_PIN=PIN)
    assert code == 0
    spied = world.spied.read_bytes()
    assert b"docker-credential-spy\0get" in spied
    assert b"HOME=" in spied, "the others are handed on"
    assert world.leaks(spied) == []
    assert world.others, "the watcher has seen processes below a command"


def test_files_with_secrets_are_the_owners_alone(world: World) -> None:
    """Everything that the commands have left: of the keys only sealed files, 0600, and in the store nothing."""
    made = [path for path in world.cli.folder.rglob("*") if path.is_file() and path.parent.name != "bin"]
    assert any(path.name.startswith("new-") for path in made)
    for path in made:
        inside = world.leaks(path.read_bytes())
        ours = path.suffix == ".key" and path.name != "plain.key"
        if inside or ours:
            assert path.stat().st_mode & 0o077 == 0, path
        if ours:
            assert inside == [], path
        if "store" in path.parts:
            assert inside == [], path


CRASH = """
import sys
from bpfimg.sign._keys import _private
def broken(*_args, **_named):
    raise RuntimeError("a bug")
setattr(_private.PrivateKey, "sign", broken) if sys.argv[1] == "sign" else setattr(_private, sys.argv[1], broken)
from bpfimg.cli import main
main(sys.argv[2:])
"""


@pytest.mark.parametrize("where", ["sign", "unseal", "_parsed", "_public"])
def test_even_a_bug_shows_nothing(world: World, where: str) -> None:
    """A traceback is lines of code, never what was in them."""
    image = f"{world.server.host}/{REPOSITORY}:v1"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", CRASH, where, "sign", "--key", "k.key", "-a", "n=3", image],
        cwd=world.cli.folder,
        env={**os.environ, **world.cli.environ},
        capture_output=True,
        check=False,
    )
    assert b"RuntimeError: a bug" in done.stderr
    assert world.leaks(done.stdout + done.stderr) == []
