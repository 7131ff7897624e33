// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Tags on declarations and types.
#include "prelude.h"

#define __tag(name) __attribute__((btf_decl_tag(name)))
#define __user __attribute__((btf_type_tag("user")))
struct tagged {
	int plain;
	int special __tag("a member");
	char __user *pointer;
} __tag("a struct");
typedef int number __tag("a typedef");
struct tagged variable __tag("a variable");
number other;

static __noinline __tag("a function") int called(int value __tag("a parameter"))
{
	barrier_var(value);
	return value;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return called(ctx->data) + variable.special + other + (long)variable.pointer;
}

LICENSE("GPL");
