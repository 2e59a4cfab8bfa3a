/* SPDX-License-Identifier: BSD-3-Clause */
/* The schema: every setting once, as a row. The loader, its error texts and docs/config.md all come from these tables.
 */
#include "conf_priv.h"

#include <stddef.h>

/* Where a value goes, and how large that place is. */
#define FIELD(type, member)  .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define NESTED(table)        .rows = table, .row_count = ARRAY_LEN(table)
#define ITEMS(type, member)  FIELD(type, member), .item_size = sizeof(*((type *)0)->member)
#define COUNT(type, member)  .count_offset = offsetof(type, member)
#define CHOICE(type, member) .has_choice = true, .choice_offset = offsetof(type, member)
#define SECONDS(n)           ((uint64_t)(n)*1000000000)
#define MILLISECONDS(n)      ((uint64_t)(n)*1000000)
#define HOURS(n)             SECONDS((n)*3600)

static const struct word boolean_words[] = {
	{ "true", 1, NULL },
	{ "false", 0, NULL },
	{ "yes", 1, NULL },
	{ "no", 0, NULL },
	{ "on", 1, NULL },
	{ "off", 0, NULL },
	{ 0 },
};
static const struct word idle_words[] = {
	{ "poll", IDLE_POLL, NULL },
	{ "adaptive", IDLE_ADAPTIVE, NULL },
	{ "pause", IDLE_PAUSE, NULL },
	{ "monitor", IDLE_MONITOR, NULL },
	{ "interrupt", IDLE_INTERRUPT, NULL },
	{ 0 },
};
static const struct word rpf_words[] = {
	{ "off", RPF_OFF, NULL },
	{ "loose", RPF_LOOSE, NULL },
	{ "strict", RPF_STRICT, NULL },
	{ 0 },
};
static const struct word icmp_error_words[] = {
	{ "ignore", false, NULL },
	{ "log", true, NULL },
	{ 0 },
};
static const struct word log_words[] = {
	{ "error", LOG_ERROR, NULL },
	{ "warning", LOG_WARNING, NULL },
	{ "notice", LOG_NOTICE, NULL },
	{ "debug", LOG_DEBUG, NULL },
	{ 0 },
};
static const struct word action_words[] = {
	{ "protect", POLICY_PROTECT, NULL },
	{ "bypass", POLICY_BYPASS, NULL },
	{ "discard", POLICY_DISCARD, NULL },
	{ 0 },
};
static const struct word protocol_words[] = {
	{ "esp", PROTOCOL_ESP, NULL },
	{ "ah", PROTOCOL_AH, NULL },
	{ 0 },
};
static const struct word mode_words[] = {
	{ "tunnel", SA_MODE_TUNNEL, NULL },
	{ "transport", SA_MODE_TRANSPORT, NULL },
	{ "beet", 0, "BEET mode is not supported" },
	{ 0 },
};
static const struct word tfc_words[] = {
	{ "mtu", TFC_TO_MTU, NULL },
	{ 0 },
};
/* A choice, too: the value says whether the word or the number sets the field's bool. */
static const struct word dscp_words[] = {
	{ "copy", false, NULL },
	{ 0 },
};
static const struct word copy_words[] = {
	{ "copy", true, NULL },
	{ 0 },
};
static const struct word ecn_words[] = {
	{ "copy", false, NULL },
	{ "clear", true, NULL },
	{ 0 },
};
static const struct word df_words[] = {
	{ "copy", DF_COPY, NULL },
	{ "set", DF_SET, NULL },
	{ "clear", DF_CLEAR, NULL },
	{ 0 },
};
static const struct word fragment_words[] = {
	{ "before", FRAGMENT_BEFORE, NULL },
	{ "after", FRAGMENT_AFTER, NULL },
	{ 0 },
};
static const struct word manual_encap_words[] = {
	{ "none", SA_ENCAP_NONE, NULL },
	{ "udp", SA_ENCAP_UDP, NULL },
	{ 0 },
};
static const struct word encap_words[] = {
	{ "auto", ENCAP_AUTO, NULL },
	{ "always", ENCAP_ALWAYS, NULL },
	{ 0 },
};
static const struct word nat_words[] = {
	{ "allow", false, NULL },
	{ "refuse", true, NULL },
	{ 0 },
};
static const struct word dpd_words[] = {
	{ "auto", DPD_AUTO, NULL },
	{ "restart", DPD_RESTART, NULL },
	{ "clear", DPD_CLEAR, NULL },
	{ "trap", DPD_TRAP, NULL },
	{ "hold", 0, "what strongSwan calls hold or trap is `trap` here" },
	{ 0 },
};
static const struct word unique_id_words[] = {
	{ "replace", UNIQUE_REPLACE, NULL },
	{ "keep", UNIQUE_KEEP, NULL },
	{ "never", UNIQUE_NEVER, NULL },
	{ "no", 0, "what strongSwan calls no is `replace` here" },
	{ 0 },
};
static const struct word start_words[] = {
	{ "initiate", START_INITIATE, NULL },
	{ "trap", START_TRAP, NULL },
	{ "respond", START_RESPOND, NULL },
	{ 0 },
};
static const struct word virtual_ip_words[] = {
	{ "none", VIRTUAL_NONE, NULL },
	{ "ipv4", VIRTUAL_IPV4, NULL },
	{ "ipv6", VIRTUAL_IPV6, NULL },
	{ "both", VIRTUAL_BOTH, NULL },
	{ 0 },
};
static const struct word version_words[] = {
	{ "2", 2, NULL },
	{ "1", 1, "IKEv1 is not supported; use 2" },
	{ 0 },
};
static const struct word auth_words[] = {
	{ "psk", AUTH_PSK, NULL },
	{ "pubkey", 0, "certificates and raw public keys are not supported; use psk" },
	{ "cert", 0, "certificates are not supported; use psk" },
	{ "rsa", 0, "RSA authentication is not supported; use psk" },
	{ "ecdsa", 0, "ECDSA authentication is not supported; use psk" },
	{ "eap", 0, "EAP is not supported; use psk" },
	{ "null", 0, "NULL authentication is not supported; use psk" },
	{ 0 },
};
/* Only true is an answer: the operator confirms. */
static const struct word lab_words[] = {
	{ "true", 1, NULL },
	{ "false", 0, "manual keys repeat nonces after a restart (RFC 8221 3): true accepts that, for a lab" },
	{ 0 },
};

