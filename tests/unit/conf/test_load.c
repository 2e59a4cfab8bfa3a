/* SPDX-License-Identifier: BSD-3-Clause */
/* What a good configuration becomes: every field, defaults, the examples of config/, and files on disk. */
#include "harness.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdlib.h>

#include "base_config.h"

#define SECONDS 1000000000ull

static const char small_yaml[] =
	"secrets_file: s.yaml\n"
	"interfaces: [{name: wan, device: net_tap0, address: 192.0.2.1/24}]\n"
	"tunnels: [{name: t, local: {address: 192.0.2.1}, remote: {address: 192.0.2.2},\n"
	"  phase2: [{name: n, local_selectors: [10.1.0.0/24], remote_selectors: [10.2.0.0/24]}]}]\n";
static const char any_secrets[] = "psk: [{secret: a long random text}]";

static void check_addr(const struct addr *a, const char *expected)
{
	char text[ADDR_TEXT_MAX];

	CU_ASSERT_STRING_EQUAL(addr_format(a, text), expected);
}

static void check_identity(const struct identity *id, uint8_t type, const char *expected)
{
	char text[IDENTITY_TEXT_MAX];

	CU_ASSERT_EQUAL(id->type, type);
	CU_ASSERT_STRING_EQUAL(identity_format(id, text), expected);
}

static void check_selectors(const struct selector_list *list, const char *expected)
{
	char text[512];

	CU_ASSERT_STRING_EQUAL(selector_list_format(list, text, sizeof(text)), expected);
}

static void check_proposals(const struct proposal_list *list, const char *expected)
{
	char text[PROPOSAL_TEXT_MAX];

	CU_ASSERT_STRING_EQUAL(proposal_list_format(list, text), expected);
	for (int i = 0; i < list->count; i++)
		CU_ASSERT_EQUAL(list->items[i].number, i + 1);
}

static void test_load_system_and_control(void)
{
	struct config *c = loaded(base_yaml, base_secrets);

	CU_ASSERT_EQUAL(c->system.eal_arg_count, 1);
	CU_ASSERT_STRING_EQUAL(c->system.eal_args[0], "--no-pci");
	CU_ASSERT(c->system.workers == 1 && c->system.mbufs == 16384);
	CU_ASSERT(c->system.idle == IDLE_POLL && !c->system.allow_no_huge && c->system.mss_clamp);
	CU_ASSERT_EQUAL(c->system.flow_cache, 65536);
	CU_ASSERT(c->system.reassembly.datagrams == 1024 && c->system.reassembly.fragments == 64);
	CU_ASSERT(c->system.reassembly.timeout_ns == 5000000000u && c->system.reassembly.large_buffers == 64);
	CU_ASSERT(c->system.neighbours.dad_probes == 1 && c->system.neighbours.retransmit_ns == 1000000000u);
	CU_ASSERT_EQUAL(c->system.neighbours.reachable_ns, 30000000000u);
	CU_ASSERT_STRING_EQUAL(c->control.socket, "/run/t.sock");
	CU_ASSERT_EQUAL(c->control.log_level, LOG_DEBUG);
	config_free(c);
}

static void test_load_spellings_of_booleans(void)
{
	static const struct {
		const char *text;
		bool value;
	} rows[] = { { "true", true }, { "True", true }, { "TRUE", true }, { "yes", true }, { "false", false },
		{ "False", false }, { "FALSE", false }, { "no", false } };
	char text[SPOILED_BYTES], setting[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(setting, sizeof(setting), "workers: 1\n  allow_no_huge: %s\n  mss_clamp: %s", rows[i].text,
			rows[i].text);
		struct config *c = loaded(spoil(base_yaml, "workers: 1", setting, text), base_secrets);
		CU_ASSERT(c->system.allow_no_huge == rows[i].value && c->system.mss_clamp == rows[i].value);
		config_free(c);
	}
	refused_text(spoil(base_yaml, "workers: 1", "mss_clamp: tRUE", text), base_secrets,
		"gw.yaml:3:14: system.mss_clamp: unknown \"tRUE\"; did you mean \"true\"?");
	refused_text(spoil(base_yaml, "idle: poll", "idle: Poll", text), base_secrets,
		"gw.yaml:4:9: system.idle: unknown \"Poll\"; did you mean \"poll\"?");
}

