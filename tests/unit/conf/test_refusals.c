/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything the configuration refuses, with the exact text: file, line, column, path, reason, hint. */
#include "harness.h"

#include <errno.h>

#include "base_config.h"

/* One change to the good configuration. */
static void refused(const char *from, const char *to, const char *expected)
{
	char text[SPOILED_BYTES];

	refused_text(spoil(base_yaml, from, to, text), base_secrets, expected);
}

static void refused_secrets(const char *from, const char *to, const char *expected)
{
	char text[SPOILED_BYTES];

	refused_text(base_yaml, spoil(base_secrets, from, to, text), expected);
}

static void test_yaml_malformed(void)
{
	refused("tunnels:\n", "tunnels: [\n",
		"gw.yaml:28:3: not YAML: did not find expected node content while parsing a flow node");
	refused("idle: poll", "\tidle: poll",
		"gw.yaml:4:3: not YAML: found a tab character that violates indentation while scanning a plain scalar "
		"(a TAB? indent with spaces)");
	refused("[\"10.2.0.0/24\"]", "[10.2.0.0/24[tcp/80]]",
		"gw.yaml:41:39: not YAML: did not find expected ',' or ']' while parsing a flow sequence (a selector "
		"with "
		"[ ], or ::? put it into quotes)");
	refused("[\"10.2.0.0/24\"]", "[::/0]",
		"gw.yaml:41:28: not YAML: did not find expected node content while parsing a flow node (a selector "
		"with "
		"[ ], or ::? put it into quotes)");
	refused("  eal_args", "\teal_args",
		"gw.yaml:2:1: not YAML: found character that cannot start any token while scanning for the next token "
		"(a TAB? indent with spaces)");
	refused("idle: poll", "idle: \xff\xfe", "gw.yaml:1:1: not YAML: invalid leading UTF-8 octet");
}

static void test_yaml_empty(void)
{
	refused_text("", base_secrets, "gw.yaml: the file is empty");
	refused_text("# only a comment\n", base_secrets, "gw.yaml: the file is empty");
	refused_text("---\n", base_secrets, "gw.yaml:2:1: expected a map of settings, found nothing");
}

static void test_yaml_second_document(void)
{
	refused("tunnels:\n", "---\ntunnels:\n", "gw.yaml:27:1: a second YAML document; one is allowed");
}

static void test_yaml_root_of_another_kind(void)
{
	refused_text("[a, b]\n", base_secrets, "gw.yaml:1:1: expected a map of settings, found a list");
	refused_text("hello\n", base_secrets, "gw.yaml:1:1: expected a map of settings, found a word");
}

static void test_yaml_nested_too_deep(void)
{
	refused("idle: poll", "idle: [[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]",
		"gw.yaml:4:24: nested more than 16 deep");
}

static void test_yaml_alias_loop_and_missing_anchor(void)
{
	refused("idle: poll", "idle: &a [*a]", "gw.yaml:4:13: alias *a stands inside of what it names");
	refused("idle: poll", "idle: *nobody", "gw.yaml:4:9: alias *nobody has no anchor");
}

static void test_yaml_key_of_another_kind(void)
{
	refused("idle: poll", "[a, b]: poll", "gw.yaml:4:3: a key has to be a word");
}

/* A hundred lists of a hundred aliases each: bounded by what the schema accepts, not by what they would expand to. */
static void test_yaml_alias_expansion_is_bounded(void)
{
	char text[SPOILED_BYTES] = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";

	for (char c = 'b'; c <= 'z'; c++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			"%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c, c, c - 1, c - 1, c - 1,
			c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1);
	refused_text(text, base_secrets, "gw.yaml:1:1: unknown setting \"a\"");
}

static void test_key_unknown(void)
{
	refused("workers: 1", "wokers: 1",
		"gw.yaml:3:3: system: unknown setting \"wokers\"; did you mean \"workers\"?");
	refused("tunnels:\n", "tunels:\n", "gw.yaml:27:1: unknown setting \"tunels\"; did you mean \"tunnels\"?");
	refused("lifetime: 90s", "lifefime: 90s",
		"gw.yaml:42:9: tunnels.paris.phase2.net: unknown setting \"lifefime\"; did you mean \"lifetime\"?");
	refused("interval: 5s", "qqqqqqqq: 5s",
		"gw.yaml:35:13: tunnels.paris.phase1.dpd: unknown setting \"qqqqqqqq\"");
	refused("via: 192", "gateway: 192", "gw.yaml:10:25: routes[0]: unknown setting \"gateway\"");
}

