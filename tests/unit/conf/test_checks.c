/* SPDX-License-Identifier: BSD-3-Clause */
/* What is refused because settings do not fit each other: addresses, references, keys, SPIs; with place and path. */
#include "harness.h"

#include "base_config.h"

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

static void test_interfaces_overlap(void)
{
	refused("10.1.0.1/24", "192.0.2.130/25",
		"gw.yaml:8:54: interfaces.wan.address: overlaps 192.0.2.130/25 of interface lan");
	refused("192.0.2.1/24", "10.0.0.1/8",
		"gw.yaml:8:54: interfaces.wan.address: overlaps 10.1.0.1/24 of interface lan");
}

static void test_interface_address_is_no_host(void)
{
	refused("10.1.0.1/24", "10.1.0.0/24",
		"gw.yaml:7:46: interfaces.lan.address: 10.1.0.0/24 is the network or broadcast address of its subnet");
	refused("10.1.0.1/24", "10.1.0.255/24",
		"gw.yaml:7:46: interfaces.lan.address: 10.1.0.255/24 is the network or broadcast address of its "
		"subnet");
	refused("10.1.0.1/24", "127.0.0.1/24",
		"gw.yaml:7:46: interfaces.lan.address: 127.0.0.1/24 is not the address of a host");
	refused("10.1.0.1/24", "224.0.0.1/24",
		"gw.yaml:7:46: interfaces.lan.address: 224.0.0.1/24 is not the address of a host");
	refused("10.1.0.1/24", "10.1.0.1/0",
		"gw.yaml:7:46: interfaces.lan.address: 10.1.0.1/0: the whole Internet is no subnet");
}

static void test_device_twice(void)
{
	refused("net_tap1,", "net_tap0,",
		"gw.yaml:8:25: interfaces.wan.device: \"net_tap0\" is the device of interface lan too; give one of "
		"them a vlan");
}

static void test_vlan_settings(void)
{
	refused("\"net_tap1,iface=w\"", "\"net_tap0\", vlan: 4095",
		"gw.yaml:8:43: interfaces.wan.vlan: 4095 is not from 1 to 4094");
	refused("\"net_tap1,iface=w\"", "\"net_tap0,iface=w\", vlan: 7",
		"gw.yaml:8:25: interfaces.wan.device: other arguments than those of interface lan, which shares it");
	refused("{name: lan, device: \"net_tap0\", address: 10.1.0.1/24}\n",
		"{name: lan, device: \"net_tap0\", address: 10.1.0.1/24, vlan: 7}\n  - {name: blue, device: "
		"\"net_tap0\", address: 10.9.0.1/24, vlan: 7}\n",
		"gw.yaml:8:26: interfaces.blue.device: \"net_tap0\" is the device of interface lan too, and their vlan "
		"is "
		"the same");
}

static void test_route_next_hop(void)
{
	refused("192.0.2.254", "203.0.113.1",
		"gw.yaml:10:30: routes[0].via: 203.0.113.1 is not in the subnet of an interface");
	refused("192.0.2.254", "192.0.2.1", "gw.yaml:10:30: routes[0].via: 192.0.2.1 is our own address");
	refused("192.0.2.254", "192.0.2.255",
		"gw.yaml:10:30: routes[0].via: 192.0.2.255 is the network or broadcast address of interface wan");
}

static void test_route_destination(void)
{
	refused("0.0.0.0/0", "10.7.0.1/16",
		"gw.yaml:10:14: routes[0].prefix: 10.7.0.1/16 has bits behind its length; did you mean 10.7.0.0/16?");
	refused("0.0.0.0/0", "10.1.0.0/24",
		"gw.yaml:10:14: routes[0].prefix: 10.1.0.0/24 is the subnet of interface lan");
	refused("neighbours:\n",
		"  - {prefix: 10.8.0.0/16, via: 192.0.2.3}\n  - {prefix: 0.0.0.0/0, via: 192.0.2.3}\nneighbours:\n",
		"gw.yaml:12:14: routes[2].prefix: a second route to 0.0.0.0/0");
}

static void test_neighbour_interface_unknown(void)
{
	refused("interface: wan", "interface: wam",
		"gw.yaml:12:17: neighbours[0].interface: no interface \"wam\"; did you mean \"wan\"?");
	refused("interface: wan", "interface: qqqqqq",
		"gw.yaml:12:17: neighbours[0].interface: no interface \"qqqqqq\"");
}