static void test_load_network(void)
{
	struct config *c = loaded(base_yaml, base_secrets);
	char text[PREFIX_TEXT_MAX];

	CU_ASSERT(c->interface_count == 2 && c->route_count == 1 && c->neighbour_count == 1);
	CU_ASSERT_STRING_EQUAL(c->interfaces[1].name, "wan");
	CU_ASSERT_STRING_EQUAL(c->interfaces[1].device, "net_tap1,iface=w");
	CU_ASSERT_STRING_EQUAL(prefix_format(&c->interfaces[1].address, text), "192.0.2.1/24");
	CU_ASSERT(c->interfaces[0].mtu == 1500 && c->interfaces[1].mtu == 1400);
	CU_ASSERT_STRING_EQUAL(prefix_format(&c->routes[0].prefix, text), "0.0.0.0/0");
	check_addr(&c->routes[0].via, "192.0.2.254");
	CU_ASSERT_EQUAL(c->neighbours[0].interface, 1);
	check_addr(&c->neighbours[0].addr, "192.0.2.9");
	CU_ASSERT_EQUAL(memcmp(c->neighbours[0].mac, "\2\0\0\0\0\11", 6), 0);
	config_free(c);
}

/* VLANs of one device, a port with a link-local address only, and next hops and neighbours known on their link. */
static void test_load_vlans_and_link_local_addresses(void)
{
	struct config *c = loaded("interfaces:\n"
				  "  - {name: a, device: net_tap0, address: 10.1.0.1/24}\n"
				  "  - {name: b, device: net_tap0, vlan: 4094, link_local: \"fe80::b\"}\n"
				  "routes: [{prefix: \"2001:db8::/32\", via: \"fe80::2\", interface: b}, {prefix: "
				  "0.0.0.0/0, via: 10.1.0.9}]\n"
				  "neighbours: [{interface: b, address: \"fe80::2\", mac: \"02:00:00:00:00:02\"}]\n",
		any_secrets);

	CU_ASSERT(c->interfaces[0].vlan == 0 && c->interfaces[1].vlan == 4094);
	CU_ASSERT_EQUAL(c->interfaces[0].link_local.family, ADDR_NONE);
	check_addr(&c->interfaces[1].link_local, "fe80::b");
	CU_ASSERT(c->routes[0].has_interface && c->routes[0].interface == 1);
	CU_ASSERT_FALSE(c->routes[1].has_interface);
	check_addr(&c->neighbours[0].addr, "fe80::2");
	config_free(c);
}

/* One interface of each family alone, one of both. */
static void test_load_network_of_both_families(void)
{
	struct config *c = loaded(
		"interfaces:\n"
		"  - {name: a, device: net_tap0, address: 10.1.0.1/24}\n"
		"  - {name: b, device: net_tap1, address6: \"2001:db8:b::1/64\"}\n"
		"  - {name: c, device: net_tap2, address: 10.3.0.1/24, address6: \"2001:db8:c::/127\"}\n"
		"routes: [{prefix: \"2001:db8::/32\", via: \"2001:db8:b::2\"}]\n"
		"neighbours: [{interface: b, address: \"2001:db8:b::2\", mac: \"02:00:00:00:00:02\"}]\n",
		any_secrets);

	CU_ASSERT_EQUAL(c->interfaces[0].address6.addr.family, ADDR_NONE);
	CU_ASSERT_EQUAL(c->interfaces[1].address.addr.family, ADDR_NONE);
	check_addr(&c->interfaces[1].address6.addr, "2001:db8:b::1");
	CU_ASSERT_EQUAL(c->interfaces[1].address6.len, 64);
	check_addr(&c->interfaces[2].address6.addr, "2001:db8:c::");
	check_addr(&c->routes[0].via, "2001:db8:b::2");
	check_addr(&c->neighbours[0].addr, "2001:db8:b::2");
	CU_ASSERT_EQUAL(c->neighbours[0].interface, 1);
	config_free(c);
}