static const struct row icmp_rows[] = {
	{ .key = "path_mtu",
		.type = &type_word,
		.words = boolean_words,
		FIELD(struct config_icmp, path_mtu),
		.fallback = "true",
		.help = "believe a router that says a packet of an SA of ours was too big: the quoted SPI and "
			"addresses have "
			"to be those of an SA that is up, and the path's MTU is only ever lowered" },
	{ .key = "floor",
		.type = &type_number,
		FIELD(struct config_icmp, floor),
		.fallback = "576",
		.min = 296,
		.max = 9600,
		.help = "no path MTU below this is believed; for IPv6 1280 at least" },
	{ .key = "hold",
		.type = &type_duration,
		FIELD(struct config_icmp, hold_ns),
		.fallback = "10m",
		.min = SECONDS(300),
		.max = HOURS(24),
		.help = "time after which the MTU of our own link is tried again (RFC 1191 6.3)" },
	{ .key = "errors",
		.type = &type_word,
		.words = icmp_error_words,
		FIELD(struct config_icmp, errors),
		.fallback = "ignore",
		.help = "all other ICMP errors about our SAs (unreachable, time exceeded ...): `ignore`, counted as "
			"`icmp_ignored`, or `log` those that quote an SA that is up. Nothing else follows from them" },
	{ .key = "prohibited",
		.type = &type_word,
		.words = boolean_words,
		FIELD(struct config_icmp, prohibited),
		.fallback = "false",
		.help = "tell a host whose packet a `discard` rule of its side ended that this is prohibited (ICMP "
			"3/13, ICMPv6 1/1; RFC 4301 5.1.1), at a limited rate. A rule that discards what the gateway "
			"itself sends to the host ends the answer too" },
};

static const struct row reassembly_rows[] = {
	{ .key = "datagrams",
		.type = &type_number,
		FIELD(struct config_reassembly, datagrams),
		.fallback = "1024",
		.min = 0,
		.max = 16384,
		.help = "datagrams of each worker that wait for fragments at once; the oldest makes room, a source has "
			"a "
			"quarter. 0: fragments for the gateway itself are dropped, those of others never joined" },
	{ .key = "fragments",
		.type = &type_number,
		FIELD(struct config_reassembly, fragments),
		.fallback = "64",
		.min = 2,
		.max = 256,
		.help = "fragments of one datagram; 53 of 1280 bytes carry the longest" },
	{ .key = "timeout",
		.type = &type_duration,
		FIELD(struct config_reassembly, timeout_ns),
		.fallback = "5s",
		.min = SECONDS(1),
		.max = SECONDS(60),
		.help = "how long the rest of a datagram may take. Fragments leave their sender together: seconds are "
			"plenty, and less to hold against a flood (RFC 791 says 15 s, RFC 8200 60 s at most)" },
	{ .key = "large_buffers",
		.type = &type_number,
		FIELD(struct config_reassembly, large_buffers),
		.fallback = "64",
		.min = 0,
		.max = 4096,
		.help = "buffers of 64 KB for datagrams that are larger than a packet buffer" },
};

static const struct row ike_rows[] = {
	{ .key = "half_open",
		.type = &type_number,
		FIELD(struct config_ike, half_open),
		.fallback = "1000",
		.min = 10,
		.max = 100000,
		.help = "IKE SAs that peers have begun and not authenticated, about 10 KB each; beyond it the oldest "
			"makes way" },
	{ .key = "cookie_threshold",
		.type = &type_number,
		FIELD(struct config_ike, cookie_threshold),
		.fallback = "100",
		.min = 0,
		.max = 100000,
		.help = "so many of them, and who begins another must first return a cookie (RFC 7296 2.6), which "
			"proves its address and costs a round trip. 0: always" },
	{ .key = "half_open_per_source",
		.type = &type_number,
		FIELD(struct config_ike, half_open_per_source),
		.fallback = "32",
		.min = 1,
		.max = 100000,
		.help = "of them one address (IPv6: one /64) may have so many; more for many peers behind one NAT" },
	{ .key = "failures_per_source",
		.type = &type_number,
		FIELD(struct config_ike, failures_per_source),
		.fallback = "60",
		.min = 1,
		.max = 100000,
		.help = "failed authentications of one address within a minute after which it may not begin again "
			"until the minute is over" },
};

static const struct row discovery_rows[] = {
	{ .key = "dad_probes",
		.type = &type_number,
		FIELD(struct config_neighbours, dad_probes),
		.fallback = "1",
		.min = 0,
		.max = 10,
		.help = "times each IPv6 address of ours is asked for at the start before it is used, `retransmit` "
			"apart (RFC "
			"4862 5.4); one that another host has stays unused. 0: all are used at once, unasked" },
	{ .key = "retransmit",
		.type = &type_duration,
		FIELD(struct config_neighbours, retransmit_ns),
		.fallback = "1s",
		.min = MILLISECONDS(100),
		.max = SECONDS(10),
		.help = "time between questions to a neighbour, of which three remain without an answer (RFC 4861 "
			"10)" },
	{ .key = "reachable",
		.type = &type_duration,
		FIELD(struct config_neighbours, reachable_ns),
		.fallback = "30s",
		.min = SECONDS(1),
		.max = HOURS(1),
		.help = "how long an answer of a neighbour counts; one that is in use is asked again after that" },
};

