// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Pointers behind pointers and arrays in arrays, to the depth that libbpf still follows.
#include "prelude.h"

typedef int d0;
typedef const d0 d1;
typedef volatile d1 d2;
typedef const d2 d3;
typedef volatile d3 d4;
typedef const d4 d5;
typedef volatile d5 d6;
typedef const d6 d7;
typedef volatile d7 d8;
typedef const d8 d9;
typedef volatile d9 d10;
typedef const d10 d11;
typedef volatile d11 d12;
typedef const d12 d13;
d13 deep;
int ***************pointers;
int arrays[1][1][1][1][1][1][1][2];

SEC("xdp") int program(struct xdp_md *ctx)
{
	return deep + (long)pointers + arrays[0][0][0][0][0][0][0][ctx->data & 1];
}

LICENSE("GPL");
