// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// An access that must fit exactly: the store goes straight to the kernel's struct.
#include "prelude.h"

struct sk_buff {
	unsigned int len;
	__u16 protocol;
	__u8 flag : 1, other : 2;
} __core;

SEC("tp_btf/kfree_skb") int program(struct sk_buff **ctx)
{
	struct sk_buff *skb = *ctx;
	return skb->len + skb->protocol + skb->flag + skb->other;
}

LICENSE("GPL");