static void test_key_swapped_letters_are_near(void)
{
	refused("idle: poll", "ilde: poll", "gw.yaml:4:3: system: unknown setting \"ilde\"; did you mean \"idle\"?");
	refused("idle: poll", "IDLE: poll", "gw.yaml:4:3: system: unknown setting \"IDLE\"; did you mean \"idle\"?");
}

static void test_key_twice(void)
{
	refused("  idle: poll", "  idle: poll\n  idle: adaptive",
		"gw.yaml:5:3: system: \"idle\" stands twice, first in line 4");
}

static void test_icmp_and_reverse_path_settings(void)
{
	refused("idle: poll", "icmp: {floor: 100}", "gw.yaml:4:17: system.icmp.floor: 100 is not from 296 to 9600");
	refused("idle: poll", "icmp: {hold: 4m}", "gw.yaml:4:16: system.icmp.hold: 4m is not from 5m to 1d");
	refused("idle: poll", "icmp: {errors: accept}",
		"gw.yaml:4:18: system.icmp.errors: unknown \"accept\"; known: ignore, log");
	refused("mtu: 1400", "rpf: on", "gw.yaml:8:73: interfaces.wan.rpf: unknown \"on\"; known: off, loose, strict");
}

static void test_required_setting_missing(void)
{
	refused(", address: 10.1.0.1/24", "", "gw.yaml:7:5: interfaces.lan: needs an address, address6 or link_local");
	refused("    local: {address: 192.0.2.1, id: gw-a.example.net, auth: psk}\n", "",
		"gw.yaml:28:5: tunnels.paris.local: missing: our side");
	refused_text("system: {}\n", base_secrets, "gw.yaml:1:1: interfaces: missing: the ports");
}

static void test_name_missing_is_indexed(void)
{
	refused("name: wan, ", "",
		"gw.yaml:8:5: interfaces[1].name: missing: name of the port in texts and references");
}

static void test_kind_wrong(void)
{
	refused("workers: 1", "workers: [1]",
		"gw.yaml:3:12: system.workers: expected a number (decimal, or hexadecimal after 0x), found a list");
	refused("workers: 1", "workers:",
		"gw.yaml:3:11: system.workers: expected a number (decimal, or hexadecimal after 0x), found nothing");
	refused("dpd: {interval: 5s, timeout: 4s}", "dpd: 5s",
		"gw.yaml:35:12: tunnels.paris.phase1.dpd: expected a map of settings, found a word");
	refused("  - {prefix: 0.0.0.0/0, via: 192.0.2.254}", "  prefix: 0.0.0.0/0",
		"gw.yaml:10:3: routes: expected a list of maps, found a map");
	refused("local_selectors: [10.1.0.0/24]", "local_selectors: 10.1.0.0/24",
		"gw.yaml:14:50: policies.web.local_selectors: expected a list in [ ] or with - before each entry, "
		"found a "
		"word");
	refused("  - {prefix: 0.0.0.0/0, via: 192.0.2.254}", "  - 0.0.0.0/0",
		"gw.yaml:10:5: routes[0]: expected a map of settings, found a word");
}

static void test_number_wrong(void)
{
	refused("workers: 1", "workers: many",
		"gw.yaml:3:12: system.workers: \"many\" is not a number (decimal, or hexadecimal after 0x)");
	refused("workers: 1", "workers: -1",
		"gw.yaml:3:12: system.workers: \"-1\" is not a number (decimal, or hexadecimal after 0x)");
	refused("workers: 1", "workers: 1 000",
		"gw.yaml:3:12: system.workers: \"1 000\" is not a number (decimal, or hexadecimal after 0x)");
	refused("spi_in: 0x1001", "spi_in: 0x",
		"gw.yaml:21:13: manual_sas.to-b.spi_in: \"0x\" is not a number (decimal, or hexadecimal after 0x)");
}