static const struct row system_rows[] = {
	{ .key = "eal_args",
		.type = &type_words,
		FIELD(struct config_system, eal_args),
		COUNT(struct config_system, eal_arg_count),
		.max = 64,
		.help = "words for DPDK's EAL. `--file-prefix`, `--lcores` and the devices of the interfaces are added "
			"unless they are here. `--no-pci` leaves PCI ports to the kernel: not with one in "
			"`interfaces`" },
	{ .key = "allow_no_huge",
		.type = &type_word,
		.words = boolean_words,
		FIELD(struct config_system, allow_no_huge),
		.fallback = "false",
		.help = "run on normal pages when no hugepages can be had, instead of refusing to start" },
	{ .key = "mbufs",
		.type = &type_number,
		FIELD(struct config_system, mbufs),
		.fallback = "16384",
		.min = 1024,
		.max = 4194304,
		.help = "packet buffers of the gateway, about 2.3 KB each" },
	{ .key = "workers",
		.type = &type_number,
		FIELD(struct config_system, workers),
		.fallback = "0",
		.min = 0,
		.max = 64,
		.reload = RELOAD_LIVE,
		.help = "workers that take part. 0: as many as `--lcores` in eal_args says, else one. Without "
			"`--lcores` this "
			"many are made at the start; while it runs, fewer take part, or more up to as many as were "
			"made" },
	{ .key = "idle",
		.type = &type_word,
		.words = idle_words,
		FIELD(struct config_system, idle),
		.fallback = "adaptive",
		.help = "what a worker without packets does: `poll` spins, `adaptive` pauses and then sleeps shortly, "
			"`interrupt` sleeps "
			"until a device has a packet, `pause` rests by the CPU's TPAUSE, `monitor` by its UMWAIT until "
			"a device has one. "
			"The last three are refused where CPU or driver cannot do it" },
	{ .key = "flow_rules",
		.type = &type_word,
		.words = boolean_words,
		FIELD(struct config_system, flow_rules),
		.fallback = "true",
		.help = "ask devices with several queues to bring ESP and AH by SPI to the worker that owns the SA; "
			"where they "
			"cannot, packets are handed over" },
	{ .key = "flow_cache",
		.type = &type_number,
		FIELD(struct config_system, flow_cache),
		.fallback = "65536",
		.min = 64,
		.max = 4194304,
		.zero_allowed = true,
		.help = "flows whose decision (policy, tunnel, route) each worker remembers, of each IP version, 96 "
			"bytes for "
			"the two; 0: each packet is looked up" },
	{ .key = "mss_clamp",
		.type = &type_word,
		.words = boolean_words,
		FIELD(struct config_system, mss_clamp),
		.fallback = "true",
		.help = "lower the MSS of TCP connections through a tunnel to what fits without fragmentation" },
	{ .key = "icmp",
		.kind = ROW_MAP,
		FIELD(struct config_system, icmp),
		NESTED(icmp_rows),
		.help = "ICMP errors about our own SAs: they come from anybody, unauthenticated (RFC 4301 6.1.1)" },
	{ .key = "reassembly",
		.kind = ROW_MAP,
		FIELD(struct config_system, reassembly),
		NESTED(reassembly_rows),
		.help = "fragments put together: those for the gateway itself, and others where ports decide" },
	{ .key = "ike",
		.kind = ROW_MAP,
		FIELD(struct config_system, ike),
		NESTED(ike_rows),
		.help = "what peers that are not authenticated may take" },
	{ .key = "neighbours",
		.kind = ROW_MAP,
		FIELD(struct config_system, neighbours),
		NESTED(discovery_rows),
		.help = "how neighbours are asked, by neighbour discovery and ARP" },
};

static const struct row control_rows[] = {
	{ .key = "socket",
		.type = &type_path,
		FIELD(struct config_control, socket),
		.fallback = "/run/sallyport/control.sock",
		.help = "UNIX socket that sallyctl talks to; made with mode 0600" },
	{ .key = "log_level",
		.type = &type_word,
		.words = log_words,
		FIELD(struct config_control, log_level),
		.fallback = "notice",
		.reload = RELOAD_LIVE,
		.help = "the least important lines that are logged" },
	{ .key = "leases",
		.type = &type_path,
		FIELD(struct config_control, leases),
		.fallback = "/var/lib/sallyport/leases",
		.help = "file that remembers, over restarts, which identity has which address of a pool" },
};

static const struct row interface_rows[] = {
	{ .key = "name",
		.type = &type_name,
		.required = true,
		FIELD(struct config_interface, name),
		.help = "name of the port in texts and references" },
	{ .key = "device",
		.type = &type_text,
		.required = true,
		FIELD(struct config_interface, device),
		.help = "PCI address (`\"0000:01:00.0\"`) or DPDK virtual device with its arguments "
			"(`\"net_af_packet0,iface=eth1\"`). Interfaces of different `vlan` may share one" },
	{ .key = "vlan",
		.type = &type_number,
		FIELD(struct config_interface, vlan),
		.min = 1,
		.max = 4094,
		.help = "802.1Q VLAN of the interface; without it, frames without a tag (or with VLAN 0, a priority "
			"only)" },
	{ .key = "address",
		.type = &type_prefix,
		.family = ADDR_IPV4,
		FIELD(struct config_interface, address),
		.help = "our IPv4 address and the length of the connected subnet, such as 192.0.2.1/24. At least one "
			"of `address`, `address6` and `link_local` is needed. Addresses that come and go while the "
			"gateway runs are `addresses`" },
	{ .key = "address6",
		.type = &type_prefix,
		.family = ADDR_IPV6,
		FIELD(struct config_interface, address6),
		.help = "our IPv6 address and the length of the connected subnet, such as 2001:db8:1::1/64" },
	{ .key = "link_local",
		.type = &type_address,
		.family = ADDR_IPV6,
		FIELD(struct config_interface, link_local),
		.help = "our IPv6 link-local address (fe80::/10) there. With `address6` alone it is made of the MAC "
			"address; "
			"without, the interface has no other IPv6 address" },
	{ .key = "mtu",
		.type = &type_number,
		FIELD(struct config_interface, mtu),
		.fallback = "1500",
		.min = 576,
		.max = 9600,
		.help = "largest IP packet of the link in bytes; with IPv6 at least 1280" },
	{ .key = "rpf",
		.type = &type_word,
		.words = rpf_words,
		FIELD(struct config_interface, rpf),
		.fallback = "off",
		.help = "reverse-path check of what arrives here in clear (RFC 3704): `strict`, the route to the "
			"source leads "
			"out of here; `loose`, some route but the default one leads to it. What is to enter a tunnel "
			"is "
			"always checked strictly" },
};

static const struct row address_rows[] = {
	{ .key = "address",
		.type = &type_address,
		.required = true,
		FIELD(struct config_address, addr),
		.help = "the address of a host, of either family" },
};

static const struct row route_rows[] = {
	{ .key = "prefix",
		.type = &type_prefix,
		.required = true,
		FIELD(struct config_route, prefix),
		.help = "destination; the longest prefix wins" },
	{ .key = "via",
		.type = &type_address,
		.required = true,
		FIELD(struct config_route, via),
		.help = "next hop of the same family: in the subnet of an interface, or link-local together with "
			"`interface`" },
	{ .key = "interface",
		.type = &type_name,
		.sink = true,
		.size = CONFIG_NAME_MAX,
		.help = "interface of the next hop; the one in whose subnet `via` is when omitted" },
};

static const struct row neighbour_rows[] = {
	{ .key = "interface",
		.type = &type_name,
		.required = true,
		.sink = true,
		.size = CONFIG_NAME_MAX,
		.help = "name of an interface" },
	{ .key = "address",
		.type = &type_address,
		.required = true,
		FIELD(struct config_neighbour, addr),
		.help = "address of the neighbour, in a subnet of that interface or link-local" },
	{ .key = "mac",
		.type = &type_mac,
		.required = true,
		FIELD(struct config_neighbour, mac),
		.help = "its MAC address; nobody is asked for it" },
};

