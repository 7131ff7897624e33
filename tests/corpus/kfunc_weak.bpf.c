// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A kernel function that may be absent, and one called from a sub-program.
#include "prelude.h"

extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;
extern int bpf_strange(struct xdp_md *, int) __ksym;

static __noinline int inner(struct xdp_md *ctx)
{
	return bpf_strange(ctx, 3);
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	if (bpf_rcu_read_lock) {
		bpf_rcu_read_lock();
		bpf_rcu_read_unlock();
	}
	return inner(ctx);
}

LICENSE("GPL");