static void test_number_out_of_range(void)
{
	refused("workers: 1", "workers: 65", "gw.yaml:3:12: system.workers: 65 is not from 0 to 64");
	refused("workers: 1", "workers: 1\n  neighbours: {dad_probes: 11}",
		"gw.yaml:4:28: system.neighbours.dad_probes: 11 is not from 0 to 10");
	refused("workers: 1", "workers: 1\n  neighbours: {retransmit: 50ms}",
		"gw.yaml:4:28: system.neighbours.retransmit: 50ms is not from 100ms to 10s");
	refused("workers: 1", "workers: 1\n  neighbours: {reachable: 2h}",
		"gw.yaml:4:27: system.neighbours.reachable: 2h is not from 1s to 1h");
	refused("workers: 1", "workers: 1\n  reassembly: {datagrams: 16385}",
		"gw.yaml:4:27: system.reassembly.datagrams: 16385 is not from 0 to 16384");
	refused("workers: 1", "workers: 1\n  reassembly: {fragments: 1}",
		"gw.yaml:4:27: system.reassembly.fragments: 1 is not from 2 to 256");
	refused("workers: 1", "workers: 1\n  reassembly: {large_buffers: 4097}",
		"gw.yaml:4:31: system.reassembly.large_buffers: 4097 is not from 0 to 4096");
	refused("mtu: 1400", "mtu: 575", "gw.yaml:8:73: interfaces.wan.mtu: 575 is not from 576 to 9600");
	refused("spi_in: 0x1001", "spi_in: 255",
		"gw.yaml:21:13: manual_sas.to-b.spi_in: 255 is not from 256 to 4294967295");
	refused("spi_in: 0x1001", "spi_in: 0x100001001",
		"gw.yaml:21:13: manual_sas.to-b.spi_in: 4294971393 is not from 256 to 4294967295");
	refused("spi_in: 0x1001", "spi_in: 99999999999999999999",
		"gw.yaml:21:13: manual_sas.to-b.spi_in: \"99999999999999999999\" is not a number (decimal, or "
		"hexadecimal "
		"after 0x)");
	refused("    lab_keys", "    replay_window: 63\n    lab_keys",
		"gw.yaml:24:20: manual_sas.to-b.replay_window: 63 is not 0 or from 64 to 8192");
}

/* An IPv6 path carries 1280 bytes at least, and no fragment of ours is smaller than its headers are worth. */
static void test_ike_fragment_size_wrong(void)
{
	refused("lifetime: 4h", "fragment_size_ipv4: 255",
		"gw.yaml:34:27: tunnels.paris.phase1.fragment_size_ipv4: 255 is not from 256 to 9000");
	refused("lifetime: 4h", "fragment_size_ipv6: 1279",
		"gw.yaml:34:27: tunnels.paris.phase1.fragment_size_ipv6: 1279 is not from 1280 to 9000");
	refused("lifetime: 4h", "fragmentation: maybe",
		"gw.yaml:34:22: tunnels.paris.phase1.fragmentation: unknown \"maybe\"; known: true, false, yes, no, "
		"on, off");
}

static void test_dpd_action_wrong(void)
{
	refused("timeout: 4s", "action: hold",
		"gw.yaml:35:35: tunnels.paris.phase1.dpd.action: \"hold\": what strongSwan calls hold or trap is "
		"`trap` here");
	refused("timeout: 4s", "action: reboot",
		"gw.yaml:35:35: tunnels.paris.phase1.dpd.action: unknown \"reboot\"; known: auto, restart, clear, "
		"trap");
}

static void test_ike_limits_wrong(void)
{
	refused("workers: 1", "workers: 1\n  ike: {half_open: 9}",
		"gw.yaml:4:20: system.ike.half_open: 9 is not from 10 to 100000");
	refused("workers: 1", "workers: 1\n  ike: {half_open_per_source: 0}",
		"gw.yaml:4:31: system.ike.half_open_per_source: 0 is not from 1 to 100000");
	refused("workers: 1", "workers: 1\n  ike: {cookie_threshold: -1}",
		"gw.yaml:4:27: system.ike.cookie_threshold: \"-1\" is not a number (decimal, or hexadecimal after 0x)");
	refused("workers: 1", "workers: 1\n  ike: {failures_per_source: 0}",
		"gw.yaml:4:30: system.ike.failures_per_source: 0 is not from 1 to 100000");
}

