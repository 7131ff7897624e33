// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A weak sub-program and a hidden one.
#include "prelude.h"

__weak __noinline int twice(int value)
{
	barrier_var(value);
	return value + value;
}

__hidden __noinline int thrice(int value)
{
	barrier_var(value);
	return value * 3;
}

SEC("tc") int program(struct __sk_buff *ctx)
{
	return twice(ctx->len) + thrice(ctx->mark);
}

LICENSE("GPL");