static void test_load_policies(void)
{
	struct config *c = loaded(base_yaml, base_secrets);

	CU_ASSERT_EQUAL_FATAL(c->policy_count, 2);
	CU_ASSERT_STRING_EQUAL(c->policies[0].name, "web");
	CU_ASSERT_EQUAL(c->policies[0].action, POLICY_BYPASS);
	check_selectors(&c->policies[0].local, "10.1.0.0/24");
	check_selectors(&c->policies[0].remote, "10.9.0.0/24");
	CU_ASSERT_EQUAL(c->policies[1].action, POLICY_PROTECT);
	CU_ASSERT_STRING_EQUAL(c->policies[1].target, "to-b");
	config_free(c);
}

static void test_load_protect_takes_selectors_of_its_target(void)
{
	char text[SPOILED_BYTES];
	struct config *c = loaded(base_yaml, base_secrets);

	check_selectors(&c->policies[1].local, "10.1.0.0/24");
	check_selectors(&c->policies[1].remote, "10.3.0.0/24");
	config_free(c);
	c = loaded(spoil(base_yaml, "target: to-b", "target: paris, local_selectors: [10.1.0.7]", text), base_secrets);
	check_selectors(&c->policies[1].local, "10.1.0.7");
	check_selectors(&c->policies[1].remote, "10.2.0.0/24");
	config_free(c);
}

static void test_load_manual_sa_is_a_pair(void)
{
	struct config *c = loaded(base_yaml, base_secrets);
	const struct sa_spec *in = &c->manual_sas[0].in, *out = &c->manual_sas[0].out;
	const char *reason;

	CU_ASSERT_STRING_EQUAL(c->manual_sas[0].name, "to-b");
	CU_ASSERT(in->direction == SA_IN && out->direction == SA_OUT && in->spi == 0x1001 && out->spi == 0x1002);
	CU_ASSERT(sa_spec_check(in, &reason) == 0 && sa_spec_check(out, &reason) == 0);
	CU_ASSERT_STRING_EQUAL(in->encr->keyword, "aes256gcm16");
	CU_ASSERT(in->encr == out->encr && !in->integ && !in->esn && in->replay_window == 128);
	CU_ASSERT(in->encr_key.len == 36 && in->encr_key.data[0] == 0x00 && out->encr_key.data[0] == 0xf0);
	check_addr(&out->path.local.addr, "192.0.2.1");
	check_addr(&out->path.remote.addr, "192.0.2.2");
	CU_ASSERT(out->path.encap == SA_ENCAP_NONE && out->path.remote.port == 0);
	check_selectors(&out->local, "10.1.0.0/24");
	check_selectors(&in->remote, "10.3.0.0/24");
	CU_ASSERT_STRING_EQUAL(out->name, "to-b");
	config_free(c);
}

static void test_load_manual_sa_options(void)
{
	char a[SPOILED_BYTES], b[SPOILED_BYTES];

	spoil(base_yaml, "    lab_keys", "    encap: udp\n    replay_window: 1024\n    lab_keys", a);
	struct config *c = loaded(spoil(a, "aes256gcm16\n", "aes256gcm16-esn\n", b), base_secrets);
	const struct config_manual_sa *m = &c->manual_sas[0];
	CU_ASSERT(m->in.path.encap == SA_ENCAP_UDP && m->out.path.encap == SA_ENCAP_UDP);
	CU_ASSERT(m->out.path.local.port == 4500 && m->in.path.remote.port == 4500);
	CU_ASSERT(m->in.esn && m->out.esn && m->in.replay_window == 1024 && m->out.replay_window == 0);
	config_free(c);
}

