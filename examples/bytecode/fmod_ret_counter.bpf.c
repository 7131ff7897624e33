// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Lets getpgid(2) of one process fail, and counts how often.
//
// What it shows
//   * fmod_ret: a program before a function of the kernel; what it returns, if it is not 0, is returned in the
//     function's place, which does not run at all
//   * the kernel allows that for its security hooks and for functions that are marked for error injection
//         bpfimg run -g pid=1234 REF fmod_ret

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

static __always_inline void hit(void)
{
	__u64 *calls;
	__u32 key = 0;

	calls = bpf_map_lookup_elem(&counters, &key);
	if (calls)
		__sync_fetch_and_add(calls, 1);
}

#define EPERM 1

// int security_task_getpgid(struct task_struct *p): after the arguments comes what other programs returned
SEC("fmod_ret/security_task_getpgid")
int refuse(unsigned long long *ctx)
{
	if (bpf_get_current_pid_tgid() >> 32 != pid)
		return (int)ctx[1];

	hit();
	return -EPERM;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