static void test_duration_wrong(void)
{
	refused("lifetime: 4h", "lifetime: 14400",
		"gw.yaml:34:17: tunnels.paris.phase1.lifetime: \"14400\" is not a duration such as 500ms, 30s, 5m, 1h "
		"or 1d");
	refused("lifetime: 4h", "lifetime: 4 h",
		"gw.yaml:34:17: tunnels.paris.phase1.lifetime: \"4 h\" is not a duration such as 500ms, 30s, 5m, 1h or "
		"1d");
	refused("lifetime: 4h", "lifetime: 9s",
		"gw.yaml:34:17: tunnels.paris.phase1.lifetime: 9s is not 0s or from 10s to 30d");
	refused("interval: 5s", "interval: 900000000000h",
		"gw.yaml:35:23: tunnels.paris.phase1.dpd.interval: \"900000000000h\" is not a duration such as 500ms, "
		"30s, 5m, "
		"1h or 1d");
	refused("timeout: 4s", "timeout: 0s",
		"gw.yaml:35:36: tunnels.paris.phase1.dpd.timeout: 0s is not from 1s to 1h");
}

static void test_word_unknown(void)
{
	refused("idle: poll", "idle: pol", "gw.yaml:4:9: system.idle: unknown \"pol\"; did you mean \"poll\"?");
	refused("idle: poll", "idle: busy",
		"gw.yaml:4:9: system.idle: unknown \"busy\"; known: poll, adaptive, pause, monitor, interrupt");
	refused("log_level: debug", "log_level: debuh",
		"gw.yaml:5:43: control.log_level: unknown \"debuh\"; did you mean \"debug\"?");
	refused("start: initiate", "start: now",
		"gw.yaml:43:16: tunnels.paris.phase2.net.start: unknown \"now\"; known: initiate, trap, respond");
}

static void test_word_known_but_not_supported(void)
{
	refused("version: 2", "version: 1",
		"gw.yaml:29:14: tunnels.paris.version: \"1\": IKEv1 is not supported; use 2");
	refused("version: 2", "version: 3", "gw.yaml:29:14: tunnels.paris.version: unknown \"3\"; known: 2");
	refused("mode: tunnel", "mode: beet",
		"gw.yaml:38:15: tunnels.paris.phase2.net.mode: \"beet\": BEET mode is not supported");
	refused("auth: psk", "auth: pubkey",
		"gw.yaml:30:61: tunnels.paris.local.auth: \"pubkey\": certificates and raw public keys are not "
		"supported; use "
		"psk");
	refused("auth: psk", "auth: eap",
		"gw.yaml:30:61: tunnels.paris.local.auth: \"eap\": EAP is not supported; use psk");
}

/* Interfaces have a setting for each family; the two ends of a tunnel have one. */
static void test_address_of_the_other_family(void)
{
	refused("192.0.2.1/24", "2001:db8::1/64",
		"gw.yaml:8:54: interfaces.wan.address: an IPv6 address goes into address6");
	refused("address: 192.0.2.1/24", "address6: 192.0.2.1/24",
		"gw.yaml:8:55: interfaces.wan.address6: an IPv4 address goes into address");
	refused("address: 192.0.2.7", "address: 2001:db8::7",
		"gw.yaml:31:23: tunnels.paris.remote.address: 2001:db8::7 is not of the family of local.address");
	refused("0.0.0.0/0", "\"::/0\"", "gw.yaml:10:27: routes[0].via: 192.0.2.254 is not of the same family as ::/0");
	refused("192.0.2.254", "fe80::1",
		"gw.yaml:10:30: routes[0].via: fe80::1 is not of the same family as 0.0.0.0/0");
	refused("address: 192.0.2.9", "address: 2001:db8::9",
		"gw.yaml:12:31: neighbours[0].address: 2001:db8::9: interface wan has no IPv6 address");
}

/* A packet has one family: a selector without a counterpart matches nothing. */
static void test_selectors_of_one_side_in_another_family(void)
{
	refused("[10.1.0.0/24], remote", "[10.1.0.0/24, \"2001:db8::/32\"], remote",
		"gw.yaml:14:100: policies.web.remote_selectors: local_selectors has IPv6 and the other side has not: "
		"no "
		"packet matches");
	refused("target: to-b", "target: to-b, local_selectors: [10.1.0.9], remote_selectors: [\"2001:db8::9\"]",
		"gw.yaml:15:95: policies.lab.remote_selectors: local_selectors has IPv4 and the other side has not: no "
		"packet matches");
	refused("remote_selectors: [\"10.2.0.0/24\"]", "remote_selectors: [10.2.0.0/24, \"2001:db8::/32\"]",
		"gw.yaml:41:27: tunnels.paris.phase2.net.remote_selectors: remote_selectors has IPv6 and the other "
		"side "
		"has not: no packet matches");
}

