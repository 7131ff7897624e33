// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts how often the scheduler changes from one task to another.
//
// What it shows
//   * a raw tracepoint: the same places as tracepoints, named without their group, with the arguments as the kernel
//     passes them to itself; the cheapest way to look at one
//   * SEC("raw_tracepoint.w/...") is for the few that let a program write

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void hit(void)
{
	__u64 *calls;
	__u32 key = 0;

	calls = bpf_map_lookup_elem(&counters, &key);
	if (calls)
		__sync_fetch_and_add(calls, 1);
}

// The arguments come as an array of 64-bit words.
SEC("raw_tracepoint/sched_switch")
int count_switches(struct bpf_raw_tracepoint_args *ctx)
{
	hit();
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