static void test_neighbour_address(void)
{
	refused("interface: wan", "interface: lan",
		"gw.yaml:12:31: neighbours[0].address: 192.0.2.9 is not a host of 10.1.0.1/24, the subnet of interface "
		"lan");
	refused("address: 192.0.2.9", "address: 192.0.2.1",
		"gw.yaml:12:31: neighbours[0].address: 192.0.2.1 is our own address");
	refused("policies:\n", "  - {interface: wan, address: 192.0.2.9, mac: \"02:00:00:00:00:0a\"}\npolicies:\n",
		"gw.yaml:13:31: neighbours[1].address: a second entry for 192.0.2.9");
}

static void test_policy_target(void)
{
	refused("target: to-b", "target: to-c",
		"gw.yaml:15:42: policies.lab.target: no tunnel or manual SA \"to-c\"; did you mean \"to-b\"?");
	refused("target: to-b", "target: pairs",
		"gw.yaml:15:42: policies.lab.target: no tunnel or manual SA \"pairs\"; did you mean \"paris\"?");
	refused(", target: to-b", "",
		"gw.yaml:15:5: policies.lab: action protect needs a target: a tunnel or manual SA");
	refused("action: bypass,", "action: bypass, target: paris,",
		"gw.yaml:14:41: policies.web.target: action bypass takes no target");
}

static void test_policy_selectors_needed(void)
{
	refused("local_selectors: [10.1.0.0/24], ", "",
		"gw.yaml:14:5: policies.web: action bypass needs local_selectors");
	refused("action: bypass, local_selectors: [10.1.0.0/24], remote_selectors: [10.9.0.0/24]",
		"action: discard, local_selectors: [10.1.0.0/24]",
		"gw.yaml:14:5: policies.web: action discard needs remote_selectors");
}

static void test_manual_sa_addresses(void)
{
	refused("    local: 192.0.2.1\n", "    local: 192.0.2.3\n",
		"gw.yaml:19:12: manual_sas.to-b.local: 192.0.2.3 is not the address of an interface");
	refused("remote: 192.0.2.2\n", "remote: 10.1.0.1\n",
		"gw.yaml:20:13: manual_sas.to-b.remote: 10.1.0.1 is our own address");
}

static void test_manual_sa_proposal_is_one_suite(void)
{
	refused("proposal: aes256gcm16", "proposal: aes256gcm16-aes128gcm16",
		"gw.yaml:18:15: manual_sas.to-b.proposal: \"aes256gcm16-aes128gcm16\": a manual SA takes one algorithm "
		"of each "
		"kind");
	refused("proposal: aes256gcm16", "proposal: aes256gcm16-ecp256",
		"gw.yaml:18:15: manual_sas.to-b.proposal: \"aes256gcm16-ecp256\": a manual SA has no key exchange");
	refused("proposal: aes256gcm16", "proposal: aes265gcm16",
		"gw.yaml:18:15: manual_sas.to-b.proposal: unknown \"aes265gcm16\"; did you mean \"aes256gcm16\"?");
}

static void test_manual_sa_has_to_be_confirmed(void)
{
	refused("lab_keys: true", "lab_keys: false",
		"gw.yaml:24:15: manual_sas.to-b.lab_keys: \"false\": manual keys repeat nonces after a restart (RFC "
		"8221 3): "
		"true accepts that, for a lab");
}

static void test_manual_sa_keys_unknown(void)
{
	refused("keys: key-b", "keys: kye-b",
		"gw.yaml:23:11: manual_sas.to-b.keys: no entry \"kye-b\" in manual_keys of the secrets file; did you "
		"mean "
		"\"key-b\"?");
}

static void test_manual_sa_key_length(void)
{
	refused("proposal: aes256gcm16", "proposal: aes128gcm16",
		"gw.yaml:23:11: manual_sas.to-b.keys: encr_in has 36 bytes, AES-GCM-128 takes 20 (16 key, 4 salt)");
	refused_secrets("    encr_in: 0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223\n",
		"    encr_in: \"\"\n",
		"gw.yaml:23:11: manual_sas.to-b.keys: encr_in is missing, AES-GCM-256 takes 36 bytes");
	refused_secrets("name: key-b", "name: key-b\n    integ_in: 0x01",
		"gw.yaml:23:11: manual_sas.to-b.keys: integ_in is given, but the proposal has no integrity algorithm");
}

