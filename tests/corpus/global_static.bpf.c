// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Static variables, two of them with the same name.
#include "prelude.h"

static volatile int hidden = 1;
static volatile long zeros;
static const volatile int setting = 3;

static __noinline int count(void)
{
	static volatile int calls;
	static volatile int first = 4;
	return calls++ + first;
}

static __noinline int count_again(void)
{
	static volatile int calls;
	return calls++;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return hidden + zeros++ + setting + count() + count_again();
}

LICENSE("GPL");
