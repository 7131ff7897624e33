// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A static sub-program that is called twice.
#include "prelude.h"

static __noinline int twice(int value)
{
	barrier_var(value);
	return value + value;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return twice(ctx->data) + twice(ctx->data_end);
}

LICENSE("GPL");