/* The wan interface with an IPv6 address, which tests then spoil. */
static void refused_ipv6(const char *from, const char *to, const char *expected)
{
	static const char wan[] = "192.0.2.1/24, mtu: 1400}";
	static const char lines[] = "  - {prefix: \"2001:db8:2::/48\", via: \"2001:db8:f::2\"}\nneighbours:\n"
				    "  - {interface: wan, address: \"2001:db8:f::9\", mac: \"02:00:00:00:00:0a\"}\n";
	char with_address[SPOILED_BYTES], with_lines[SPOILED_BYTES], text[SPOILED_BYTES];

	spoil(base_yaml, wan, "192.0.2.1/24, address6: \"2001:db8:f::1/64\", mtu: 1400}", with_address);
	spoil(with_address, "neighbours:\n", lines, with_lines);
	refused_text(spoil(with_lines, from, to, text), base_secrets, expected);
}

static void test_ipv6_link_local_settings(void)
{
	refused_ipv6("2001:db8:f::1/64\"", "2001:db8:f::1/64\", link_local: \"2001:db8::1\"",
		"gw.yaml:8:110: interfaces.wan.link_local: 2001:db8::1 is not in fe80::/10");
	refused_ipv6("via: \"2001:db8:f::2\"", "via: \"fe80::2\"",
		"gw.yaml:11:38: routes[1].via: fe80::2 is link-local: needs `interface` too");
	refused_ipv6("via: \"2001:db8:f::2\"", "via: \"fe80::2\", interface: lan",
		"gw.yaml:11:38: routes[1].via: fe80::2: interface lan has no IPv6 address");
	refused_ipv6("via: \"2001:db8:f::2\"", "via: \"fe80::2\", interface: van",
		"gw.yaml:11:60: routes[1].interface: no interface \"van\"; did you mean \"lan\"?");
	refused_ipv6("via: \"2001:db8:f::2\"", "via: \"2001:db8:f::2\", interface: lan",
		"gw.yaml:11:38: routes[1].via: 2001:db8:f::2 is not in the subnet of interface lan");
	refused_ipv6("interface: wan, address: \"2001:db8:f::9\"", "interface: lan, address: \"fe80::9\"",
		"gw.yaml:13:31: neighbours[0].address: fe80::9: interface lan has no IPv6 address");
}

static void test_ipv6_address_of_an_interface(void)
{
	refused_ipv6("2001:db8:f::1/64", "::1/64",
		"gw.yaml:8:78: interfaces.wan.address6: ::1/64 is not the address of a host");
	refused_ipv6("2001:db8:f::1/64", "ff02::1/64",
		"gw.yaml:8:78: interfaces.wan.address6: ff02::1/64 is not the address of a host");
	refused_ipv6("2001:db8:f::1/64", "::ffff:192.0.2.1/112",
		"gw.yaml:8:78: interfaces.wan.address6: ::ffff:192.0.2.1/112 is not the address of a host");
	refused_ipv6("2001:db8:f::1/64", "fe80::1/64",
		"gw.yaml:8:78: interfaces.wan.address6: fe80::1/64 is an address of this link only: a link_local");
	refused_ipv6("2001:db8:f::1/64", "2001:db8:f::/64",
		"gw.yaml:8:78: interfaces.wan.address6: 2001:db8:f::/64 is the subnet-router anycast address of its "
		"subnet");
	refused_ipv6("2001:db8:f::1/64", "2001:db8:f::1/0",
		"gw.yaml:8:78: interfaces.wan.address6: 2001:db8:f::1/0: the whole Internet is no subnet");
	refused_ipv6("mtu: 1400", "mtu: 1279",
		"gw.yaml:8:103: interfaces.wan.mtu: 1279 is less than IPv6 takes: 1280 (RFC 8200 5)");
	refused_ipv6("10.1.0.1/24}", "10.1.0.1/24, address6: \"2001:db8:f:0:8::1/80\"}",
		"gw.yaml:8:78: interfaces.wan.address6: overlaps 2001:db8:f:0:8::1/80 of interface lan");
}