static const struct row policy_rows[] = {
	{ .key = "name",
		.type = &type_name,
		.required = true,
		FIELD(struct config_policy, name),
		.help = "name in texts" },
	{ .key = "action",
		.type = &type_word,
		.words = action_words,
		.required = true,
		FIELD(struct config_policy, action),
		.help = "`protect` by a tunnel or manual SA, `bypass` in clear, or `discard`" },
	{ .key = "target",
		.type = &type_name,
		FIELD(struct config_policy, target),
		.help = "with `protect`: the tunnel or manual SA, which then stands here instead of before the list. "
			"The "
			"entry replaces its rule: what its selectors hold and no protect entry names is no longer "
			"protected, and a later bypass sends it in clear" },
	{ .key = "local_selectors",
		.type = &type_selectors,
		FIELD(struct config_policy, local),
		.min = 1,
		.max = SELECTORS_MAX,
		.help = "our side of the traffic. With `protect` the target's own when omitted, else needed" },
	{ .key = "remote_selectors",
		.type = &type_selectors,
		FIELD(struct config_policy, remote),
		.min = 1,
		.max = SELECTORS_MAX,
		.help = "the other side of the traffic, likewise" },
};

static const struct row outer_rows[] = {
	{ .key = "dscp",
		.type = &type_number_or_word,
		.words = dscp_words,
		CHOICE(struct header_rules, dscp_set),
		FIELD(struct header_rules, dscp),
		.fallback = "copy",
		.max = 63,
		.help = "DSCP outside: the inner packet's, or this one" },
	{ .key = "ecn",
		.type = &type_word,
		.words = ecn_words,
		FIELD(struct header_rules, ecn_clear),
		.fallback = "copy",
		.help = "ECN outside: the inner packet's, or none for a peer that does not know RFC 6040" },
	{ .key = "df",
		.type = &type_word,
		.words = df_words,
		FIELD(struct header_rules, df),
		.fallback = "copy",
		.help = "DF bit outside (IPv4): the inner packet's (set for an inner IPv6 packet), or always or never "
			"set" },
	{ .key = "fragment",
		.type = &type_word,
		.words = fragment_words,
		FIELD(struct header_rules, fragment),
		.fallback = "before",
		.help = "packets without DF too large for the tunnel: fragments through the SA one by one, or `after`, "
			"the "
			"packet whole and its outer packet in fragments; with `df: clear` then those with DF and large "
			"IPv6 "
			"packets too. SAs with ports in their selectors and transport mode always do `after`" },
	{ .key = "ttl",
		.type = &type_number_or_word,
		.words = copy_words,
		CHOICE(struct header_rules, ttl_copy),
		FIELD(struct header_rules, ttl),
		.fallback = "64",
		.min = 1,
		.max = 255,
		.help = "TTL or hop limit outside: this one, or the inner packet's" },
	{ .key = "flow_label",
		.type = &type_number_or_word,
		.words = copy_words,
		CHOICE(struct header_rules, flow_label_copy),
		FIELD(struct header_rules, flow_label),
		.fallback = "0",
		.max = 0xfffff,
		.help = "flow label outside (IPv6): this one, or the inner packet's (0 for an inner IPv4 packet)" },
};

#define LIFE_HELP "; the SA then drops everything and needs new keys"
#define SOFT_HELP "; a log line says so once"

static const struct row lifetime_rows[] = {
	{ .key = "soft_time",
		.type = &type_duration,
		FIELD(struct sa_lifetime, soft_ns),
		.min = SECONDS(1),
		.max = HOURS(365 * 24),
		.help = "age at which the SA should be replaced" SOFT_HELP },
	{ .key = "hard_time",
		.type = &type_duration,
		FIELD(struct sa_lifetime, hard_ns),
		.min = SECONDS(1),
		.max = HOURS(365 * 24),
		.help = "age at which the SA ends" LIFE_HELP },
	{ .key = "soft_bytes",
		.type = &type_number,
		FIELD(struct sa_lifetime, soft_bytes),
		.min = 1,
		.max = INT64_MAX,
		.help = "bytes of inner packets after which the SA should be replaced" SOFT_HELP },
	{ .key = "hard_bytes",
		.type = &type_number,
		FIELD(struct sa_lifetime, hard_bytes),
		.min = 1,
		.max = INT64_MAX,
		.help = "bytes of inner packets after which the SA ends" LIFE_HELP },
	{ .key = "soft_packets",
		.type = &type_number,
		FIELD(struct sa_lifetime, soft_packets),
		.min = 1,
		.max = INT64_MAX,
		.help = "packets after which the SA should be replaced" SOFT_HELP },
	{ .key = "hard_packets",
		.type = &type_number,
		FIELD(struct sa_lifetime, hard_packets),
		.min = 1,
		.max = INT64_MAX,
		.help = "packets after which the SA ends" LIFE_HELP },
};

#define TFC_HELP                                                                                                       \
	"traffic flow confidentiality: inner packets are padded to this many bytes before they are encrypted (never "  \
	"beyond the path's MTU), or to the path's MTU; longer ones stay as they are. 0: no padding"

