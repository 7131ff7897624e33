// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Map values with fields that the kernel knows: a spin lock, a kptr and a tree.
#include "prelude.h"

#define __kptr __attribute__((btf_type_tag("kptr")))
#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
struct bpf_spin_lock {
	__u32 val;
};
struct bpf_rb_root {
	__u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_rb_node {
	__u64 opaque[4];
} __attribute__((aligned(8)));
struct task_struct;
struct node {
	struct bpf_rb_node link;
	long key;
};
struct value {
	struct bpf_spin_lock lock;
	struct task_struct __kptr *task;
	__u32 count;
};
struct {
	__uint(type, 2);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct value);
} table SEC(".maps");

struct bpf_rb_root root __contains(node, link) SEC(".bss.tree");
struct node unused;

SEC("tc") int program(struct __sk_buff *ctx)
{
	__u32 key = 0;
	struct value *value = bpf_map_lookup_elem(&table, &key);
	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	value->count++;
	bpf_spin_unlock(&value->lock);
	return (long)&root & 1;
}

LICENSE("GPL");
