// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Writes a line for each process: number, name.
//
// What it shows
//   * an iterator: the kernel walks its tasks, calls the program for each, and what the program writes is read like a
//     file; nothing is attached, nothing stays
//         bpfimg run REF iter
//         bpfimg run REF iter --pid 1234
//   * other sections walk other things: iter/bpf_map, iter/bpf_map_elem (with --map), iter/tcp, iter/cgroup

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct task_struct {
	int pid;
	int tgid;
	char comm[16];
} __attribute__((preserve_access_index));

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __attribute__((preserve_access_index));

SEC("iter/task")
int write_processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	static const char line[] = "%8d  %s\n";
	__u64 words[2];

	// After the last task the program is called once more, without one. Threads have the number of their first one.
	if (!task || task->pid != task->tgid)
		return 0;

	words[0] = task->tgid;
	words[1] = (__u64)task->comm;
	bpf_seq_printf(ctx->meta->seq, line, sizeof(line), words, sizeof(words));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
