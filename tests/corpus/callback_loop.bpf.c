// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// bpf_loop with a static callback.
#include "prelude.h"

static long step(__u32 index, __u64 *sum)
{
	*sum += index;
	return 0;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	__u64 sum = 0;
	bpf_loop(10, step, &sum, 0);
	return sum;
}

LICENSE("GPL");
