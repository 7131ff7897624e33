// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The loop that the kernel may leave when it has had enough.
// corpus: clang>=19
#include "prelude.h"

SEC("xdp") int program(struct xdp_md *ctx)
{
	int value = ctx->data;
	asm volatile("1: %[value] += 1; may_goto 2f; goto 1b; 2:" : [value] "+r"(value));
	return value;
}

LICENSE("GPL");
