"""Debian's kernels through this machine's apt, with lists and downloads of our own: nothing that apt keeps is touched.

Mirror, proxies, logins and keys are those of the machine; what is downloaded, apt has checked against the archive's
signature.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from bpfimg._value import value
from bpfimg.errors import Error, NotSupported, UsageError, quoted
from bpfimg.guest import _mirror

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.guest._words import Suite

__all__ = ["Package", "download", "newest"]

_NAMES = "linux-image-amd64"
_HOLDS_KERNEL = re.compile(r"linux-(?:image|binary)-[0-9][^ ,|]*")
_STEPS = 4
_SECONDS = 900.0
_SAID = 300
_WORD = re.compile(r"[A-Za-z0-9.+:~-]{1,128}")
# Hooks of the machine have no business here: some delete what its apt has cached. Checks that it may have given up
# are on.
_SETTINGS = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb;
Acquire::IndexTargets::deb::Packages {{ MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages"; Description "Packages";
  ShortDescription "Packages"; flatMetaKey "Packages"; flatDescription "Packages"; Optional "no"; }};
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
APT::Get::AllowUnauthenticated "false";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "{folder}/state";
Dir::State::Lists "{folder}/state/lists";
Dir::State::Status "/dev/null";
Dir::Cache "{folder}/cache";
"""


@value(frozen=True, slots=True)
class Package:
    """A package that holds a kernel: its name, version and size, and the settings that apt finds it by."""

    name: str
    version: str
    size: int
    settings: str

    @property
    def title(self) -> str:
        """As it is shown."""
        return f"Debian {self.name} {self.version}"


def newest(suite: Suite, folder: str, mirror: str | None) -> Package:
    """The newest kernel of that suite, after a look at the archive; apt's state is kept in `folder`.

    `mirror` is the address of the archive, else that which this machine's apt has.

    Raises NotSupported where this machine has no apt or no archive of Debian, Error when that does not answer.
    """
    settings = _prepared(suite, folder, mirror)
    _call("apt-get", settings, "-qq", "update", folder=folder)
    name = _NAMES
    for _ in range(_STEPS):
        fields = _fields(_call("apt-cache", settings, "show", "--no-all-versions", name, folder=folder))
        version, size = fields.get("Version", ""), fields.get("Size", "")
        # a kernel of sid is in linux-binary-*, which linux-image-* depends on
        deeper = [each for each in _HOLDS_KERNEL.findall(fields.get("Depends", "")) if each != name]
        if not deeper:
            if name == _NAMES or not _WORD.fullmatch(version) or not size.isdigit():
                break
            return Package(name, version, int(size), settings)
        name = next((each for each in deeper if "-binary-" in each), deeper[0])
    raise Error(f"Debian's {suite.name} names no kernel in {_NAMES}, expected a package that holds one")


def download(package: Package, folder: str) -> str:
    """Downloads the package into `folder`; returns its path."""
    _call("apt-get", package.settings, "-qq", "download", f"{package.name}={package.version}", folder=folder)
    found = [name for name in os.listdir(folder) if name.endswith(".deb")]
    if len(found) != 1:
        raise Error(f"apt-get downloaded {len(found)} files for {package.name}, expected one package")
    return os.path.join(folder, found[0])


def _prepared(suite: Suite, folder: str, mirror: str | None) -> str:
    if shutil.which("apt-get") is None:
        raise NotSupported(
            f"Debian's kernels come through apt-get, and this machine has none (asked for {suite.name})",
            feature="apt",
            hint="give the path of a vmlinuz, of a folder of them, or of a downloaded linux-image-*.deb",
        )
    found = _mirror.given(mirror) if mirror else _mirror.mirror(_mirror.sources())
    if found is None:
        raise NotSupported(
            f"this machine's apt has no archive of Debian, expected one for the kernel of {suite.name}",
            feature="apt",
            hint="--kernels-mirror ADDRESS names one, whose keys are in the package debian-archive-keyring; "
            "or give the path of a vmlinuz, of a folder of them, or of a linux-image-*.deb",
        )
    if not re.fullmatch(r"[^\"\n\\{}]+", folder):
        raise UsageError(f"apt cannot have a folder called {quoted(folder)}, expected a path without quotes")
    for name in ("state/lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    with open(os.path.join(folder, "sources.list"), "w", encoding="utf-8") as file:
        file.write(found.line(suite.name))
    settings = os.path.join(folder, "apt.conf")
    with open(settings, "w", encoding="utf-8") as file:
        file.write(_SETTINGS.format(folder=folder))
    return settings


def _fields(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z-]+): *(.*)$", text.partition("\n\n")[0], re.M))


def _call(program: str, settings: str, *words: str, folder: str) -> str:
    """What it prints. It has the environment of this command: proxies may be in there."""
    argv = [program, "-c", settings, *words]
    try:
        done = subprocess.run(  # noqa: S603 (an argument list; the words are ours or were checked)
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Error(f"{program} was stopped after {_SECONDS:g} seconds, expected it to be done") from error
    except OSError as error:
        raise Error(f"{program} cannot be started: {error.strerror or error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        line = next((each for each in said if each.startswith("E:")), said[-1] if said else "no word why")
        what = " ".join(words[1:]) if words[0] == "-qq" else words[0]
        raise Error(
            f"{program} {what} failed: {line.removeprefix('E: ')[:_SAID]}",
            hint="Debian's archive is reached as this machine's apt has it; a kernel may also be given as a file",
        )
    return done.stdout.decode("utf-8", "replace")