static void test_ipv6_next_hops_and_neighbours(void)
{
	refused_ipv6("2001:db8:f::2\"", "2001:db8:e::2\"",
		"gw.yaml:11:38: routes[1].via: 2001:db8:e::2 is not in the subnet of an interface");
	refused_ipv6(
		"2001:db8:f::2\"", "2001:db8:f::1\"", "gw.yaml:11:38: routes[1].via: 2001:db8:f::1 is our own address");
	refused_ipv6("2001:db8:f::2\"", "2001:db8:f::\"",
		"gw.yaml:11:38: routes[1].via: 2001:db8:f:: is the subnet-router anycast address of interface wan");
	refused_ipv6("2001:db8:2::/48", "2001:db8:f::/64",
		"gw.yaml:11:14: routes[1].prefix: 2001:db8:f::/64 is the subnet of interface wan");
	refused_ipv6("2001:db8:f::9", "2001:db8:e::9",
		"gw.yaml:13:31: neighbours[0].address: 2001:db8:e::9 is not a host of 2001:db8:f::1/64, the subnet of "
		"interface wan");
	refused_ipv6("2001:db8:f::9", "2001:db8:f::1",
		"gw.yaml:13:31: neighbours[0].address: 2001:db8:f::1 is our own address");
}

static void test_address_wrong(void)
{
	refused("10.1.0.1/24", "10.1.0.1",
		"gw.yaml:7:46: interfaces.lan.address: \"10.1.0.1\" is not an address with a length, such as "
		"10.1.0.0/24");
	refused("10.1.0.1/24", "10.1.0.1/33",
		"gw.yaml:7:46: interfaces.lan.address: \"10.1.0.1/33\" is not an address with a length, such as "
		"10.1.0.0/24");
	refused("192.0.2.254", "192.0.2", "gw.yaml:10:30: routes[0].via: \"192.0.2\" is not an IP address");
	refused("192.0.2.254", "224.0.0.1", "gw.yaml:10:30: routes[0].via: 224.0.0.1 is not the address of a host");
	refused("02:00:00:00:00:09", "02-00-00-00-00-09",
		"gw.yaml:12:47: neighbours[0].mac: \"02-00-00-00-00-09\" is not a MAC address such as "
		"\"02:00:00:00:00:09\"");
	refused("02:00:00:00:00:09", "ff:ff:ff:ff:ff:ff",
		"gw.yaml:12:47: neighbours[0].mac: ff:ff:ff:ff:ff:ff is not the address of one station");
}

static void test_text_wrong(void)
{
	refused("name: lan", "name: -lan",
		"gw.yaml:7:12: interfaces.-lan.name: \"-lan\" is not a name (letters, digits, and - _ . behind the "
		"first)");
	refused("socket: /run/t.sock", "socket: t.sock",
		"gw.yaml:5:19: control.socket: \"t.sock\" is not an absolute path without spaces");
	refused("\"net_tap0\"", "\"net tap0\"",
		"gw.yaml:7:25: interfaces.lan.device: \"net tap0\" is not a text without spaces");
	refused("\"net_tap0\"", "\"net\\0tap0\"", "gw.yaml:7:25: interfaces.lan.device: holds a NUL byte");
	refused("id: gw-a.example.net", "id: 192.0.2.999",
		"gw.yaml:30:37: tunnels.paris.local.id: \"192.0.2.999\" is not an identity (192.0.2.1, gw.example.net, "
		"user@example.net, keyid:text, keyid:0x0102)");
}

static void test_text_too_long(void)
{
	refused("name: lan", "name: a123456789b123456789c123456789d123456789e123456789f123456789abcd",
		"gw.yaml:7:12: interfaces.a123456789b123456789c123456789d123456789e123456789f123456789abcd.name: "
		"longer "
		"than 63 "
		"characters");
}

static void test_control_characters_do_not_reach_the_text(void)
{
	refused("idle: poll", "idle: \"\\e[2Jx\"",
		"gw.yaml:4:9: system.idle: unknown \"?[2Jx\"; known: poll, adaptive, pause, monitor, interrupt");
}

