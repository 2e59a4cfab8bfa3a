# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: BSD-3-Clause
# What a scenario asks of the kernels of its hosts.

# host_of_both KEY IPV4/LENGTH IPV6 GATEWAY4 GATEWAY6: addresses of both families on its eth0, and the ways out
host_of_both() {
	in_ns "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.eth0.disable_ipv6=0
	address "$1" eth0 "$2"
	ip -n "$(ns "$1")" addr add "$3/64" dev eth0 nodad || die "address $3 of $1"
	default_via "$1" "$4"
	ip -n "$(ns "$1")" -6 route add default via "$5" dev eth0 || die "default route of $1"
}

# ping_says KEY PATTERN PING-ARGUMENT...: what one ping prints
ping_says() {
	local key=$1 pattern=$2 out
	shift 2
	out=$(in_ns "$key" ping -n -W 2 -c 1 "$@" 2>&1)
	echo "$out" | grep -Eq "$pattern" || because "ping $*: $(echo "$out" | sed -n 2p)"
}

# What host A's kernel has learnt of path MTUs.
forget_mtu() { ip -n "$(ns ha)" route flush cache; }
