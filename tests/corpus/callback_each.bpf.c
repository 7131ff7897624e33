// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// bpf_for_each_map_elem with a global callback that calls a sub-program.
#include "prelude.h"

struct {
	__uint(type, 1);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} table SEC(".maps");

static __noinline __u64 weight(__u64 value)
{
	barrier_var(value);
	return value / 3 + bpf_get_prandom_u32();
}

__noinline int visit(void *map, __u32 *key, __u64 *value, __u64 *sum)
{
	*sum += weight(*value);
	return 0;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	__u64 sum = 0;
	bpf_for_each_map_elem(&table, visit, &sum, 0);
	return sum;
}

LICENSE("GPL");
