// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the files that one process opens, and may forbid it.
//
// What it shows
//   * LSM: the kernel asks the program whether something is allowed; 0 allows, what is negative is the error
//         bpfimg run -g pid=1234 -g forbid=true REF lsm
//   * more than a hundred such hooks (include/linux/lsm_hook_defs.h in the kernel's source), here file_open
//   * it takes a kernel with `bpf` in /sys/kernel/security/lsm; elsewhere bpfimg says so, and attaches nothing

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

// Only for this process, by its number in the initial PID namespace; 0 is nobody.
volatile const __u32 pid = 0;
volatile const _Bool forbid = 0;

static __always_inline void hit(void)
{
	__u64 *calls;
	__u32 key = 0;

	calls = bpf_map_lookup_elem(&counters, &key);
	if (calls)
		__sync_fetch_and_add(calls, 1);
}

#define EPERM 1

// int file_open(struct file *file): after the arguments comes what programs before this one answered
SEC("lsm/file_open")
int ask(unsigned long long *ctx)
{
	int answer = (int)ctx[1];

	if (bpf_get_current_pid_tgid() >> 32 != pid)
		return answer;

	hit();
	return forbid ? -EPERM : answer;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
