#!/bin/sh
# Two programs on one interface, and their order changed while packets flow.
#
#     sudo sh order.sh [options of the xdp hook, as --dispatcher fused or --mode generic]
#
# 1. A counter runs at priority 55: it counts every packet that arrives.
# 2. xdp_pass joins at 50, so it runs first, and goes on only after `drop`, which it never returns: the chain ends
#    there. Packets pass as before, but the counter stops.
# 3. `bpfimg set` gives xdp_pass priority 60. Now the counter is first, and goes on counting where it was.
#
# Everything happens in a folder, a bpffs and two network namespaces of its own, and nothing of it stays. It needs
# root, bpfimg, clang (to compile the examples) and ip(8) and ping(8).
set -eu

examples=$(cd "$(dirname "$0")/../bytecode" && pwd)
work=$(mktemp -d)
host=order$$a
sender=order$$b
ping=

clean() {
	[ -z "$ping" ] || kill "$ping" 2>/dev/null || true
	BPFIMG_BPFFS=$work/bpf bpfimg unload --ignore-missing counter pass >/dev/null 2>&1 || true
	ip netns delete "$host" 2>/dev/null || true
	ip netns delete "$sender" 2>/dev/null || true
	umount "$work/bpf" 2>/dev/null || true
	rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM

say() { printf '\n# %s\n' "$*"; }

# Shows a command as it was typed, then what it says.
does() {
	printf '$ %s\n' "$*"
	"$@"
}

# How many packets the counter sees while the sender sends for a second.
second() {
	before=$(counted)
	sleep 1
	after=$(counted)
	echo "counted in a second: $((after - before)) packets"
}

counted() { bpfimg map get counter counters 0 | sed 's/.*"packets": \([0-9]*\).*/\1/'; }

# Two namespaces, joined by a pair of interfaces: packets are sent in one, and arrive at eth1 in the other.
ip netns add "$host"
ip netns add "$sender"
ip -n "$host" link add eth1 type veth peer name eth2 netns "$sender"
ip -n "$host" address add 10.88.0.1/24 dev eth1
ip -n "$sender" address add 10.88.0.2/24 dev eth2
ip -n "$host" link set eth1 up
ip -n "$sender" link set eth2 up

mkdir "$work/bpf"
mount -t bpf bpf "$work/bpf"
export BPFIMG_BPFFS="$work/bpf" BPFIMG_STORE="$work/store" BPFIMG_STATE="$work/state"
export COSIGN_PASSWORD=example
cd "$work"
bpfimg key generate -q release >/dev/null
for name in xdp_counter xdp_pass; do
	bpfimg build -q -t "registry.example/team/$name:v1" "$examples/$name.bpf.c" >/dev/null
	bpfimg sign -q --key release.key "registry.example/team/$name:v1" >/dev/null
done

ip netns exec "$sender" ping -i 0.01 -q 10.88.0.1 >ping.txt &
ping=$!

say "A counter at priority 55 sees every packet."
does bpfimg run -q --key release.pub --name counter registry.example/team/xdp_counter:v1 \
	xdp --iface eth1 --netns "$host" --priority 55 "$@"
second

say "xdp_pass in front of it, which goes on only after drop: the chain ends there, and the counter stops."
does bpfimg run -q --key release.pub --name pass registry.example/team/xdp_pass:v1 \
	xdp --iface eth1 --netns "$host" --priority 50 --proceed-on drop "$@"
does bpfimg status eth1 --netns "$host"
second

say "xdp_pass behind it: the counter goes on."
does bpfimg set "$(bpfimg links -q --application pass)" --priority 60
does bpfimg status eth1 --netns "$host"
second

say "What is unloaded leaves the chain; no packet was lost all the while."
does bpfimg unload pass
second
does bpfimg unload counter
kill -INT "$ping"
wait "$ping" || true
ping=
sed -n 's/^[0-9].*packets transmitted.*/&/p' ping.txt
