"""The platforms that Linux and eBPF have in common: byte order, and what compilers and headers call them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import Platform

__all__ = ["MACHINES", "byte_order"]

#: GOARCH -> (byte order, `__TARGET_ARCH_` word of bpf_tracing.h, Debian's multiarch triplet, the kernel's `arch/`)
MACHINES: dict[str, tuple[str, str, str, str]] = {
    "386": ("little", "x86", "i386-linux-gnu", "x86"),
    "amd64": ("little", "x86", "x86_64-linux-gnu", "x86"),
    "arm": ("little", "arm", "arm-linux-gnueabihf", "arm"),
    "arm64": ("little", "arm64", "aarch64-linux-gnu", "arm64"),
    "loong64": ("little", "loongarch", "loongarch64-linux-gnu", "loongarch"),
    "mips": ("big", "mips", "mips-linux-gnu", "mips"),
    "mips64": ("big", "mips", "mips64-linux-gnuabi64", "mips"),
    "mips64le": ("little", "mips", "mips64el-linux-gnuabi64", "mips"),
    "mipsle": ("little", "mips", "mipsel-linux-gnu", "mips"),
    "ppc64": ("big", "powerpc", "powerpc64-linux-gnu", "powerpc"),
    "ppc64le": ("little", "powerpc", "powerpc64le-linux-gnu", "powerpc"),
    "riscv64": ("little", "riscv", "riscv64-linux-gnu", "riscv"),
    "s390x": ("big", "s390", "s390x-linux-gnu", "s390"),
}


def byte_order(platform: Platform) -> str | None:
    """`"little"` or `"big"`; None for a platform that this table does not know."""
    row = MACHINES.get(platform.architecture) if platform.os == "linux" else None
    return row[0] if row else None
