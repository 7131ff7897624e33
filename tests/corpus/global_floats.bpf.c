// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Floating point numbers; no program can touch them.
#include "prelude.h"

float single = 1.5f;
double twice = -2.25;
double zero;
float row[3] = { 1, 2, 3 };
double infinite = __builtin_inf();

SEC("xdp") int program(struct xdp_md *ctx)
{
	return *(int *)&single + *(int *)&twice + *(int *)&zero + *(int *)&row + *(int *)&infinite;
}

LICENSE("GPL");
