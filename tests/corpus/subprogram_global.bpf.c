// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Global sub-programs, one of them never called.
#include "prelude.h"

__noinline int twice(int value)
{
	barrier_var(value);
	return value + value;
}

__noinline int never(int value)
{
	barrier_var(value);
	return value;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return twice(ctx->data);
}

LICENSE("GPL");
