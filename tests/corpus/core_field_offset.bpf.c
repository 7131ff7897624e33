// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// CO-RE relocation 0: the offset of a field, also in an array and an anonymous struct.
#include "prelude.h"

struct task_struct {
	int pid;
	int tgid;
	unsigned int flags : 5;
	int sign : 3;
	char comm[16];
	struct {
		long inside;
	};
	struct task_struct *parent;
} __core;

SEC("raw_tp/sched_switch") int program(struct task_struct *task)
{
	return task->pid + task->comm[3] + task->inside + task->parent->tgid;
}

LICENSE("GPL");
