// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Truth values and characters.
#include "prelude.h"

bool yes = true;
bool no;
char letter = 'x';
char zero;
signed char minus = -1;
unsigned char high = 200;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return yes + no + letter + zero + minus + high;
}

LICENSE("GPL");
