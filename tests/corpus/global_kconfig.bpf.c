// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The kernel's configuration: numbers, truth values, texts, weak ones.
#include "prelude.h"

enum libbpf_tristate { TRI_NO, TRI_YES, TRI_MODULE };
extern int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_BPF_SYSCALL __kconfig;
extern enum libbpf_tristate CONFIG_IPV6 __kconfig;
extern char CONFIG_DEFAULT_HOSTNAME[16] __kconfig;
extern unsigned long CONFIG_HZ __kconfig __weak;
extern __u8 CONFIG_MISSING __kconfig __weak;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return LINUX_KERNEL_VERSION + CONFIG_BPF_SYSCALL + CONFIG_IPV6 + CONFIG_DEFAULT_HOSTNAME[ctx->data & 15] + CONFIG_HZ + CONFIG_MISSING;
}

LICENSE("GPL");