static void test_selector_wrong(void)
{
	refused("\"10.2.0.0/24\"", "\"10.2.0.0/24[tcp/99999]\"",
		"gw.yaml:41:28: tunnels.paris.phase2.net.remote_selectors: \"10.2.0.0/24[tcp/99999]\" is not a "
		"selector "
		"(10.1.0.0/24, 10.1.0.5-10.1.0.9, 10.1.0.0/24[tcp/80], 10.1.0.0/24[icmp]) or dynamic");
	refused("\"10.2.0.0/24\"", "10.2.0.0/24, 10.2.0.0/24",
		"gw.yaml:41:41: tunnels.paris.phase2.net.remote_selectors: \"10.2.0.0/24\" stands twice in the list");
	refused("[\"10.2.0.0/24\"]", "[]",
		"gw.yaml:41:27: tunnels.paris.phase2.net.remote_selectors: the list is too short, at least 1 needed");
	refused("[\"10.2.0.0/24\"]",
		"[1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5,1.1.1.6,1.1.1.7,1.1.1.8,1.1.2.1,1.1.2.2,1.1.2.3,"
		"1.1.2.4,1.1.2.5,1.1.2.6,1.1.2.7,1.1.2.8,9.9.9.9]",
		"gw.yaml:41:156: tunnels.paris.phase2.net.remote_selectors: more than 16 entries");
}

/* The column is that of the word inside the proposal. */
static void test_proposal_unknown_algorithm(void)
{
	refused("aes256gcm16-prfsha384", "aes257gcm16-prfsha384",
		"gw.yaml:33:19: tunnels.paris.phase1.proposals: unknown \"aes257gcm16\"; did you mean "
		"\"aes256gcm16\"?");
	refused("-ecp384", "-ecp348",
		"gw.yaml:33:41: tunnels.paris.phase1.proposals: unknown \"ecp348\"; did you mean \"ecp384\"?");
	refused("-modp2048", "-modp2047",
		"gw.yaml:33:64: tunnels.paris.phase1.proposals: unknown \"modp2047\"; did you mean \"modp2048\"?");
	refused("[aes256gcm16, aes", "[aes256gcm61, aes",
		"gw.yaml:39:21: tunnels.paris.phase2.net.proposals: unknown \"aes256gcm61\"; did you mean "
		"\"aes256gcm16\"?");
}

static void test_proposal_makes_no_sense(void)
{
	refused("-prfsha384-ecp384", "-prfsha384",
		"gw.yaml:33:19: tunnels.paris.phase1.proposals: \"aes256gcm16-prfsha384\": no key exchange group");
	refused("-prfsha384-ecp384", "-ecp384",
		"gw.yaml:33:19: tunnels.paris.phase1.proposals: \"aes256gcm16-ecp384\": no PRF (add prfsha256, "
		"prfsha384 or "
		"prfsha512)");
	refused("[aes256gcm16, aes", "[aes256, aes",
		"gw.yaml:39:21: tunnels.paris.phase2.net.proposals: \"aes256\": no integrity algorithm");
	refused("[aes256gcm16, aes", "[aes256gcm16-prfsha256, aes",
		"gw.yaml:39:33: tunnels.paris.phase2.net.proposals: \"prfsha256\" is not supported in ESP");
	refused("[aes256gcm16, aes", "[aes256-md5, aes",
		"gw.yaml:39:28: tunnels.paris.phase2.net.proposals: \"md5\": HMAC-MD5 must not be used (RFC 8221 6, "
		"RFC 8247 2.3)");
	refused("-prfsha384-ecp384", "-esn",
		"gw.yaml:33:31: tunnels.paris.phase1.proposals: \"esn\" is not supported in phase1");
}

static void test_name_twice(void)
{
	refused("name: wan", "name: lan", "gw.yaml:8:12: interfaces: the name \"lan\" stands twice, first in line 7");
	refused("name: lab", "name: web", "gw.yaml:15:12: policies: the name \"web\" stands twice, first in line 14");
}

