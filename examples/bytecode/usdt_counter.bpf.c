// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts how often a static probe (USDT) is passed, and adds up its first argument.
//
// What it shows
//   * static probes: places that the authors of a program meant to be observed. They have names that stay, and
//     arguments; until somebody looks each is one `nop`. `bpfimg hooks usdt /usr/bin/python3` lists those of Python:
//         bpfimg run REF usdt /usr/bin/python3 python:gc__start     (the argument is the generation)
//   * arguments by libbpf's usdt.bpf.h: bpfimg tells the program where the compiler left each value

// The processor whose registers hold the arguments; only older kernels, without cookies, make the header ask.
#if !defined(__TARGET_ARCH_x86) && !defined(__TARGET_ARCH_arm64)
#define __TARGET_ARCH_x86
#endif

#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

// Key 0: how often; key 1: the sum of the first argument.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void add(__u32 key, __u64 number)
{
	__u64 *sum = bpf_map_lookup_elem(&counters, &key);

	if (sum)
		__sync_fetch_and_add(sum, number);
}

SEC("usdt")
int usdt_count(struct pt_regs *ctx)
{
	long first = 0;

	add(0, 1);
	if (!bpf_usdt_arg(ctx, 0, &first)) // fails where the probe has no arguments
		add(1, first);

	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
