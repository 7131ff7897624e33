// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts changes of the scheduler to a task of a process, by the number that the kernel has for it.
//
// What it shows
//   * a raw tracepoint with types (tp_btf): arguments are pointers that may be followed like those of C, and the
//     verifier knows where they lead; no helper reads for the program
//   * what it is bound to is known when it is loaded: the section says it, or HOOK does
//         bpfimg run REF tp_btf
//         bpfimg run REF tp_btf sched_wakeup
//   * one field of a structure of the kernel: libbpf finds its place in the running kernel (CO-RE)

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct task_struct {
	int tgid;
} __attribute__((preserve_access_index));

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

// sched_switch(bool preempt, struct task_struct *prev, struct task_struct *next, ...)
SEC("tp_btf/sched_switch")
int count_next(unsigned long long *ctx)
{
	struct task_struct *next = (void *)ctx[2];

	if (!pid || next->tgid == pid)
		hit();
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
