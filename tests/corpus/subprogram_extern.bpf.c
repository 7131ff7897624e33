// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Calls of functions that another object will define: for the static linker only.
#include "prelude.h"

extern int elsewhere(int value);

__noinline int here(int value)
{
	barrier_var(value);
	return value + 2;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return elsewhere(ctx->data) + here(ctx->data);
}

LICENSE("GPL");
