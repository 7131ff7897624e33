// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Atomic operations with and without what was there before.
// corpus: -mcpu=v3
#include "prelude.h"

long counter, other;
int narrow;

SEC("xdp") int program(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	long before = __sync_fetch_and_add(&counter, 2);
	before += __sync_fetch_and_or(&counter, 4);
	before += __sync_fetch_and_xor(&other, 4);
	before += __sync_fetch_and_and(&other, 12);
	before += __sync_lock_test_and_set(&other, 3);
	before += __sync_val_compare_and_swap(&counter, 1, 2);
	before += __sync_fetch_and_add(&narrow, 2);
	return before;
}

LICENSE("GPL");
