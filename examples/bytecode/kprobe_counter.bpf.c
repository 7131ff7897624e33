// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the calls of a function of the kernel, by everybody or by one process.
//
// What it shows
//   * a probe at any function, of the kernel or of a module, at its entry, behind it, or at its return:
//         bpfimg run REF kprobe do_nanosleep
//         bpfimg run REF kretprobe do_nanosleep
//         bpfimg run REF kprobe veth_xmit --module veth
//   * the same program at every function that fits a pattern, by one link where the kernel can (6.0 and newer, built
//     with FPROBE), else by one for each:
//         bpfimg run REF kprobe --pattern 'vfs_*'
//   * a system call by its name in the manual, whatever the machine calls the function: bpfimg run REF ksyscall openat
//   * such functions are no promise: another kernel may have inlined or renamed one. `bpfimg hooks kprobe` lists them

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

// Count only this process, by its number in the initial PID namespace; 0 counts all.
volatile const __u32 pid = 0;

static __always_inline void hit(void)
{
	__u64 *calls;
	__u32 key = 0;

	calls = bpf_map_lookup_elem(&counters, &key);
	if (calls)
		__sync_fetch_and_add(calls, 1);
}

static __always_inline int is_wanted(void)
{
	return !pid || bpf_get_current_pid_tgid() >> 32 == pid;
}

SEC("kprobe/do_nanosleep")
int count_calls(void *ctx)
{
	if (is_wanted())
		hit();
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