static void test_load_tunnel(void)
{
	struct config *c = loaded(base_yaml, base_secrets);
	const struct tunnel_profile *t = &c->tunnels[0];
	const struct child_profile *child = &t->children[0];

	CU_ASSERT(c->tunnel_count == 1 && t->child_count == 1);
	CU_ASSERT_STRING_EQUAL(t->name, "paris");
	check_addr(&t->local_addr, "192.0.2.1");
	check_addr(&t->remote_addr, "192.0.2.7");
	check_identity(&t->local_id, ID_FQDN, "gw-a.example.net");
	check_identity(&t->remote_id, ID_FQDN, "gw-b.example.net");
	CU_ASSERT(t->local_auth == AUTH_PSK && t->remote_auth == AUTH_PSK && t->encap == ENCAP_AUTO);
	check_proposals(&t->proposals, "AES-GCM-256/PRF-HMAC-SHA2-384/ECP-384, "
				       "AES-CBC-128/HMAC-SHA2-256-128/MODP-2048/PRF-HMAC-SHA2-256");
	CU_ASSERT_EQUAL(t->lifetime_ns, 4 * 3600 * SECONDS);
	CU_ASSERT(t->dpd_interval_ns == 5 * SECONDS && t->dpd_timeout_ns == 4 * SECONDS);
	CU_ASSERT_STRING_EQUAL(child->name, "net");
	CU_ASSERT(child->mode == SA_MODE_TUNNEL && child->start == START_INITIATE);
	check_proposals(&child->proposals, "AES-GCM-256/ESN/NO-ESN, AES-GCM-128/ECP-256/ESN/NO-ESN");
	check_selectors(&child->local, "10.1.0.0/24");
	check_selectors(&child->remote, "10.2.0.0/24");
	CU_ASSERT(child->lifetime_ns == 90 * SECONDS && child->replay_window == 128 && child->tfc_bytes == 0);
	CU_ASSERT(header_rules_default(&t->outer));
	config_free(c);
}

static void test_load_ike_fragments(void)
{
	char text[SPOILED_BYTES];
	struct config *c = loaded(spoil(base_yaml, "lifetime: 4h",
					  "lifetime: 4h\n      fragment_size_ipv4: 1400\n"
					  "      fragment_size_ipv6: 1500\n      fragmentation: no",
					  text),
		base_secrets);
	const struct tunnel_profile *t = &c->tunnels[0];

	CU_ASSERT(!t->fragmentation && t->fragment_bytes_ipv4 == 1400 && t->fragment_bytes_ipv6 == 1500);
	config_free(c);
}

static void test_load_icmp_and_reverse_path(void)
{
	char text[SPOILED_BYTES];
	struct config *c = loaded(base_yaml, base_secrets);
	const struct config_icmp *icmp = &c->system.icmp;

	CU_ASSERT(icmp->path_mtu && icmp->floor == 576 && icmp->hold_ns == 600000000000 && !icmp->errors &&
		  !icmp->prohibited);
	CU_ASSERT(c->interfaces[0].rpf == RPF_OFF && c->interfaces[1].rpf == RPF_OFF);
	config_free(c);
	c = loaded(spoil(base_yaml, "idle: poll",
			   "icmp: {path_mtu: no, floor: 1000, hold: 5m, errors: log, prohibited: yes}", text),
		base_secrets);
	icmp = &c->system.icmp;
	CU_ASSERT(!icmp->path_mtu && icmp->floor == 1000 && icmp->hold_ns == 300000000000 && icmp->errors &&
		  icmp->prohibited);
	config_free(c);
	c = loaded(spoil(base_yaml, "mtu: 1400", "rpf: strict", text), base_secrets);
	CU_ASSERT(c->interfaces[0].rpf == RPF_OFF && c->interfaces[1].rpf == RPF_STRICT);
	config_free(c);
}