/* The order matters once: the proposal is read by the words of the protocol, so that comes first. */
static const struct row manual_rows[] = {
	{ .key = "name",
		.type = &type_name,
		.required = true,
		FIELD(struct config_manual_sa, name),
		.help = "name of the pair of SAs; no tunnel may have the same" },
	{ .key = "protocol",
		.type = &type_word,
		.words = protocol_words,
		FIELD(struct config_manual_sa, in.protocol),
		.fallback = "esp",
		.help = "`esp`, or `ah`: the whole packet is authenticated, nothing is encrypted" },
	{ .key = "mode",
		.type = &type_word,
		.words = mode_words,
		FIELD(struct config_manual_sa, in.mode),
		.fallback = "tunnel",
		.help = "IPsec mode; `transport` is for packets from `local` to `remote` only" },
	{ .key = "proposal",
		.type = &type_suite,
		.required = true,
		FIELD(struct config_manual_sa, in),
		.help = "one suite of the protocol, such as `aes256gcm16`, `aes128-sha256`, `null-sha256` or, for AH, "
			"`sha256`; with `-esn` 64-bit sequence numbers" },
	{ .key = "local",
		.type = &type_address,
		.required = true,
		FIELD(struct config_manual_sa, in.path.local.addr),
		.help = "our outer address, one of the interfaces'" },
	{ .key = "remote",
		.type = &type_address,
		.required = true,
		FIELD(struct config_manual_sa, in.path.remote.addr),
		.help = "the peer's outer address" },
	{ .key = "spi_in",
		.type = &type_number,
		.required = true,
		FIELD(struct config_manual_sa, in.spi),
		.min = 256,
		.max = UINT32_MAX,
		.help = "SPI of the packets we receive" },
	{ .key = "spi_out",
		.type = &type_number,
		.required = true,
		FIELD(struct config_manual_sa, out.spi),
		.min = 256,
		.max = UINT32_MAX,
		.help = "SPI of the packets we send" },
	{ .key = "keys",
		.type = &type_name,
		.required = true,
		.sink = true,
		.size = CONFIG_NAME_MAX,
		.help = "name of an entry of `manual_keys` in the secrets file" },
	{ .key = "encap",
		.type = &type_word,
		.words = manual_encap_words,
		FIELD(struct config_manual_sa, in.path.encap),
		.fallback = "none",
		.help = "`none`: ESP or AH right behind the IP header; `udp`: ESP inside UDP port 4500 (RFC 3948)" },
	{ .key = "replay_window",
		.type = &type_number,
		FIELD(struct config_manual_sa, in.replay_window),
		.fallback = "128",
		.min = 64,
		.max = 8192,
		.zero_allowed = true,
		.help = "packets of the anti-replay window, rounded up to a multiple of 64; 0: no replay check, which "
			"`-esn` does not go with" },
	{ .key = "lab_keys",
		.type = &type_word,
		.words = lab_words,
		.sink = true,
		.size = sizeof(bool),
		.help = "true confirms that manual keys repeat nonces after a restart (RFC 8221 3), so they are for a "
			"lab. Needed with the algorithms that count (GCM, CCM, CTR, ChaCha20, GMAC)" },
	{ .key = "allow_weak",
		.type = &type_word,
		.words = boolean_words,
		FIELD(struct config_manual_sa, allow_weak),
		.fallback = "false",
		.help = "take algorithms that the table below calls weak" },
	{ .key = "tfc_padding",
		.type = &type_number_or_word,
		.words = tfc_words,
		FIELD(struct config_manual_sa, out.tfc_bytes),
		.fallback = "0",
		.min = 64,
		.max = 9600,
		.zero_allowed = true,
		.help = TFC_HELP },
	{ .key = "sequence_in",
		.type = &type_number,
		FIELD(struct config_manual_sa, in.initial_sequence),
		.fallback = "0",
		.max = INT64_MAX,
		.help = "highest sequence number that counts as received at the start" },
	{ .key = "sequence_out",
		.type = &type_number,
		FIELD(struct config_manual_sa, out.initial_sequence),
		.fallback = "0",
		.max = INT64_MAX,
		.help = "last sequence number that counts as used at the start: the first packet has the next one" },
	{ .key = "lifetime",
		.kind = ROW_MAP,
		FIELD(struct config_manual_sa, in.lifetime),
		NESTED(lifetime_rows),
		.help = "limits of each of the two SAs" },
	{ .key = "outer",
		.kind = ROW_MAP,
		FIELD(struct config_manual_sa, in.path.header),
		NESTED(outer_rows),
		.help = "how the outer header is made" },
	{ .key = "local_selectors",
		.type = &type_selectors,
		.required = true,
		FIELD(struct config_manual_sa, in.local),
		.min = 1,
		.max = SELECTORS_MAX,
		.help = "our side of the protected traffic" },
	{ .key = "remote_selectors",
		.type = &type_selectors,
		.required = true,
		FIELD(struct config_manual_sa, in.remote),
		.min = 1,
		.max = SELECTORS_MAX,
		.help = "the peer's side of the protected traffic" },
};

static const struct row local_rows[] = {
	{ .key = "address",
		.type = &type_address,
		.required = true,
		FIELD(struct tunnel_profile, local_addr),
		.help = "our address, of an interface or of `addresses`" },
	{ .key = "more_addresses",
		.type = &type_more_addresses,
		FIELD(struct tunnel_profile, local_more),
		.max = ADDRESS_LIST_MAX,
		.help = "further addresses of ours that the tunnel may move to by MOBIKE, best first, of either "
			"family; those that are there are told to the peer" },
	{ .key = "id",
		.type = &type_identity,
		FIELD(struct tunnel_profile, local_id),
		.help = "our IKE identity; the address when omitted" },
	{ .key = "auth",
		.type = &type_word,
		.words = auth_words,
		FIELD(struct tunnel_profile, local_auth),
		.fallback = "psk",
		.help = "how we prove who we are" },
	{ .key = "virtual_ip",
		.type = &type_word,
		.words = virtual_ip_words,
		FIELD(struct tunnel_profile, virtual_ip),
		.fallback = "none",
		.help = "addresses we ask the peer for (RFC 7296 2.19); with `local_selectors: [dynamic]` they are our "
			"side of the traffic" },
};

static const struct row remote_rows[] = {
	{ .key = "address",
		.type = &type_address_or_any,
		.required = true,
		FIELD(struct tunnel_profile, remote_addr),
		.help = "the peer's address, of the same family; `any`: it comes to us from wherever it is" },
	{ .key = "more_addresses",
		.type = &type_more_addresses,
		FIELD(struct tunnel_profile, remote_more),
		.max = ADDRESS_LIST_MAX,
		.help = "further addresses of the peer, tried when it does not answer, and from which it may begin; by "
			"MOBIKE it may tell us others" },
	{ .key = "move_to",
		.type = &type_selectors,
		FIELD(struct tunnel_profile, move_to),
		.max = SELECTORS_MAX,
		.help = "prefixes and ranges where the peer may move to by MOBIKE, beside its configured addresses; "
			"without any it may move anywhere" },
	{ .key = "id",
		.type = &type_identity_or_any,
		FIELD(struct tunnel_profile, remote_id),
		.help = "the peer's IKE identity; the address when omitted; `any`: each that has a key; `*@DOMAIN`, "
			"`*.DOMAIN`: each of that domain. With `address: any`, one entry of the last three kinds "
			"serves "
			"many peers at once" },
	{ .key = "peers",
		.type = &type_number,
		FIELD(struct tunnel_profile, peers_max),
		.fallback = "10000",
		.min = 1,
		.max = 32768,
		.help = "with many: more identities at once are refused (NO_ADDITIONAL_SAS)" },
	{ .key = "unique_id",
		.type = &type_word,
		.words = unique_id_words,
		FIELD(struct tunnel_profile, unique_id),
		.fallback = "replace",
		.help = "with many: what becomes of an identity's IKE SA when it comes with another one" },
	{ .key = "auth",
		.type = &type_word,
		.words = auth_words,
		FIELD(struct tunnel_profile, remote_auth),
		.fallback = "psk",
		.help = "how the peer proves who it is" },
	{ .key = "pool",
		.type = &type_name,
		.sink = true,
		.size = CONFIG_NAME_MAX,
		.help = "pool the peer gets an address from; with `remote_selectors: [dynamic]` that is its side of "
			"the traffic" },
};