/* Both directions count from 1: the same key would seal two packets under one nonce. */
static void test_manual_sa_one_key_both_ways(void)
{
	refused_secrets("0xf001", "0x0001",
		"gw.yaml:23:11: manual_sas.to-b.keys: encr_in and encr_out are the same: each nonce would be used "
		"twice (RFC "
		"8221 3)");
}

#define SECOND_SA(name, spi_in, remote, keys)                                                                          \
	"  - {name: " name ", proposal: aes256gcm16, local: 192.0.2.1, remote: " remote ", spi_in: " spi_in            \
	", spi_out: 0x1002, keys: " keys                                                                               \
	", lab_keys: true, local_selectors: [10.1.0.0/24], remote_selectors: [10.4.0.0/24]}\n"                         \
	"tunnels:\n"

static void test_manual_sa_spi_twice(void)
{
	char secrets[SPOILED_BYTES], yaml[SPOILED_BYTES];

	spoil(base_secrets, "manual_keys:\n",
		"manual_keys:\n  - name: key-c\n"
		"    encr_in: 0xc00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223\n"
		"    encr_out: 0xd00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223\n",
		secrets);
	refused_text(spoil(base_yaml, "tunnels:\n", SECOND_SA("to-c", "0x1001", "192.0.2.3", "key-c"), yaml), secrets,
		"gw.yaml:27:86: manual_sas.to-c.spi_in: 0x1001 is the SPI of to-b too");
	refused_text(spoil(base_yaml, "tunnels:\n", SECOND_SA("to-c", "0x1003", "192.0.2.2", "key-c"), yaml), secrets,
		"gw.yaml:27:103: manual_sas.to-c.spi_out: 0x1002 is the SPI of to-b too");
	config_free(loaded(
		spoil(base_yaml, "tunnels:\n", SECOND_SA("to-c", "0x1003", "192.0.2.3", "key-c"), yaml), secrets));
}

static void test_manual_sa_keys_have_one_user(void)
{
	refused("tunnels:\n", SECOND_SA("to-c", "0x1003", "192.0.2.3", "key-b"),
		"gw.yaml:27:117: manual_sas.to-c.keys: \"key-b\" has another user: a key is for one pair of SAs");
}

/* The names of the entries do not make the keys different. */
static void test_manual_sa_counter_key_of_another_sa(void)
{
	char secrets[SPOILED_BYTES], yaml[SPOILED_BYTES];

	spoil(base_secrets, "manual_keys:\n",
		"manual_keys:\n  - name: key-c\n"
		"    encr_in: 0xc00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223\n"
		"    encr_out: 0xf00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223\n",
		secrets);
	refused_text(spoil(base_yaml, "tunnels:\n", SECOND_SA("to-c", "0x1003", "192.0.2.3", "key-c"), yaml), secrets,
		"gw.yaml:27:117: manual_sas.to-c.keys: to-b has one of these keys too: each nonce would be used twice "
		"(RFC 8221 3)");
}

static void test_manual_sa_named_like_a_tunnel(void)
{
	refused("name: paris", "name: to-b",
		"gw.yaml:17:11: manual_sas.to-b.name: the name \"to-b\" is that of a tunnel too");
}

static void test_tunnel_addresses(void)
{
	refused("local: {address: 192.0.2.1,", "local: {address: 192.0.2.3,",
		"gw.yaml:30:22: tunnels.paris.local.address: 192.0.2.3 is not the address of an interface");
	refused("address: 192.0.2.7", "address: 10.1.0.1",
		"gw.yaml:31:23: tunnels.paris.remote.address: 10.1.0.1 is our own address");
}