static void test_load_tunnel_outer_header_and_padding(void)
{
	char a[SPOILED_BYTES], b[SPOILED_BYTES];

	spoil(base_yaml, "    version: 2\n", "    outer: {dscp: 46, ecn: clear, df: set, ttl: copy}\n", a);
	struct config *c = loaded(spoil(a, "lifetime: 90s", "tfc_padding: mtu", b), base_secrets);
	const struct header_rules *h = &c->tunnels[0].outer;
	CU_ASSERT(h->dscp_set && h->dscp == 46 && h->ecn_clear && h->df == DF_SET && h->ttl_copy && h->ttl == 0);
	CU_ASSERT(!h->flow_label_copy && h->flow_label == 0);
	CU_ASSERT_EQUAL(c->tunnels[0].children[0].tfc_bytes, TFC_TO_MTU);
	config_free(c);
	refused_text(spoil(base_yaml, "    version: 2\n", "    outer: {flow_label: copy}\n", a), base_secrets,
		"gw.yaml:29:25: tunnels.paris.outer.flow_label: an outer IPv4 header has no flow label");
}

/* A tunnel of IPv4 can carry both families. */
static void test_load_ipv6_inside_a_tunnel(void)
{
	char a[SPOILED_BYTES], b[SPOILED_BYTES];

	spoil(base_yaml, "        local_selectors: [10.1.0.0/24]",
		"        local_selectors: [10.1.0.0/24, \"2001:db8:1::/64\"]", a);
	struct config *c = loaded(
		spoil(a, "[\"10.2.0.0/24\"]", "[\"10.2.0.0/24\", \"2001:db8:2::/64\"]", b), base_secrets);
	check_selectors(&c->tunnels[0].children[0].local, "10.1.0.0/24, 2001:db8:1::/64");
	check_selectors(&c->tunnels[0].children[0].remote, "10.2.0.0/24, 2001:db8:2::/64");
	config_free(c);
}

static void test_load_defaults(void)
{
	struct config *c = loaded(small_yaml, any_secrets);
	const struct tunnel_profile *t = &c->tunnels[0];

	CU_ASSERT(c->system.workers == 0 && c->system.idle == IDLE_ADAPTIVE && c->system.eal_arg_count == 0);
	CU_ASSERT_STRING_EQUAL(c->control.socket, "/run/sallyport/control.sock");
	CU_ASSERT_EQUAL(c->control.log_level, LOG_NOTICE);
	check_proposals(&t->proposals, "AES-GCM-256/PRF-HMAC-SHA2-384/CURVE25519/ECP-384, "
				       "AES-GCM-128/PRF-HMAC-SHA2-256/CURVE25519/ECP-256, "
				       "AES-CBC-256/HMAC-SHA2-256-128/CURVE25519/ECP-256/MODP-2048/PRF-HMAC-SHA2-256");
	check_proposals(&t->children[0].proposals, "AES-GCM-256/ESN/NO-ESN, AES-GCM-128/ESN/NO-ESN");
	CU_ASSERT(t->lifetime_ns == 4 * 3600 * SECONDS && t->children[0].lifetime_ns == 3600 * SECONDS);
	CU_ASSERT(t->dpd_interval_ns == 30 * SECONDS && t->dpd_timeout_ns == 15 * SECONDS);
	CU_ASSERT(c->system.ike.half_open == 1000 && c->system.ike.half_open_per_source == 32);
	CU_ASSERT(c->system.ike.cookie_threshold == 100 && c->system.ike.failures_per_source == 60);
	CU_ASSERT_EQUAL(t->dpd_action, DPD_AUTO);
	CU_ASSERT(t->fragmentation && t->fragment_bytes_ipv4 == 576 && t->fragment_bytes_ipv6 == 1280);
	CU_ASSERT(t->children[0].replay_window == 128 && t->children[0].start == START_TRAP);
	config_free(c);
}

static void test_load_identities_default_to_addresses(void)
{
	struct config *c = loaded(small_yaml, any_secrets);
	char text[SPOILED_BYTES];

	check_identity(&c->tunnels[0].local_id, ID_IPV4_ADDR, "192.0.2.1");
	check_identity(&c->tunnels[0].remote_id, ID_IPV4_ADDR, "192.0.2.2");
	config_free(c);
	c = loaded(spoil(small_yaml, "address: 192.0.2.2", "address: 192.0.2.2, id: any", text), any_secrets);
	CU_ASSERT_EQUAL(c->tunnels[0].remote_id.type, ID_NONE);
	config_free(c);
}

