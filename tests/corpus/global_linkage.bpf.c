// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Weak and hidden variables.
#include "prelude.h"

__weak int weak = 1;
__hidden int hidden = 2;
__weak const volatile int weak_constant = 3;
int strong __attribute__((visibility("protected"))) = 4;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return weak + hidden + weak_constant + strong;
}

LICENSE("GPL");