static const struct row dpd_rows[] = {
	{ .key = "interval",
		.type = &type_duration,
		FIELD(struct tunnel_profile, dpd_interval_ns),
		.fallback = "30s",
		.min = SECONDS(1),
		.max = HOURS(24),
		.zero_allowed = true,
		.help = "silence after which we ask whether the peer is alive; 0s: never" },
	{ .key = "timeout",
		.type = &type_duration,
		FIELD(struct tunnel_profile, dpd_timeout_ns),
		.fallback = "15s",
		.min = SECONDS(1),
		.max = HOURS(1),
		.help = "time without an answer to a request of ours (a check or any other) after which the peer is "
			"taken for dead; not used with interval 0s" },
	{ .key = "action",
		.type = &type_word,
		.words = dpd_words,
		FIELD(struct tunnel_profile, dpd_action),
		.fallback = "auto",
		.help = "what follows for the Child SAs of a dead peer: `restart` at once and until it succeeds (the "
			"peer's address must be known), `trap` by the next packet, unless the Child SA waits for the "
			"peer, `clear` when the operator or the peer wants it; `auto` as `start` of each says" },
};

static const struct row phase1_rows[] = {
	{ .key = "proposals",
		.type = &type_ike_proposals,
		FIELD(struct tunnel_profile, proposals),
		.fallback = "aes256gcm16-prfsha384-x25519-ecp384, aes128gcm16-prfsha256-x25519-ecp256, "
			    "aes256-sha256-x25519-ecp256-modp2048",
		.min = 1,
		.max = PROPOSALS_MAX,
		.help = "IKE suites in order of preference: encryption, integrity or PRF, key exchange group. An AEAD "
			"and "
			"AES-CBC with a hash are two proposals" },
	{ .key = "close_when_idle",
		.type = &type_word,
		.words = boolean_words,
		FIELD(struct tunnel_profile, close_idle),
		.fallback = "false",
		.help = "the IKE SA is deleted too when `inactivity` has ended its last Child SA" },
	{ .key = "lifetime",
		.type = &type_duration,
		FIELD(struct tunnel_profile, lifetime_ns),
		.fallback = "4h",
		.min = SECONDS(10),
		.max = HOURS(30 * 24),
		.zero_allowed = true,
		.help = "life of the IKE SA; new keys are negotiated when three quarters of it or somewhat more are "
			"over. "
			"0s: no limit" },
	{ .key = "reauth",
		.type = &type_duration,
		FIELD(struct tunnel_profile, reauth_ns),
		.fallback = "0s",
		.min = SECONDS(10),
		.max = HOURS(30 * 24),
		.zero_allowed = true,
		.help = "time after which both sides prove their identity anew, on a new IKE SA that takes over "
			"without "
			"an interruption. As responder we tell the peer (RFC 4478) and end its IKE SA when it does not "
			"come. 0s: never" },
	{ .key = "dpd", .kind = ROW_MAP, NESTED(dpd_rows), .help = "dead peer detection" },
	{ .key = "mobike",
		.type = &type_word,
		.words = boolean_words,
		FIELD(struct tunnel_profile, mobike),
		.fallback = "yes",
		.help = "offer MOBIKE (RFC 4555): the IKE SA and its Child SAs in tunnel mode go on when an address of "
			"either side changes. IKE then uses UDP port 4500" },
	{ .key = "mobike_check",
		.type = &type_word,
		.words = boolean_words,
		FIELD(struct tunnel_profile, mobike_check),
		.fallback = "yes",
		.help = "ask the peer at an address that it has not answered from before traffic goes there (RFC 4555 "
			"3.7): it takes a round trip, and a peer that speaks MOBIKE cannot lead our traffic to others. "
			"Without MOBIKE a peer behind a NAT is followed wherever its packets come from (RFC 7296 "
			"2.23)" },
	{ .key = "nat",
		.type = &type_word,
		.words = nat_words,
		FIELD(struct tunnel_profile, nat_refused),
		.fallback = "allow",
		.help = "`refuse`: as initiator we use no path with a NAT on it (RFC 4555 3.9)" },
	{ .key = "fragmentation",
		.type = &type_word,
		.words = boolean_words,
		FIELD(struct tunnel_profile, fragmentation),
		.fallback = "yes",
		.help = "offer IKE fragmentation (RFC 7383): messages too large for a packet travel in pieces that no "
			"router cuts" },
	{ .key = "fragment_size_ipv4",
		.type = &type_number,
		FIELD(struct tunnel_profile, fragment_bytes_ipv4),
		.fallback = "576",
		.min = 256,
		.max = 9000,
		.help = "largest IP packet of a protected IKE message to a peer with an IPv4 address, in bytes" },
	{ .key = "fragment_size_ipv6",
		.type = &type_number,
		FIELD(struct tunnel_profile, fragment_bytes_ipv6),
		.fallback = "1280",
		.min = 1280,
		.max = 9000,
		.help = "the same for IPv6" },
};

