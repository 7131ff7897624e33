// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The other half of linked_caller.
// corpus: el
#include "prelude.h"

int shared_number = 5;
static volatile int own = 2;
struct {
	__uint(type, 1);
	__uint(max_entries, 8);
	__type(key, int);
	__type(value, int);
} shared_map SEC(".maps");

__noinline int callee(int value)
{
	barrier_var(value);
	return value + own;
}

SEC("xdp") int second(struct xdp_md *ctx)
{
	return callee(ctx->data);
}

LICENSE("GPL");
