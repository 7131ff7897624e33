"""What man pages say and `--help` does not: variables, files, exit codes, neighbours."""

from __future__ import annotations

__all__ = ["ENVIRONMENT", "EXIT", "FILES", "MORE_EXIT", "NEIGHBOURS", "environment", "files"]

EXIT = (
    ("0", "done"),
    ("1", "failed"),
    ("2", "the words of the command line are wrong"),
    ("3", "not believed: a signature or the policy says no"),
    ("4", "not supported by this kernel or host"),
    ("130", "interrupted"),
)
MORE_EXIT = {
    "diff": (("10", "something breaks for those who load A today"), ("11", "with --strict: something else changed")),
    "check": (("4", "some program cannot be loaded into some kernel"),),
}

_SECRETS = ("BPFIMG_KEY_PASSWORD", "COSIGN_PASSWORD", "BPFIMG_PIN")
_LOGIN = ("BPFIMG_USERNAME", "BPFIMG_PASSWORD", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG")
#: variable -> what it says; those of options (BPFIMG_STORE for --store) are made from the options
ENVIRONMENT = {
    "BPFIMG_USERNAME": "whom to log in to a registry, in place of a kept login",
    "BPFIMG_PASSWORD": "the password that goes with it",
    "REGISTRY_AUTH_FILE": "file with logins, as podman keeps them",
    "DOCKER_CONFIG": "folder of docker's config.json, with logins",
    "BPFIMG_KEY_PASSWORD": "password of the key file to sign with",
    "COSIGN_PASSWORD": "the same, where BPFIMG_KEY_PASSWORD is not set",
    "BPFIMG_PIN": "PIN of the token that has the key",
    "BPFIMG_LIMIT": "bounds as --limit has them, with commas between",
    "BPFIMG_LIBBPF": "path of the libbpf.so.1 to use",
    "SOURCE_DATE_EPOCH": "the time that what is made states, as seconds since 1970",
    "DOCKER_HOST": "where docker or podman listens, for docker-daemon:",
    "BPFIMG_KERNELS_CACHE": "folder of the Debian kernels that bpfimg check --kernels boots",
    "BPFIMG_KERNELS_MIRROR": "mirror that these kernels come from, in place of that of apt",
    "NO_COLOR": "any text: no colours",
}
_ENVIRONMENT_OF = {
    "build": ("SOURCE_DATE_EPOCH", *_LOGIN),
    "manual": ("SOURCE_DATE_EPOCH",),
    "key": _SECRETS,
    "sign": (*_SECRETS, *_LOGIN),
    "attest": (*_SECRETS, *_LOGIN),
    **dict.fromkeys(("login", "logout", "push", "pull", "verify", "referrers", "apply"), _LOGIN),
    "copy": (*_LOGIN, "DOCKER_HOST"),
    "check": (*_LOGIN, "BPFIMG_KERNELS_CACHE", "BPFIMG_KERNELS_MIRROR"),
    "run": (*_LOGIN, "BPFIMG_LIBBPF"),
    "load": (*_LOGIN, "BPFIMG_LIBBPF"),
}

FILES = {
    "/etc/bpfimg/policy.json": "the trust policy of the system; root reads only this one",
    "$XDG_CONFIG_HOME/bpfimg/policy.json": "the trust policy of a user, where the system has none",
    "/etc/bpfimg/apply.toml": "by custom: what a host runs, for bpfimg apply",
    "/var/lib/bpfimg/store": "the local image store of root, an OCI image layout",
    "$XDG_DATA_HOME/bpfimg/store": "the local image store of a user",
    "/var/lib/bpfimg/history": "which versions root accepted already, against going back",
    "/sys/fs/bpf/bpfimg": "what is loaded: pins of programs, maps and links, and their records",
    "/etc/containers/registries.conf": "mirrors, short names and blocked registries",
    "$HOME/.docker/config.json": "logins to registries, which docker, podman and cosign use as well",
    "bpfimg.toml": "in the folder of a project: what bpfimg build makes",
}
_STORE = ("/var/lib/bpfimg/store", "$XDG_DATA_HOME/bpfimg/store")
_POLICY = ("/etc/bpfimg/policy.json", "$XDG_CONFIG_HOME/bpfimg/policy.json")
_REGISTRY = ("/etc/containers/registries.conf", "$HOME/.docker/config.json")
_HOST = ("/sys/fs/bpf/bpfimg",)
_FILES_OF = {
    "build": ("bpfimg.toml", *_STORE),
    "init": ("bpfimg.toml",),
    **dict.fromkeys(("images", "tag", "rm", "prune", "fsck"), _STORE),
    **dict.fromkeys(("push", "pull", "copy", "referrers", "sign", "attest"), (*_STORE, *_REGISTRY)),
    **dict.fromkeys(("login", "logout"), ("$HOME/.docker/config.json",)),
    "policy": _POLICY,
    "verify": (*_POLICY, "/var/lib/bpfimg/history", *_STORE, *_REGISTRY),
    **dict.fromkeys(("run", "load"), (*_POLICY, "/var/lib/bpfimg/history", *_HOST, *_STORE, *_REGISTRY)),
    "apply": ("/etc/bpfimg/apply.toml", *_POLICY, *_HOST, *_STORE, *_REGISTRY),
    "export": ("/etc/bpfimg/apply.toml", *_HOST),
    **dict.fromkeys(
        ("unload", "attach", "detach", "set", "list", "get", "links", "status", "maps", "map", "gc", "doctor"), _HOST
    ),
}

#: pages of others
NEIGHBOURS = {
    "": ("bpf(2)", "bpftool(8)"),
    "run": ("bpf(2)", "ip-netns(8)", "cgroups(7)"),
    "attach": ("bpf(2)", "ip-netns(8)", "cgroups(7)"),
    "status": ("tc(8)", "ip-link(8)"),
    "map": ("bpf(2)",),
    "apply": ("systemd.service(5)",),
}


def environment(verb: str) -> dict[str, str]:
    """The variables that a verb's page has; all of them for the page of `bpfimg` itself."""
    return ENVIRONMENT if not verb else {name: ENVIRONMENT[name] for name in _ENVIRONMENT_OF.get(verb, ())}


def files(verb: str) -> dict[str, str]:
    """The files that a verb's page has; all of them for the page of `bpfimg` itself."""
    return FILES if not verb else {name: FILES[name] for name in _FILES_OF.get(verb, ())}
