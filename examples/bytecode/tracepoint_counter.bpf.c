// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts how often getpid(2) is called, by everybody or by one process.
//
// What it shows
//   * a tracepoint: a place in the kernel that is meant to be observed; its name is group/name, here
//     syscalls/sys_enter_getpid (`ls /sys/kernel/tracing/events` lists all)
//   * a filter that is set at load and costs nothing when it is not used:
//         bpfimg run -g pid=1234 REF tracepoint syscalls/sys_enter_getpid
//   * getpid is a good place to learn at: it does nothing else, and `python3 -c 'import os; os.getpid()'` hits it

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

// Count only this process; 0 counts all. It is the number that user space calls "process id", in the initial
// PID namespace (inside a container a process has another one as well).
volatile const __u32 pid = 0;

// What comes after "tracepoint/" is the default place to attach to.
SEC("tracepoint/syscalls/sys_enter_getpid")
int getpid_count(void *ctx)
{
	__u64 *calls;
	__u32 key = 0;

	// Upper half: the process (the kernel says "thread group"); lower half: the thread.
	if (pid && bpf_get_current_pid_tgid() >> 32 != pid)
		return 0;

	calls = bpf_map_lookup_elem(&counters, &key);
	if (calls)
		__sync_fetch_and_add(calls, 1);

	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
