"""`bpfimg policy init`: a policy to begin with, of keys and scopes or of what podman and skopeo have already."""

from __future__ import annotations

import os

from bpfimg.errors import Error, PolicyError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.sign import policies

__all__ = ["add", "run"]

_LIMIT = 1024 * 1024
_IDENTITY = {
    "certificate_identity": "subject",
    "certificate_identity_regexp": "subjectRegex",
    "certificate_oidc_issuer": "issuer",
    "certificate_oidc_issuer_regexp": "issuerRegex",
}


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("file", metavar="FILE", nargs="?", help="where to (default: where the policy in force is)")
    for flag, metavar, text in (
        ("--key", "PUB", "believe images signed with this public key"),
        ("--scope", "SCOPE", "which images: HOST, HOST/PATH/**, HOST/REPO, HOST/REPO:TAG"),
    ):
        parser.add_argument(flag, metavar=metavar, help=text, action="append", default=[])
    for name, (metavar, text) in {
        "certificate_identity": ("ID", "believe images that this subject signed keyless"),
        "certificate_identity_regexp": ("RE", "the same for subjects that fit this pattern as a whole"),
        "certificate_oidc_issuer": ("URL", "whose subject it is: the issuer of its tokens"),
        "certificate_oidc_issuer_regexp": ("RE", "the same for issuers that fit this pattern as a whole"),
    }.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=text)
    parser.add_argument(
        "--trusted-root",
        metavar="FILE",
        help="which authorities and logs to believe; sigstore-public-good (default for identities): the public ones",
    )
    parser.add_argument("--from-containers", metavar="FILE", help="carry over a containers-policy.json")
    parser.add_argument(
        "--ignore-signed-tags",
        action="store_true",
        help="with --from-containers: where it wants the tag to be signed, be content with the repository",
    )


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Writes the file, once all of it is known to be valid."""
    from bpfimg import sign
    from bpfimg.cli._parser import warn
    from bpfimg.cli._render import json_text

    path = os.path.abspath(arguments.file or options.policy)
    made = _imported(arguments) if arguments.from_containers is not None else _begun(arguments)
    data = sign.policies.written(made.document)
    policy = sign.Policy.parse(data, path)
    _write(path, data)
    try:
        sign.Policy.load(path, system=os.geteuid() == 0)
    except PolicyError as error:  # it is as it should be, and not where it should be
        warn(str(error))
    if options.json:
        notes = [{"place": place, "message": text} for place, text in made.notes]
        print(json_text({"policies": [{"id": policy.digest, "path": path, "notes": notes}]}))
        return 0
    for place, text in made.notes:
        warn(f"{place}: {text}")
    print(policy.digest if options.quiet else (arguments.file or path))
    return 0


def _begun(arguments: argparse.Namespace) -> policies.Imported:
    from bpfimg import sign
    from bpfimg.cli._key_source import public_key

    if arguments.ignore_signed_tags:
        raise UsageError("--ignore-signed-tags is about --from-containers, which is not given")
    identity = {field: getattr(arguments, name) for name, field in _IDENTITY.items() if getattr(arguments, name)}
    said = sorted(field.removesuffix("Regex") for field in identity)
    if said not in ([], ["issuer", "subject"]):
        raise UsageError(
            "an identity has one subject and one issuer, expected one of --certificate-identity and"
            " --certificate-identity-regexp and one of --certificate-oidc-issuer and --certificate-oidc-issuer-regexp"
        )
    word = arguments.trusted_root or ("sigstore-public-good" if identity else None)
    document = sign.policies.begun(
        [(path, public_key(path)) for path in arguments.key],
        identity or None,
        arguments.scope,
        sign.policies.chosen_root(word) if word else None,
    )
    return sign.policies.Imported(document, ())


def _imported(arguments: argparse.Namespace) -> policies.Imported:
    from bpfimg import sign
    from bpfimg.cli._given_file import read_given

    given = [name for name in ("key", "scope", *_IDENTITY) if getattr(arguments, name)]
    if given:
        raise UsageError(f"--{given[0].replace('_', '-')} cannot be used with --from-containers, expected one of them")
    path = arguments.from_containers
    data = read_given(path, "containers policy", _LIMIT)
    root = sign.policies.chosen_root(arguments.trusted_root) if arguments.trusted_root else None
    return sign.policies.imported(data, path, root, signed_tags=not arguments.ignore_signed_tags)


def _write(path: str, data: bytes) -> None:
    """Writes a new file that all may read and its owner may change, and the folders that lack on the way."""
    try:
        _make_folder(os.path.dirname(path))
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError as error:
        raise UsageError(f"{path} exists, expected a free name", hint="policies are never overwritten") from error
    except OSError as error:
        raise Error(f"trust policy {path} cannot be written: {error.strerror}") from error
    try:
        with open(fd, "wb") as file:
            os.fchmod(fd, 0o644)
            file.write(data)
            file.flush()
            os.fsync(fd)
    except OSError as error:
        os.unlink(path)
        raise Error(f"trust policy {path} cannot be written: {error.strerror}") from error


def _make_folder(folder: str) -> None:
    if not os.path.isdir(folder):
        _make_folder(os.path.dirname(folder))
        os.mkdir(folder, 0o755)  # whatever the umask: not for others to write to