static const struct row phase2_rows[] = {
	{ .key = "name",
		.type = &type_name,
		.required = true,
		FIELD(struct child_profile, name),
		.help = "name of the Child SA in texts" },
	{ .key = "mode",
		.type = &type_word,
		.words = mode_words,
		FIELD(struct child_profile, mode),
		.fallback = "tunnel",
		.help = "`tunnel`, or `transport`: between local.address and the peer's address only, whose header "
			"stays in "
			"front; the selectors are these addresses, or `[dynamic]` where NATs change them" },
	{ .key = "tunnel_fallback",
		.type = &type_word,
		.words = boolean_words,
		FIELD(struct child_profile, tunnel_fallback),
		.fallback = "false",
		.help = "with `mode: transport`: take tunnel mode from a peer that declines transport mode, or that "
			"asks for "
			"tunnel mode; otherwise there is no Child SA then (RFC 7296 1.3.1)" },
	{ .key = "protocol",
		.type = &type_word,
		.words = protocol_words,
		FIELD(struct child_profile, protocol),
		.fallback = "esp",
		.help = "`esp`, or `ah`: the whole packet is authenticated, nothing is encrypted, and no NAT may be on "
			"the "
			"way" },
	{ .key = "proposals",
		.type = &type_child_proposals,
		FIELD(struct child_profile, proposals),
		.fallback = "aes256gcm16, aes128gcm16",
		.min = 1,
		.max = PROPOSALS_MAX,
		.help = "ESP suites in order of preference, or with `protocol: ah` integrity algorithms, of which "
			"`sha256` is "
			"the default then. `esn` or `noesn` to insist, both are offered otherwise; a "
			"group gives each Child SA a key exchange of its own, but not the one that comes with the IKE "
			"SA (RFC 7296 1.2)" },
	{ .key = "local_selectors",
		.type = &type_selectors_or_dynamic,
		.required = true,
		FIELD(struct child_profile, local),
		.min = 1,
		.max = SELECTORS_MAX,
		.help = "our side of the protected traffic; `[dynamic]`: our address of the tunnel, or the virtual one "
			"that the peer gave us" },
	{ .key = "remote_selectors",
		.type = &type_selectors_or_dynamic,
		.required = true,
		FIELD(struct child_profile, remote),
		.min = 1,
		.max = SELECTORS_MAX,
		.help = "the peer's side of the protected traffic; `[dynamic]`: its address, or the one it got of the "
			"pool" },
	{ .key = "lifetime",
		.type = &type_duration,
		FIELD(struct child_profile, lifetime_ns),
		.fallback = "1h",
		.min = SECONDS(10),
		.max = HOURS(30 * 24),
		.zero_allowed = true,
		.help = "life of the Child SA; new keys are negotiated when three quarters of it or somewhat more are "
			"over, and take over without an interruption. 0s: no limit" },
	{ .key = "lifetime_bytes",
		.type = &type_number,
		FIELD(struct child_profile, lifetime_bytes),
		.fallback = "0",
		.min = 1000000,
		.max = INT64_MAX,
		.zero_allowed = true,
		.help = "life of the Child SA in bytes of inner packets of one direction, as lifetime is in time. 0: "
			"no "
			"limit" },
	{ .key = "lifetime_packets",
		.type = &type_number,
		FIELD(struct child_profile, lifetime_packets),
		.fallback = "0",
		.min = 10000,
		.max = INT64_MAX,
		.zero_allowed = true,
		.help = "the same in packets; without ESN new keys are negotiated anyway before the sequence numbers "
			"end. 0: no limit" },
	{ .key = "inactivity",
		.type = &type_duration,
		FIELD(struct child_profile, inactivity_ns),
		.fallback = "0s",
		.min = SECONDS(5),
		.max = HOURS(168),
		.zero_allowed = true,
		.help = "without traffic either way for so long the Child SA is deleted; the next packet brings it "
			"back, "
			"unless it waits for the peer. 0s: never" },
	{ .key = "replay_window",
		.type = &type_number,
		FIELD(struct child_profile, replay_window),
		.fallback = "128",
		.min = 64,
		.max = 8192,
		.zero_allowed = true,
		.help = "packets of the anti-replay window, rounded up to a multiple of 64; 0: no replay check (only "
			"together with `-noesn` in each proposal)" },
	{ .key = "tfc_padding",
		.type = &type_number_or_word,
		.words = tfc_words,
		FIELD(struct child_profile, tfc_bytes),
		.fallback = "0",
		.min = 64,
		.max = 9600,
		.zero_allowed = true,
		.help = TFC_HELP },
	{ .key = "start",
		.type = &type_word,
		.words = start_words,
		FIELD(struct child_profile, start),
		.fallback = "trap",
		.help = "`initiate` at once and again after a failure, `trap` when the first packet needs it, "
			"`respond`: wait for the peer. The first four packets wait up to 3 s for the Child SA that "
			"they "
			"ask for; with `respond`, as nothing is asked for, none does" },
};

static const struct row tunnel_rows[] = {
	{ .key = "name",
		.type = &type_name,
		.required = true,
		FIELD(struct tunnel_profile, name),
		.help = "name of the tunnel; no manual SA may have the same" },
	{ .key = "version",
		.type = &type_word,
		.words = version_words,
		.sink = true,
		.size = sizeof(uint32_t),
		.fallback = "2",
		.help = "IKE version" },
	{ .key = "allow_weak",
		.type = &type_word,
		.words = boolean_words,
		FIELD(struct tunnel_profile, allow_weak),
		.fallback = "false",
		.help = "take algorithms that the table below calls weak, in both phases" },
	{ .key = "encap",
		.type = &type_word,
		.words = encap_words,
		FIELD(struct tunnel_profile, encap),
		.fallback = "auto",
		.help = "ESP inside UDP port 4500: `auto` when a NAT is on the way, or `always` (which the peer takes "
			"for a NAT in front of us)" },
	{ .key = "one_selector_per_child",
		.type = &type_word,
		.words = boolean_words,
		FIELD(struct tunnel_profile, one_selector),
		.fallback = "false",
		.help = "for peers whose Child SA carries one local and one remote selector: of several each pair is "
			"asked for on a Child SA of its own, with `start: trap` by the first packet that needs it, and "
			"a "
			"request for several is refused (SINGLE_PAIR_REQUIRED) unless it begins with a packet's "
			"addresses" },
	{ .key = "outer",
		.kind = ROW_MAP,
		FIELD(struct tunnel_profile, outer),
		NESTED(outer_rows),
		.help = "how the outer header of the Child SAs is made" },
	{ .key = "local", .kind = ROW_MAP, .required = true, NESTED(local_rows), .help = "our side" },
	{ .key = "remote", .kind = ROW_MAP, .required = true, NESTED(remote_rows), .help = "the peer" },
	{ .key = "phase1", .kind = ROW_MAP, NESTED(phase1_rows), .help = "the IKE SA" },
	{ .key = "phase2",
		.kind = ROW_LIST,
		.required = true,
		ITEMS(struct tunnel_profile, children),
		COUNT(struct tunnel_profile, child_count),
		.inline_items = true,
		NESTED(phase2_rows),
		.min = 1,
		.max = CHILDREN_MAX,
		.help = "the Child SAs: the first one that is wanted comes with the IKE SA, others are asked for on "
			"it" },
};