static void test_mobike_addresses(void)
{
	refused("address: 192.0.2.7,", "address: 192.0.2.7, more_addresses: [10.1.0.1],",
		"gw.yaml:31:50: tunnels.paris.remote.more_addresses: 10.1.0.1 is our own address");
	refused("address: 192.0.2.7,", "address: 192.0.2.7, move_to: [\"10.0.0.0/8[tcp/80]\"],",
		"gw.yaml:31:43: tunnels.paris.remote.move_to: the peer moves to addresses, not to protocols or ports");
	refused("local: {address: 192.0.2.1,", "local: {address: 192.0.2.3, more_addresses: [192.0.2.4],",
		"gw.yaml:30:22: tunnels.paris.local.address: 192.0.2.3 is not the address of an interface");
	refused("local: {address: 192.0.2.1,", "local: {address: 192.0.2.1, more_addresses: [224.0.0.1],",
		"gw.yaml:30:50: tunnels.paris.local.more_addresses: \"224.0.0.1\" is not an address such as 192.0.2.1 "
		"or 2001:db8::1");
	refused("      lifetime: 4h\n", "      lifetime: 4h\n      mobike: maybe\n",
		"gw.yaml:35:15: tunnels.paris.phase1.mobike: unknown \"maybe\"; known: true, false, yes, no, on, off");
}

static void test_mobike_settings_need_mobike(void)
{
	char text[SPOILED_BYTES], more[SPOILED_BYTES];

	spoil(base_yaml, "      lifetime: 4h\n", "      lifetime: 4h\n      mobike: no\n", text);
	refused_text(spoil(text, "local: {address: 192.0.2.1,",
			     "local: {address: 192.0.2.1, more_addresses: [192.0.2.4],", more),
		base_secrets, "gw.yaml:30:49: tunnels.paris.local.more_addresses: needs phase1.mobike");
	refused_text(spoil(text, "address: 192.0.2.7,", "address: 192.0.2.7, move_to: [10.0.0.0/8],", more),
		base_secrets, "gw.yaml:31:43: tunnels.paris.remote.move_to: needs phase1.mobike");
}

/* The one a tunnel begins with may be gone as long as it has another one. */
static void test_tunnel_has_one_of_its_addresses(void)
{
	char text[SPOILED_BYTES];
	struct config *c = loaded(spoil(base_yaml, "local: {address: 192.0.2.1,",
					  "local: {address: 192.0.2.3, more_addresses: [192.0.2.1],", text),
		base_secrets);

	CU_ASSERT_TRUE(c->tunnels[0].mobike && c->tunnels[0].mobike_check && !c->tunnels[0].nat_refused);
	CU_ASSERT_EQUAL(c->tunnels[0].local_more.count, 1);
	config_free(c);
}

static void test_own_addresses(void)
{
	refused("routes:\n", "addresses: [{address: 192.0.2.1}]\nroutes:\n",
		"gw.yaml:9:23: addresses[0].address: 192.0.2.1 is the address of an interface already");
	refused("routes:\n", "addresses: [{address: 127.0.0.1}]\nroutes:\n",
		"gw.yaml:9:23: addresses[0].address: 127.0.0.1 is not the address of a host");
	refused("routes:\n", "addresses: [{address: 192.0.2.3}, {address: 192.0.2.3}]\nroutes:\n",
		"gw.yaml:9:45: addresses[1].address: 192.0.2.3 stands here twice");
}

static void test_tunnel_identities_equal(void)
{
	refused("id: gw-b", "id: gw-a", "gw.yaml:31:38: tunnels.paris.remote.id: gw-a.example.net is our own identity");
}

static void test_tunnel_to_any_can_only_respond(void)
{
	refused("address: 192.0.2.7", "address: any",
		"gw.yaml:43:16: tunnels.paris.phase2.net.start: with remote.address any we do not know whom to ask; "
		"use respond");
}

static void test_tunnel_to_any_cannot_be_begun_again(void)
{
	char any[SPOILED_BYTES], text[SPOILED_BYTES];

	spoil(base_yaml, "address: 192.0.2.7", "address: any", text);
	spoil(text, "start: initiate", "start: respond", any);
	refused_text(spoil(any, "timeout: 4s}", "timeout: 4s, action: restart}", text), base_secrets,
		"gw.yaml:35:48: tunnels.paris.phase1.dpd.action: with remote.address any nobody knows whom to begin "
		"with again; use clear");
}

static void test_tunnel_with_two_children_of_one_name(void)
{
	refused("        start: initiate\n",
		"        start: initiate\n      - {name: net, local_selectors: [1.1.1.1], remote_selectors: "
		"[2.2.2.2]}\n",
		"gw.yaml:44:16: tunnels.paris.phase2: the name \"net\" stands twice, first in line 37");
}

