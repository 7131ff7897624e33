// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A static function in a program's section: libbpf refuses the object, we read the other program.
#include "prelude.h"

static __noinline __attribute__((section("xdp"))) int hidden(int value)
{
	barrier_var(value);
	return value * 3;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return hidden(ctx->data);
}

LICENSE("GPL");