static void test_load_tunnel_over_ipv6(void)
{
	struct config *c = loaded("secrets_file: s.yaml\n"
				  "interfaces: [{name: wan, device: net_tap0, address6: \"2001:db8::1/64\"}]\n"
				  "tunnels: [{name: t, local: {address: \"2001:db8::1\"},\n"
				  "  remote: {address: \"2001:db8:1::2\"}, phase2: [{name: n,\n"
				  "  local_selectors: [10.1.0.0/24], remote_selectors: [10.2.0.0/24]}]}]\n",
		any_secrets);

	check_addr(&c->tunnels[0].local_addr, "2001:db8::1");
	check_addr(&c->tunnels[0].remote_addr, "2001:db8:1::2");
	check_identity(&c->tunnels[0].local_id, ID_IPV6_ADDR, "2001:db8::1");
	check_identity(&c->tunnels[0].remote_id, ID_IPV6_ADDR, "2001:db8:1::2");
	config_free(c);
}

static void test_load_any_peer(void)
{
	char a[SPOILED_BYTES], b[SPOILED_BYTES];

	spoil(small_yaml, "address: 192.0.2.2", "address: any", a);
	struct config *c = loaded(spoil(a, "{name: n,", "{name: n, start: respond,", b), any_secrets);
	CU_ASSERT_EQUAL(c->tunnels[0].remote_addr.family, ADDR_NONE);
	CU_ASSERT_EQUAL(c->tunnels[0].remote_id.type, ID_NONE);
	config_free(c);
}

static void test_load_zero_switches_off(void)
{
	char a[SPOILED_BYTES], b[SPOILED_BYTES];

	spoil(base_yaml, "lifetime: 4h", "lifetime: 0s", a);
	struct config *c = loaded(spoil(a, "interval: 5s", "interval: 0s", b), base_secrets);
	CU_ASSERT(c->tunnels[0].lifetime_ns == 0 && c->tunnels[0].dpd_interval_ns == 0);
	config_free(c);
}

static void test_load_durations_of_every_unit(void)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} rows[] = { { "10000ms", 10 * SECONDS }, { "90s", 90 * SECONDS }, { "2m", 120 * SECONDS },
		{ "3h", 10800 * SECONDS }, { "30d", 30 * 86400 * SECONDS } };
	char text[SPOILED_BYTES], setting[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(setting, sizeof(setting), "lifetime: %s", rows[i].text);
		struct config *c = loaded(spoil(base_yaml, "lifetime: 4h", setting, text), base_secrets);
		CU_ASSERT_EQUAL(c->tunnels[0].lifetime_ns, rows[i].ns);
		config_free(c);
	}
}

static void test_load_aliases_share_values(void)
{
	char a[SPOILED_BYTES], b[SPOILED_BYTES];

	spoil(base_yaml, "local_selectors: [10.1.0.0/24], remote",
		"local_selectors: &lan [10.1.0.0/24, 10.6.0.0/24], remote", a);
	struct config *c = loaded(spoil(a, "local_selectors: [10.1.0.0/24]", "local_selectors: *lan", b), base_secrets);
	check_selectors(&c->manual_sas[0].in.local, "10.1.0.0/24, 10.6.0.0/24");
	config_free(c);
}

/* ---- files ---- */

static char folder[] = "/tmp/sallyport-conf-XXXXXX";

