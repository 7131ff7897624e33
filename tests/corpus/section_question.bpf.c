// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Sections that begin with a question mark: loaded only when asked for.
#include "prelude.h"

SEC("xdp") int program(struct xdp_md *ctx)
{
	return 2;
}

SEC("?xdp") int optional(struct xdp_md *ctx)
{
	return 1;
}

SEC("?tracepoint/syscalls/sys_enter_openat") int also_optional(struct xdp_md *ctx)
{
	return 0;
}

SEC("?fentry.s/bpf_fentry_test1") int sleeper(struct xdp_md *ctx)
{
	return 0;
}

LICENSE("GPL");
