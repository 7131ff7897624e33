// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Relocations in several sections, in a sub-program and in one that is never called.
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

static __noinline int deep(struct task_struct *task)
{
	return task->tgid;
}

__noinline int never(struct task_struct *task)
{
	return task->pid;
}

SEC("raw_tp/sched_switch") int first(struct task_struct *task)
{
	return deep(task) + task->pid;
}

SEC("raw_tp/sched_switch") int second(struct task_struct *task)
{
	return task->parent->pid;
}

SEC("kprobe/do_exit") int third(struct task_struct *task)
{
	return __builtin_preserve_type_info(*(struct task_struct *)0, 0);
}

LICENSE("GPL");