static char *file_path(const char *name, char *ret_path)
{
	snprintf(ret_path, 128, "%s/%s", folder, name);
	return ret_path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	char path[128];
	FILE *f = fopen(file_path(name, path), "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
	CU_ASSERT_EQUAL(chmod(path, mode), 0);
}

/* Loads small.yaml of the folder: the code, and the first error as text. */
static int load_small(char *ret_text, size_t capacity)
{
	static struct config_errors errors;
	struct config *c;
	char path[128];
	int err = config_load(file_path("small.yaml", path), &c, &errors);

	snprintf(ret_text, capacity, "%s", "");
	if (err)
		config_error_format(&errors.items[0], ret_text, capacity);
	CU_ASSERT_EQUAL(!c, !!err);
	config_free(c);
	return err;
}

static void test_file_secrets_are_found_beside_it(void)
{
	char text[1024];

	write_file("small.yaml", small_yaml, 0644);
	write_file("s.yaml", any_secrets, 0600);
	CU_ASSERT_EQUAL(load_small(text, sizeof(text)), 0);
	write_file("s.yaml", any_secrets, 0400);
	CU_ASSERT_EQUAL(load_small(text, sizeof(text)), 0);
}

static void test_file_secrets_that_others_can_read(void)
{
	static const mode_t bad[] = { 0640, 0604, 0620, 0602, 0644, 0666, 0610, 0601 };
	char text[1024], expected[1024];

	write_file("small.yaml", small_yaml, 0644);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		write_file("s.yaml", any_secrets, bad[i]);
		CU_ASSERT_EQUAL(load_small(text, sizeof(text)), -EACCES);
		snprintf(expected, sizeof(expected),
			"%s/s.yaml: secrets_file: others can read or write this file of secrets (mode %04o); chmod 600 "
			"it",
			folder, (unsigned)bad[i]);
		CU_ASSERT_STRING_EQUAL(text, expected);
	}
}

static void test_file_secrets_of_another_user(void)
{
	char text[1024], expected[1024], path[128];

	write_file("small.yaml", small_yaml, 0644);
	write_file("s.yaml", any_secrets, 0600);
	CU_ASSERT_EQUAL_FATAL(chown(file_path("s.yaml", path), 4321, 4321), 0);
	CU_ASSERT_EQUAL(load_small(text, sizeof(text)), -EACCES);
	snprintf(expected, sizeof(expected),
		"%s: secrets_file: this file of secrets belongs to another user (uid 4321); chown it to root", path);
	CU_ASSERT_STRING_EQUAL(text, expected);
	CU_ASSERT_EQUAL(chown(path, geteuid(), getegid()), 0);
}

static void test_file_secrets_missing(void)
{
	char text[1024], expected[1024], path[128];

	write_file("small.yaml", small_yaml, 0644);
	unlink(file_path("s.yaml", path));
	CU_ASSERT_EQUAL(load_small(text, sizeof(text)), -ENOENT);
	snprintf(expected, sizeof(expected), "%s: secrets_file: cannot be read: No such file or directory", path);
	CU_ASSERT_STRING_EQUAL(text, expected);
}

static void test_file_secrets_are_a_folder(void)
{
	char text[1024], path[128];

	write_file("small.yaml", small_yaml, 0644);
	unlink(file_path("s.yaml", path));
	CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
	CU_ASSERT_EQUAL(load_small(text, sizeof(text)), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "s.yaml: secrets_file: not a regular file"));
	rmdir(path);
}

static void test_file_missing(void)
{
	char text[1024], expected[1024], path[128];

	unlink(file_path("small.yaml", path));
	CU_ASSERT_EQUAL(load_small(text, sizeof(text)), -ENOENT);
	snprintf(expected, sizeof(expected), "%s: cannot be read: No such file or directory", path);
	CU_ASSERT_STRING_EQUAL(text, expected);
}

static void test_file_too_large(void)
{
	char text[1024], path[128];

	write_file("small.yaml", small_yaml, 0644);
	CU_ASSERT_EQUAL(truncate(file_path("small.yaml", path), (16 << 20) + 1), 0);
	CU_ASSERT_EQUAL(load_small(text, sizeof(text)), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "small.yaml: larger than 16777216 bytes"));
}

/* ---- the files of config/ ---- */

