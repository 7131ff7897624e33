#!/bin/sh
# Everything that `make demo` and `make test` need: Debian packages through apt, peers that are only unpacked, and
# a virtual environment in .venv. Does nothing, in a second, where everything is there.
set -eu
cd "$(dirname "$0")/.."

# what the product needs (libbpf1), what building images needs (clang, headers), what the tests look with: a second,
# newer clang, peers, tracers, QEMU for guests with other kernels, shells for completions, a browser for the pages, and
# what Debian packages and empty Debian roots are made with
PACKAGES="git binutils clang clang-19 llvm llvm-19 libbpf1 libbpf-dev linux-libc-dev bpftool iproute2 iputils-ping skopeo strace python3-venv ca-certificates mount util-linux qemu-system-x86 busybox-static kmod"
PACKAGES="$PACKAGES bash-completion zsh fish man-db mandoc chromium chromium-driver fonts-dejavu-core debootstrap debhelper dpkg-dev fakeroot lintian libxml2-utils shellcheck gnupg jq make cmake"
OTHER_PYTHON=python3.13
if grep -qs '^VERSION_CODENAME=trixie$' /etc/os-release; then
    # Debian 13's own clang and Python are those that are the newer ones beside Debian 12's
    PACKAGES="$PACKAGES clang-22 llvm-22"
    OTHER_PYTHON=python3.11
fi
PYTHON="${PYTHON:-/usr/bin/python3}"
[ -x "$PYTHON" ] || PYTHON=python3

say() { printf 'setup: %s\n' "$*" >&2; }

missing=""
for package in $PACKAGES; do
    case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" in
    installed) ;;
    *) missing="$missing $package" ;;
    esac
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ]; then
        say "these Debian packages are missing:$missing"
        say "run this once as root: apt-get install --no-install-recommends$missing"
        exit 1
    fi
    say "installing$missing"
    apt-get -o DPkg::Lock::Timeout=300 update -qq
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $missing >/dev/null
fi

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "$PYTHON is $("$PYTHON" -V), bpfimg needs Python 3.11 or newer (PYTHON=... names another)"
    exit 1
}

stamp=".venv/.stamp-$(cat requirements/dev.txt pyproject.toml | sha256sum | cut -c1-16)-$(pwd | sha256sum | cut -c1-8)"
if [ ! -e "$stamp" ]; then
    say "building the virtual environment in .venv"
    rm -rf .venv
    "$PYTHON" -m venv .venv
    .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
    touch "$stamp"
fi

# peers and real objects for the demo and the tests: unpacked below .cache, so that no service starts on this host
.venv/bin/python -m tests.support.debian docker-registry cosign cosign3 crane newer-skopeo oras umoci "$OTHER_PYTHON" || true
.venv/bin/python -m tests.support.podman || true
.venv/bin/python -m tests.support.dockerd || true
.venv/bin/python -m tests.support.softhsm || true
.venv/bin/python -m tests.support.clouds || true
.venv/bin/python -m tests.support.bcc || true
.venv/bin/python -m tests.support.xdptools || true
.venv/bin/python -m tests.support.packages >/dev/null || true
.venv/bin/python -m tests.support.guest.kernels || true
.venv/bin/python -m tests.support.wheels || true
.venv/bin/python -m tests.support.roots || true
