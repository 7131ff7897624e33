// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A program of nothing but inline assembly, without a frame.
#include "prelude.h"

SEC("socket") __attribute__((naked)) int program(void)
{
	asm volatile("r0 = 0;"
		     "if r0 == 0 goto +1;"
		     "r0 = 1;"
		     "exit;");
}

LICENSE("GPL");