static char *read_whole(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 65536);

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_FATAL(fread(text, 1, 65535, f) > 0);
	fclose(f);
	return text;
}

/* NAME.yaml with NAME.secrets.yaml; the published secrets are readable by all, so they are handed over as bytes. */
static struct config *load_example(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/config/%s.yaml", SOURCE_ROOT, name);
	char *yaml = read_whole(path);
	snprintf(path, sizeof(path), "%s/config/%s.secrets.yaml", SOURCE_ROOT, name);
	char *secrets = read_whole(path);
	struct config *c = loaded(yaml, secrets);
	free(yaml);
	free(secrets);
	return c;
}

static void test_example_gateway_loads(void)
{
	struct config *c = load_example("gateway");

	CU_ASSERT(c->tunnel_count == 1 && c->manual_sa_count == 1 && c->policy_count == 3 && c->psk_count == 2);
	CU_ASSERT_EQUAL(c->psks[1].secret.len, 21);
	config_free(c);
}

static void test_examples_load(void)
{
	static const char *const names[] = { "examples/site-to-site-a", "examples/site-to-site-b", "examples/any-peer",
		"examples/concentrator", "examples/manual-keys", "examples/manual-ah-transport",
		"examples/manual-keys-v6" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		config_free(load_example(names[i]));
}

/* The two sites name each other's addresses, identities and selectors. */
static void test_examples_of_two_sites_fit(void)
{
	struct config *a = load_example("examples/site-to-site-a"), *b = load_example("examples/site-to-site-b");
	const struct tunnel_profile *x = a->tunnels, *y = b->tunnels;

	CU_ASSERT(addr_equal(&x->local_addr, &y->remote_addr) && addr_equal(&x->remote_addr, &y->local_addr));
	CU_ASSERT(identity_equal(&x->local_id, &y->remote_id) && identity_equal(&x->remote_id, &y->local_id));
	CU_ASSERT(selector_equal(&x->children[0].local.items[0], &y->children[0].remote.items[0]));
	CU_ASSERT_FATAL(a->psks[0].secret.len == b->psks[0].secret.len);
	CU_ASSERT(secret_equal(a->psks[0].secret.data, b->psks[0].secret.data, a->psks[0].secret.len));
	config_free(a);
	config_free(b);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_load_system_and_control),
		TEST(test_load_spellings_of_booleans),
		TEST(test_load_network),
		TEST(test_load_network_of_both_families),
		TEST(test_load_vlans_and_link_local_addresses),
		TEST(test_load_policies),
		TEST(test_load_protect_takes_selectors_of_its_target),
		TEST(test_load_manual_sa_is_a_pair),
		TEST(test_load_manual_sa_options),
		TEST(test_load_tunnel),
		TEST(test_load_ike_fragments),
		TEST(test_load_icmp_and_reverse_path),
		TEST(test_load_tunnel_outer_header_and_padding),
		TEST(test_load_ipv6_inside_a_tunnel),
		TEST(test_load_defaults),
		TEST(test_load_identities_default_to_addresses),
		TEST(test_load_tunnel_over_ipv6),
		TEST(test_load_any_peer),
		TEST(test_load_zero_switches_off),
		TEST(test_load_durations_of_every_unit),
		TEST(test_load_aliases_share_values),
		TEST(test_file_secrets_are_found_beside_it),
		TEST(test_file_secrets_that_others_can_read),
		TEST(test_file_secrets_of_another_user),
		TEST(test_file_secrets_missing),
		TEST(test_file_secrets_are_a_folder),
		TEST(test_file_missing),
		TEST(test_file_too_large),
		TEST(test_example_gateway_loads),
		TEST(test_examples_load),
		TEST(test_examples_of_two_sites_fit),
	};

	if (!mkdtemp(folder))
		return 1;
	int rc = test_main("conf_load", tests, ARRAY_LEN(tests), argc, argv);
	char path[128];
	unlink(file_path("small.yaml", path));
	unlink(file_path("s.yaml", path));
	rmdir(folder);
	return rc;
}
