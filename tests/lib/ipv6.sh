# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: BSD-3-Clause
# IPv6 on the WAN of a scenario: the gateways' ports, and the kernels beside them. Source it after gateway.sh.

# ipv6_on KEY IF ADDRESS: the kernel of a namespace has the address
ipv6_on() {
	in_ns "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 "net.ipv6.conf.$2.disable_ipv6=0"
	ip -n "$(ns "$1")" addr add "$3/64" dev "$2" nodad || die "address $3 on $2 of $1"
}

# wan_only_ipv6 NAME ADDRESS [VIA]: the WAN port of gateway NAME, configured before, has this address and no IPv4 one
wan_only_ipv6() {
	sed -i -e "/name: wan/s|address: [^,]*,|address6: \"$2/64\",|" -e '/^routes:/,/^  - /d' "$work/$1.yaml"
	[ -z "${3:-}" ] || printf 'routes:\n  - {prefix: "::/0", via: "%s"}\n' "$3" >>"$work/$1.yaml"
}
