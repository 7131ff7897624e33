// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts how often a function of a program or shared library is called, or returns.
//
// What it shows
//   * a uprobe: any function of any file that processes run, without restarting them:
//         bpfimg run REF uprobe c --function malloc
//         bpfimg run REF uretprobe /usr/bin/bash --function readline
//   * one program for many functions; where the kernel can (6.6), one link does it:
//         bpfimg run REF uprobe libssl --pattern 'SSL_*'
//   * the same in a container, whose files have other paths: --container-pid PID

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

// The section may also name the place (uprobe//usr/bin/bash:readline); bpfimg asks for it on the command line.
SEC("uprobe")
int uprobe_count(void *ctx)
{
	__u64 *calls;
	__u32 key = 0;

	calls = bpf_map_lookup_elem(&counters, &key);
	if (calls)
		__sync_fetch_and_add(calls, 1);

	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
