// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Constants that a loader sets, and ones it does not.
#include "prelude.h"

const volatile int tunable = 5;
const int fixed = 6;
volatile int changing = 7;
const volatile bool flag;
const volatile char name[8] = "eth0";
int *const restrict restricted = (int *)&changing;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return tunable + *(volatile int *)&fixed + changing + flag + name[ctx->data & 7] + *(volatile int *)restricted;
}

LICENSE("GPL");
