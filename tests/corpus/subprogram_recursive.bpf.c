// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Two sub-programs that call each other: the kernel will refuse them, a reader must not loop.
#include "prelude.h"

__noinline int odd(int value);

__noinline int even(int value)
{
	barrier_var(value);
	return value ? odd(value - 1) : 1;
}

__noinline int odd(int value)
{
	barrier_var(value);
	return value ? even(value - 1) : 0;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return even(ctx->data);
}

LICENSE("GPL");
