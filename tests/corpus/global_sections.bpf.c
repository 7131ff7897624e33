// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Sections of one's own for data, constants and zeros.
#include "prelude.h"

int plain = 1;
int own SEC(".data.own") = 2;
int other SEC(".data.other") = 3;
const volatile int fixed SEC(".rodata.fixed") = 4;
int zeros[4] SEC(".bss.zeros");
int percpu SEC(".percpu.data") = 1;
int elsewhere SEC("strange") = 5;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return plain + own + other + fixed + zeros[ctx->data & 3];
}

LICENSE("GPL");
