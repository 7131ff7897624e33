// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A kernel function that must be there.
#include "prelude.h"

struct task_struct;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

SEC("tp_btf/task_newtask") int program(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);
	if (task)
		bpf_task_release(task);
	return 0;
}

LICENSE("GPL");
