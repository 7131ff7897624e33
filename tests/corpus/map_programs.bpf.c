// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A prog_array that is filled when it is created, and tail calls into it.
#include "prelude.h"

int first(void *ctx), second(void *ctx);

struct {
	__uint(type, 3);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__array(values, int(void *));
} jumps SEC(".maps") = {
	.values = { [1] = (void *)&first, [3] = (void *)&second },
};

SEC("socket") int first(void *ctx)
{
	return 1;
}

SEC("socket") int second(void *ctx)
{
	return 2;
}

SEC("socket") int entry(void *ctx)
{
	bpf_tail_call(ctx, &jumps, 1);
	bpf_tail_call(ctx, &jumps, 3);
	return 0;
}

LICENSE("GPL");
