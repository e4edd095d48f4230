# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the demos: a host with an uplink, an outside machine and two guests as network namespaces, all of it
# removed at the end, also when something fails or ^C is pressed. Nothing outside these namespaces is touched.

program=$PWD/build/vnet-bpf
id=vnet-demo-$$
host=$id-host outside=$id-out
dir=$(mktemp -d /tmp/$id.XXXX)

[ "$(id -u)" = 0 ] || { echo "make demo: must be root (namespaces, BPF): sudo make demo" >&2; exit 1; }

bold=""; dim=""; plain=""
[ -t 1 ] && { bold=$'\e[1m'; dim=$'\e[2m'; plain=$'\e[0m'; }
say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
show() { printf '%s$ %s%s\n' "$dim" "$*" "$plain"; }
# A command of the host's administrator.
vnet() { show "vnet-bpf $*"; ip netns exec "$host" "$program" --state-dir "$dir" "$@"; }

cleanup() {
	set +e
	trap - EXIT INT TERM
	for network in $(ip netns exec "$host" "$program" --state-dir "$dir" list | awk 'NR > 2 {print $1}'); do
		ip netns exec "$host" "$program" --state-dir "$dir" stop "$network" >/dev/null 2>&1
	done
	for ns in "$host" "$outside" "$id-g1" "$id-g2"; do
		ip netns pids "$ns" 2>/dev/null | xargs -r kill 2>/dev/null
		ip netns del "$ns" 2>/dev/null
	done
	umount "$dir/bpf" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say "A playground: a host with an uplink, an outside machine, two guests"
for ns in "$host" "$outside" "$id-g1" "$id-g2"; do
	ip netns add "$ns"
	# Addresses are usable at once: nobody else can have them here.
	ip netns exec "$ns" sh -c 'for of in all default; do echo 0 > /proc/sys/net/ipv6/conf/$of/accept_dad; done'
	ip -n "$ns" link set lo up
done
ip -n "$host" link add eth0 type veth peer name eth0 netns "$outside"
ip -n "$host" addr add 203.0.113.2/24 dev eth0
ip -n "$host" addr add 2001:db8:113::2/64 dev eth0 nodad
ip -n "$outside" addr add 203.0.113.1/24 dev eth0
ip -n "$outside" addr add 2001:db8:113::1/64 dev eth0 nodad
ip -n "$host" link set eth0 up
ip -n "$outside" link set eth0 up
ip -n "$host" route add default via 203.0.113.1
ip -n "$host" route add default via 2001:db8:113::1
for guest in g1 g2; do
	ip -n "$host" link add "$guest" type veth peer name eth0 netns "$id-$guest"
	ip -n "$id-$guest" link set eth0 up
done
# BPF pins must outlive each command, and `ip netns exec` gives each one mounts of its own.
mkdir -p "$dir/bpf"
mount -t bpf bpf "$dir/bpf"

failures=0
reach() { # from, name of the target, target, expected
	local got=no mark=ok pings="-c3 -i0.3 -W1"
	[ "$4" = no ] || pings="-c1 -w5" # until the first answer: a neighbour is asked for once a second
	# shellcheck disable=SC2086
	ip netns exec "$1" ping $pings "$3" >/dev/null 2>&1 && got=yes
	[ "$got" = "$4" ] || { mark="WRONG, expected $4"; failures=$((failures + 1)); }
	printf '  %-8s -> %-34s %-4s %s\n' "${1#"$id-"}" "$2" "$got" "$mark"
}

left_behind() {
	local left
	left=$(ip -n "$host" -br link show type bridge | grep -v "^${1:-none} "; find "$dir/bpf" -path "*vnet-bpf*"; pgrep -f "$dir/run/dnsmasq" || true)
	if [ -n "$left" ]; then
		echo "left behind: $left" >&2
		exit 1
	fi
	echo "nothing is left: no bridge, no program, no pin, no process"
	[ "$failures" = 0 ] || { echo "$failures of the answers above are wrong" >&2; exit 1; }
}
