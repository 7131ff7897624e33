// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The one atomic operation that every kernel has.
#include "prelude.h"

long counter;

SEC("xdp") int program(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 2;
}

LICENSE("GPL");