static const struct row pool_rows[] = {
	{ .key = "name",
		.type = &type_name,
		.required = true,
		FIELD(struct address_pool, name),
		.help = "name that `remote.pool` of tunnels refers to" },
	{ .key = "addresses",
		.type = &type_selectors,
		.required = true,
		FIELD(struct address_pool, addresses),
		.min = 1,
		.max = SELECTORS_MAX,
		.help = "prefixes and ranges that are lent, such as 10.9.0.10-10.9.0.250 and 2001:db8:9::/64. Those "
			"inside the subnet of an interface are answered for there by ARP and neighbour discovery" },
	{ .key = "dns",
		.type = &type_dns,
		FIELD(struct address_pool, dns),
		.max = ADDRESS_LIST_MAX,
		.help = "name servers that the peer is told of" },
	{ .key = "split_include",
		.type = &type_selectors,
		FIELD(struct address_pool, split_include),
		.max = SELECTORS_MAX,
		.help = "subnets that the peer is told to send through the tunnel; the selectors decide" },
	{ .key = "hold",
		.type = &type_duration,
		FIELD(struct address_pool, hold_ns),
		.fallback = "1h",
		.min = SECONDS(1),
		.max = HOURS(365 * 24),
		.zero_allowed = true,
		.help = "how long an address is kept for the identity that gave it back when no other address is left; "
			"with others left it keeps it for good" },
};

static const struct row config_rows[] = {
	{ .key = "system",
		.kind = ROW_MAP,
		FIELD(struct config, system),
		NESTED(system_rows),
		.help = "the process and its resources" },
	{ .key = "control",
		.kind = ROW_MAP,
		FIELD(struct config, control),
		NESTED(control_rows),
		.help = "control socket and log" },
	{ .key = "secrets_file",
		.type = &type_text,
		.sink = true,
		.size = 256,
		.reload = RELOAD_LIVE,
		.help = "file with the secrets, relative to this one; refused when others can read it, or when neither "
			"root nor the reader owns it" },
	{ .key = "interfaces",
		.kind = ROW_LIST,
		.required = true,
		ITEMS(struct config, interfaces),
		COUNT(struct config, interface_count),
		NESTED(interface_rows),
		.min = 1,
		.max = CONFIG_INTERFACES_MAX,
		.help = "the ports" },
	{ .key = "addresses",
		.kind = ROW_LIST,
		ITEMS(struct config, addresses),
		COUNT(struct config, address_count),
		NESTED(address_rows),
		.max = CONFIG_ADDRESSES_MAX,
		.reload = RELOAD_LIVE,
		.help = "further addresses of ours, beside those of the interfaces, that tunnels may use. Those inside "
			"the subnet of an interface are answered for there by ARP and neighbour discovery (an IPv6 one "
			"where the interface had such an address at the start). A reload may add and remove them: "
			"tunnels with MOBIKE move to another address" },
	{ .key = "routes",
		.kind = ROW_LIST,
		ITEMS(struct config, routes),
		COUNT(struct config, route_count),
		NESTED(route_rows),
		.max = 262144,
		.reload = RELOAD_LIVE,
		.help = "static routes" },
	{ .key = "neighbours",
		.kind = ROW_LIST,
		ITEMS(struct config, neighbours),
		COUNT(struct config, neighbour_count),
		NESTED(neighbour_rows),
		.max = 65536,
		.reload = RELOAD_LIVE,
		.help = "static neighbours; the others are found by ARP and neighbour discovery" },
	{ .key = "policies",
		.kind = ROW_LIST,
		ITEMS(struct config, policies),
		COUNT(struct config, policy_count),
		NESTED(policy_rows),
		.max = 65536,
		.reload = RELOAD_LIVE,
		.help = "what happens to traffic, in order, the first match counts. Tunnels and manual SAs that no "
			"protect "
			"entry names stand before this list; what matches nothing is discarded" },
	{ .key = "manual_sas",
		.kind = ROW_LIST,
		ITEMS(struct config, manual_sas),
		COUNT(struct config, manual_sa_count),
		NESTED(manual_rows),
		.max = 65536,
		.reload = RELOAD_LIVE,
		.help = "pairs of ESP or AH SAs with keys from the secrets file, without IKE" },
	{ .key = "pools",
		.kind = ROW_LIST,
		ITEMS(struct config, pools),
		COUNT(struct config, pool_count),
		NESTED(pool_rows),
		.max = 256,
		.help = "addresses for peers that ask for one (RFC 7296 2.19)" },
	{ .key = "tunnels",
		.kind = ROW_LIST,
		ITEMS(struct config, tunnels),
		COUNT(struct config, tunnel_count),
		NESTED(tunnel_rows),
		.max = 16384,
		.help = "tunnels negotiated by IKE" },
};

static const struct row psk_rows[] = {
	{ .key = "local",
		.type = &type_identity_or_any,
		FIELD(struct config_psk, local),
		.fallback = "any",
		.help = "our identity" },
	{ .key = "remote",
		.type = &type_identity_or_any,
		FIELD(struct config_psk, remote),
		.fallback = "any",
		.help = "the peer's identity" },
	{ .key = "secret",
		.type = &type_psk,
		.required = true,
		FIELD(struct config_psk, secret),
		.help = "the pre-shared key, at least 16 random bytes: a text, or hexadecimal after 0x" },
};

static const struct row key_rows[] = {
	{ .key = "name",
		.type = &type_name,
		.required = true,
		FIELD(struct manual_keys, name),
		.help = "name that `manual_sas` refer to" },
	{ .key = "encr_in",
		.type = &type_key,
		FIELD(struct manual_keys, encr_in),
		.help = "encryption key of what we receive: key, then salt (GCM, CTR, ChaCha20, GMAC: 4 bytes, CCM: "
			"3); "
			"none with AH and `null`" },
	{ .key = "encr_out",
		.type = &type_key,
		FIELD(struct manual_keys, encr_out),
		.help = "encryption key of what we send, likewise" },
	{ .key = "integ_in",
		.type = &type_key,
		FIELD(struct manual_keys, integ_in),
		.help = "integrity key of what we receive: key, then with GMAC 4 bytes of salt; none with an AEAD" },
	{ .key = "integ_out",
		.type = &type_key,
		FIELD(struct manual_keys, integ_out),
		.help = "integrity key of what we send, likewise" },
};

static const struct row secrets_rows[] = {
	{ .key = "psk",
		.kind = ROW_LIST,
		ITEMS(struct secrets, psks),
		COUNT(struct secrets, psk_count),
		NESTED(psk_rows),
		.max = 65536,
		.reload = RELOAD_LIVE,
		.help = "pre-shared keys. The most specific entry counts: both identities, the peer's, ours, neither" },
	{ .key = "manual_keys",
		.kind = ROW_LIST,
		ITEMS(struct secrets, keys),
		COUNT(struct secrets, key_count),
		NESTED(key_rows),
		.max = 65536,
		.reload = RELOAD_LIVE,
		.help = "keys of `manual_sas`" },
};

struct row_table schema_config(void)
{
	return (struct row_table){ config_rows, ARRAY_LEN(config_rows) };
}

struct row_table schema_secrets(void)
{
	return (struct row_table){ secrets_rows, ARRAY_LEN(secrets_rows) };
}