static void test_secrets_faults_never_repeat_a_secret(void)
{
	refused_secrets("secret: \"a long", "scret: \"a long",
		"secrets:2:57: psk[0]: unknown setting; did you mean \"secret\"?");
	refused_secrets("secret: \"a long random text\"", "secret: 0x0g",
		"secrets:2:65: psk[0].secret: not hexadecimal bytes (after 0x, two digits a byte)");
	refused_secrets("secret: \"a long random text\"", "secret: \"\"", "secrets:2:65: psk[0].secret: empty");
	refused_secrets("secret: \"a long random text\"", "secret: [a long random text]",
		"secrets:2:65: psk[0].secret: expected a text, or bytes in hexadecimal after 0x, found a list");
	refused_secrets("secret: \"a long random text\"", "thekey: x, thekey: x, secret: \"a long random text\"",
		"secrets:2:57: psk[0]: unknown setting");
	refused_secrets("encr_out: 0xf00102", "encr_out: 0xf0010",
		"secrets:6:15: manual_keys.key-b.encr_out: not hexadecimal bytes (after 0x, two digits a byte)");
}

static void test_secrets_of_one_pair_twice(void)
{
	refused_secrets("manual_keys:",
		"  - {local: GW-A.example.net, remote: gw-b.EXAMPLE.net, secret: \"another random "
		"text\"}\nmanual_keys:",
		"secrets:3:5: psk[1]: a second secret for these identities, the first is in line 2");
}

/* Each fault of the file is reported, in order, up to the maximum; the rest is counted. */
static void test_errors_are_collected(void)
{
	static struct config_errors errors;
	struct config *c;
	char text[SPOILED_BYTES], again[SPOILED_BYTES], many[SPOILED_BYTES] = "interfaces:\n";

	spoil(spoil(base_yaml, "workers: 1", "workers: x", text), "idle: poll", "idle: x", again);
	CU_ASSERT_EQUAL(load_text(again, base_secrets, &c, &errors), -EINVAL);
	CU_ASSERT_EQUAL(errors.count, 2);
	CU_ASSERT(errors.items[0].line == 3 && errors.items[1].line == 4);
	for (int i = 0; i < CONFIG_ERRORS_MAX + 5; i++)
		strcat(many, "  - x\n");
	CU_ASSERT_EQUAL(load_text(many, "{}", &c, &errors), -EINVAL);
	CU_ASSERT_EQUAL(errors.count, CONFIG_ERRORS_MAX + 5);
	CU_ASSERT_EQUAL(errors.items[CONFIG_ERRORS_MAX - 1].line, CONFIG_ERRORS_MAX + 1);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_yaml_malformed),
		TEST(test_yaml_empty),
		TEST(test_yaml_second_document),
		TEST(test_yaml_root_of_another_kind),
		TEST(test_yaml_nested_too_deep),
		TEST(test_yaml_alias_loop_and_missing_anchor),
		TEST(test_yaml_key_of_another_kind),
		TEST(test_yaml_alias_expansion_is_bounded),
		TEST(test_key_unknown),
		TEST(test_key_swapped_letters_are_near),
		TEST(test_key_twice),
		TEST(test_icmp_and_reverse_path_settings),
		TEST(test_required_setting_missing),
		TEST(test_name_missing_is_indexed),
		TEST(test_kind_wrong),
		TEST(test_number_wrong),
		TEST(test_number_out_of_range),
		TEST(test_ike_fragment_size_wrong),
		TEST(test_dpd_action_wrong),
		TEST(test_ike_limits_wrong),
		TEST(test_duration_wrong),
		TEST(test_word_unknown),
		TEST(test_word_known_but_not_supported),
		TEST(test_selectors_of_one_side_in_another_family),
		TEST(test_address_of_the_other_family),
		TEST(test_ipv6_address_of_an_interface),
		TEST(test_ipv6_link_local_settings),
		TEST(test_ipv6_next_hops_and_neighbours),
		TEST(test_address_wrong),
		TEST(test_text_wrong),
		TEST(test_text_too_long),
		TEST(test_control_characters_do_not_reach_the_text),
		TEST(test_selector_wrong),
		TEST(test_proposal_unknown_algorithm),
		TEST(test_proposal_makes_no_sense),
		TEST(test_name_twice),
		TEST(test_secrets_faults_never_repeat_a_secret),
		TEST(test_secrets_of_one_pair_twice),
		TEST(test_errors_are_collected),
	};

	return test_main("conf_refusals", tests, ARRAY_LEN(tests), argc, argv);
}