static void test_tunnel_without_a_secret(void)
{
	refused("id: gw-b", "id: gw-c",
		"gw.yaml:28:5: tunnels.paris: no pre-shared key for local gw-a.example.net, remote gw-c.example.net in "
		"a secrets "
		"file (secrets_file is not set)");
	refused_secrets("local: gw-a", "local: gw-z",
		"gw.yaml:28:5: tunnels.paris: no pre-shared key for local gw-a.example.net, remote gw-b.example.net in "
		"a secrets "
		"file (secrets_file is not set)");
}

/* Each place of an algorithm, and each kind; the warning with allow_weak is in test_warnings. */
static void test_weak_algorithms_need_a_yes(void)
{
	refused("[aes256gcm16-prfsha384-ecp384", "[aes256gcm16-prfsha384-modp1024",
		"gw.yaml:33:18: tunnels.paris.phase1.proposals: MODP-1024 is within reach of precomputation (RFC 8247 "
		"2.4); `allow_weak: true` takes it all the same");
	refused("[aes256gcm16-prfsha384-ecp384", "[3des-sha256-ecp384",
		"gw.yaml:33:18: tunnels.paris.phase1.proposals: 3DES-CBC should not be used any more (RFC 8221 5); "
		"`allow_weak: true` takes it all the same");
	refused("[aes256gcm16, aes128gcm16-ecp256]", "[aes256-sha1]",
		"gw.yaml:39:20: tunnels.paris.phase2.net.proposals: HMAC-SHA1-96 rests on SHA-1, which is on its way "
		"out (RFC 8221 6); `allow_weak: true` takes it all the same");
	refused("[aes256gcm16, aes128gcm16-ecp256]", "[aes256gcm16-modp1536]",
		"gw.yaml:39:20: tunnels.paris.phase2.net.proposals: MODP-1536 has less than 112 bits of strength (RFC "
		"8247 2.4); `allow_weak: true` takes it all the same");
	refused("    proposal: aes256gcm16\n", "    proposal: aes256gcm8\n",
		"gw.yaml:18:15: manual_sas.to-b.proposal: AES-GCM-256-8 has an ICV of 8 bytes, which is not "
		"recommended (RFC 8221 5); `allow_weak: true` takes it all the same");
	refused("    lab_keys: true\n", "    lab_keys: true\n    allow_weak: perhaps\n",
		"gw.yaml:25:17: manual_sas.to-b.allow_weak: unknown \"perhaps\"; known: true, false, yes, no, on, off");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_interfaces_overlap),
		TEST(test_interface_address_is_no_host),
		TEST(test_device_twice),
		TEST(test_route_next_hop),
		TEST(test_vlan_settings),
		TEST(test_route_destination),
		TEST(test_neighbour_interface_unknown),
		TEST(test_neighbour_address),
		TEST(test_policy_target),
		TEST(test_policy_selectors_needed),
		TEST(test_manual_sa_addresses),
		TEST(test_manual_sa_proposal_is_one_suite),
		TEST(test_manual_sa_has_to_be_confirmed),
		TEST(test_manual_sa_keys_unknown),
		TEST(test_manual_sa_key_length),
		TEST(test_manual_sa_one_key_both_ways),
		TEST(test_manual_sa_spi_twice),
		TEST(test_manual_sa_keys_have_one_user),
		TEST(test_manual_sa_counter_key_of_another_sa),
		TEST(test_manual_sa_named_like_a_tunnel),
		TEST(test_tunnel_addresses),
		TEST(test_mobike_addresses),
		TEST(test_mobike_settings_need_mobike),
		TEST(test_tunnel_has_one_of_its_addresses),
		TEST(test_own_addresses),
		TEST(test_tunnel_identities_equal),
		TEST(test_tunnel_to_any_can_only_respond),
		TEST(test_tunnel_to_any_cannot_be_begun_again),
		TEST(test_tunnel_with_two_children_of_one_name),
		TEST(test_tunnel_without_a_secret),
		TEST(test_weak_algorithms_need_a_yes),
	};

	return test_main("conf_checks", tests, ARRAY_LEN(tests), argc, argv);
}
