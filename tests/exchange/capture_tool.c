/* SPDX-License-Identifier: BSD-3-Clause */
/* A negotiation between two engines as a capture, with the keys that Wireshark wants: for tests/packet/wireshark.py.
 * usage: capture_tool FOLDER plain|nat IKE_SUITE ESP_SUITE   writes FOLDER/capture.pcap, FOLDER/ikev2_decryption_table,
 * FOLDER/esp_sa. The keys are those of this run alone. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_wire.h"
#include "v2/v2.h"

#define LINKTYPE_RAW 101
#define INNER_BYTES  80
#define SAS_MAX      16

struct tool {
	struct wire w;
	struct address_pool pool;
	FILE *pcap, *ike_keys, *esp_keys;
	uint64_t known[SAS_MAX]; /* IKE SAs whose keys are written */
	int known_count;
	uint32_t sequence[2][PAIRS_MAX]; /* of A and B, by the low bits of the SPI */
};

/* ---- names that Wireshark's tables have for our algorithms ---- */

static const struct name {
	const char *keyword, *ike, *esp;
} names[] = {
	{ "aes128gcm16", "AES-GCM-128 with 16 octet ICV [RFC5282]", "AES-GCM with 16 octet ICV [RFC4106]" },
	{ "aes256gcm16", "AES-GCM-256 with 16 octet ICV [RFC5282]", "AES-GCM with 16 octet ICV [RFC4106]" },
	{ "aes128", "AES-CBC-128 [RFC3602]", "AES-CBC [RFC3602]" },
	{ "aes256", "AES-CBC-256 [RFC3602]", "AES-CBC [RFC3602]" },
	{ "sha1", "HMAC_SHA1_96 [RFC2404]", "HMAC-SHA-1-96 [RFC2404]" },
	{ "sha256", "HMAC_SHA2_256_128 [RFC4868]", "HMAC-SHA-256-128 [RFC4868]" },
};
static const struct name none = { "", "NONE [RFC4306]", "NULL" };

static const struct name *name_of(const struct alg *alg)
{
	for (size_t i = 0; alg && i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i].keyword, alg->keyword))
			return &names[i];
	return &none;
}

/* ---- the capture ---- */

static void write_packet(struct tool *t, const uint8_t *data, size_t len)
{
	uint64_t us = t->w.now_ns / 1000;
	uint32_t head[] = { (uint32_t)(us / 1000000), (uint32_t)(us % 1000000), (uint32_t)len, (uint32_t)len };

	fwrite(head, sizeof(head), 1, t->pcap);
	fwrite(data, len, 1, t->pcap);
}

static void put_ip(struct writer *w, const struct addr *from, const struct addr *to, uint8_t protocol, size_t len)
{
	size_t at = w->len;
	uint32_t sum = 0;

	writer_u16(w, 0x4500);
	writer_u16(w, (uint16_t)(20 + len));
	writer_u32(w, 0);
	writer_u8(w, 64);
	writer_u8(w, protocol);
	writer_u16(w, 0);
	writer_bytes(w, BYTES(from->bytes, 4));
	writer_bytes(w, BYTES(to->bytes, 4));
	for (size_t i = at; i < at + 20; i += 2)
		sum += load_be16(w->data + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	store_be16(w->data + at + 10, (uint16_t)~sum);
}

/* Without a checksum, as IPv4 allows. */
static void put_udp(struct writer *w, uint16_t from, uint16_t to, size_t len)
{
	writer_u16(w, from);
	writer_u16(w, to);
	writer_u16(w, (uint16_t)(8 + len));
	writer_u16(w, 0);
}

static bool record(struct wire *wire, struct packet *p, void *argument)
{
	struct tool *t = argument;
	uint8_t data[4096];
	struct writer w = writer_init(data, sizeof(data));
	bool marked = p->local.port == NATT_PORT || p->remote.port == NATT_PORT;
	size_t len = p->len + (marked ? 4 : 0);

	(void)wire;
	put_ip(&w, &p->remote.addr, &p->local.addr, 17, 8 + len);
	put_udp(&w, p->remote.port, p->local.port, len);
	if (marked)
		writer_u32(&w, 0);
	writer_bytes(&w, BYTES(p->data, p->len));
	assert(!w.failed);
	write_packet(t, data, w.len);
	return true;
}

/* ---- ESP: a small packet on the pair, sealed by the cryptography of IKE ---- */

static size_t put_inner(uint8_t *data, size_t capacity, const struct pair *p, size_t block)
{
	struct writer w = writer_init(data, capacity);
	size_t pad = block - (INNER_BYTES + 2) % block;

	put_ip(&w, &p->out.local.items[0].low, &p->out.remote.items[0].low, 17, INNER_BYTES - 20);
	put_udp(&w, 7777, 9, INNER_BYTES - 28);
	for (size_t i = 0; i < INNER_BYTES - 28; i++)
		writer_u8(&w, "sallyport "[i % 10]);
	for (size_t i = 1; i <= pad; i++)
		writer_u8(&w, (uint8_t)i);
	writer_u8(&w, (uint8_t)pad);
	writer_u8(&w, 4);
	assert(!w.failed);
	return w.len;
}

static void send_esp(struct tool *t, struct node *n, const struct pair *p)
{
	const struct path_spec *path = &p->out.path;
	struct aead_params a = { p->out.encr, p->out.integ, secret_view(&p->out.encr_key),
		secret_view(&p->out.integ_key) };
	uint8_t data[512], inner[256], head[8], iv[16] = { 1, 2, 3, 4, 5, 6, 7, 8 }, icv[64];
	struct writer w = writer_init(data, sizeof(data));
	bool udp = path->encap == SA_ENCAP_UDP;
	size_t iv_len = p->out.encr->iv_bytes, icv_len = aead_icv_bytes(&a),
	       len = put_inner(inner, sizeof(inner), p, p->out.encr->block_bytes > 4 ? p->out.encr->block_bytes : 4);

	store_be32(head, p->out.spi);
	store_be32(head + 4, ++t->sequence[n == &t->w.b][p->out.spi % PAIRS_MAX]);
	int err = aead_seal(n->engine->crypto, &a, BYTES(iv, iv_len), BYTES_OF(head), inner, len, icv);
	assert(!err);
	(void)err;
	size_t esp = sizeof(head) + iv_len + len + icv_len;
	const struct addr *to = &path->remote.addr;
	put_ip(&w, &n->outside, to, udp ? 17 : 50, esp + (udp ? 8 : 0));
	if (udp)
		put_udp(&w, (uint16_t)(path->local.port + n->port_offset), path->remote.port, esp);
	writer_bytes(&w, BYTES_OF(head));
	writer_bytes(&w, BYTES(iv, iv_len));
	writer_bytes(&w, BYTES(inner, len));
	writer_bytes(&w, BYTES(icv, icv_len));
	assert(!w.failed);
	write_packet(t, data, w.len);
}

/* ---- keys ---- */

static const char *hex(struct bytes b)
{
	static char text[4][256];
	static int turn;

	turn = (turn + 1) % 4;
	return hex_encode(b, text[turn]);
}

static void write_ike_keys(struct tool *t, const struct ike_sa *sa)
{
	fprintf(t->ike_keys, "%016llx,%016llx,%s,%s,\"%s\",%s,%s,\"%s\"\n", (unsigned long long)sa->spi_i,
		(unsigned long long)sa->spi_r, hex(keymat_part(sa, KEY_EI)), hex(keymat_part(sa, KEY_ER)),
		name_of(sa->suite.encr)->ike, hex(keymat_part(sa, KEY_AI)), hex(keymat_part(sa, KEY_AR)),
		name_of(sa->suite.integ)->ike);
}

static void collect_ike_keys(struct tool *t)
{
	for (const struct ike_sa *sa = t->w.a.engine->sas; sa; sa = sa->next) {
		bool known = !sa->keys.len;
		for (int i = 0; i < t->known_count; i++)
			known = known || t->known[i] == sa->spi_i;
		if (known || t->known_count == SAS_MAX)
			continue;
		t->known[t->known_count++] = sa->spi_i;
		write_ike_keys(t, sa);
	}
}

static void write_esp_keys(struct tool *t, const struct sa_spec *s)
{
	fprintf(t->esp_keys, "\"IPv4\",\"*\",\"*\",\"0x%08x\",\"%s\",\"0x%s\",\"%s\",\"%s%s\"\n", s->spi,
		name_of(s->encr)->esp, hex(secret_view(&s->encr_key)), name_of(s->integ)->esp, s->integ ? "0x" : "",
		hex(secret_view(&s->integ_key)));
}

/* ---- the story ---- */

/* What goes on for so long, then a packet each way on every pair. */
static void go_on(struct tool *t, uint64_t duration_ns)
{
	uint64_t end = t->w.now_ns + duration_ns;
	struct node *nodes[] = { &t->w.a, &t->w.b };

	while (wire_step(&t->w, end))
		collect_ike_keys(t);
	t->w.now_ns = end;
	for (int i = 0; i < 2; i++)
		for (uint32_t c = 0; c < 2; c++) {
			const struct pair *p = node_pair_of(nodes[i], 0, c);
			if (!p)
				continue;
			write_esp_keys(t, &p->out);
			send_esp(t, nodes[i], p);
		}
}

/* Of the third child, whose peer carries one pair of selectors and says that it would carry more (RFC 7296 2.9): the
 * rest is asked for behind it. */
static void need_third(struct tool *t)
{
	struct ike_command c = { .kind = IKE_ACQUIRE, .child = 2 };
	struct ike_actions out = { 0 };

	selector_parse("10.1.2.7", &c.packet_local);
	selector_parse("10.2.3.7", &c.packet_remote);
	ike_command(t->w.a.engine, &c, t->w.now_ns, &out);
	node_carry_out(&t->w.a, &out);
	ike_actions_done(&out);
}

static void tell_story(struct tool *t)
{
	go_on(t, 2 * S);
	node_index_command(&t->w.a, IKE_INITIATE, 0, 1);
	go_on(t, 8 * S);
	node_index_command(&t->w.a, IKE_REKEY, 0, 0);
	go_on(t, 8 * S);
	node_index_command(&t->w.b, IKE_REKEY, 0, 1);
	go_on(t, 8 * S);
	struct ike_actions out = { 0 };
	t->w.a.engine->now_ns = t->w.now_ns;
	t->w.a.engine->out = &out;
	rekey_ike_on_timer(t->w.a.engine, node_sa(&t->w.a));
	t->w.a.engine->out = NULL;
	node_carry_out(&t->w.a, &out);
	go_on(t, 3 * S);
	need_third(t);
	go_on(t, 3 * S);
	node_index_command(&t->w.b, IKE_TERMINATE, 0, 1);
	go_on(t, 3 * S);
	node_command(&t->w.a, IKE_TERMINATE, 0);
	go_on(t, 3 * S);
}

static void set_up(struct tool *t, bool nat, const char *ike, const char *esp)
{
	struct node *nodes[] = { &t->w.a, &t->w.b };

	wire_init(&t->w, 1);
	t->pool = (struct address_pool){ .name = "staff" };
	selectors_set(&t->pool.addresses, "10.8.0.5-10.8.0.9");
	for (int i = 0; i < 2; i++) {
		struct tunnel_profile *p = &nodes[i]->profiles[0];
		proposals_set(&p->proposals, PROTOCOL_IKE, ike);
		proposals_set(&p->children[0].proposals, PROTOCOL_ESP, esp);
		p->dpd_interval_ns = 0;
		p->children[p->child_count++] = p->children[0];
		p->children[1].start = START_RESPOND;
		selectors_set(&p->children[1].local, i ? "10.2.1.0/24" : "10.1.1.0/24");
		selectors_set(&p->children[1].remote, i ? "10.1.1.0/24" : "10.2.1.0/24");
		p->children[p->child_count++] = p->children[1];
		p->children[2].start = i ? START_RESPOND : START_TRAP;
		selectors_set(&p->children[2].local, i ? "10.2.2.0/24,10.2.3.0/24" : "10.1.2.0/24");
		selectors_set(&p->children[2].remote, i ? "10.1.2.0/24" : "10.2.2.0/24,10.2.3.0/24");
	}
	t->w.b.profiles[0].one_selector = true;
	t->w.a.profiles[0].virtual_ip = VIRTUAL_IPV4;
	t->w.b.profiles[0].pool = &t->pool;
	selectors_set(&t->w.a.profiles[0].children[0].local, "0.0.0.0/0");
	selectors_set(&t->w.b.profiles[0].children[0].remote, "10.8.0.5-10.8.0.9");
	t->w.a.profiles[0].children[0].local.dynamic = t->w.b.profiles[0].children[0].remote.dynamic = true;
	if (nat) {
		addr_parse("10.0.0.1", &t->w.a.inside);
		addr_parse("198.51.100.1", &t->w.a.outside);
		t->w.a.profiles[0].local_addr = t->w.a.inside;
		t->w.b.profiles[0].remote_addr = t->w.a.outside;
	}
	t->w.filter = record;
	t->w.filter_argument = t;
}

static FILE *open_in(const char *folder, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	if (!f)
		perror(path);
	return f;
}

int main(int argc, char **argv)
{
	static struct tool t;
	static const uint32_t head[] = { 0xa1b2c3d4, 4u << 16 | 2, 0, 0, 65535, LINKTYPE_RAW };

	if (argc != 5) {
		fprintf(stderr, "usage: capture_tool FOLDER plain|nat IKE_SUITE ESP_SUITE\n");
		return 2;
	}
	t.pcap = open_in(argv[1], "capture.pcap");
	t.ike_keys = open_in(argv[1], "ikev2_decryption_table");
	t.esp_keys = open_in(argv[1], "esp_sa");
	if (!t.pcap || !t.ike_keys || !t.esp_keys)
		return 1;
	fwrite(head, sizeof(head), 1, t.pcap);
	set_up(&t, !strcmp(argv[2], "nat"), argv[3], argv[4]);
	wire_start(&t.w);
	tell_story(&t);
	bool good = wire_done(&t.w);
	fclose(t.pcap);
	fclose(t.ike_keys);
	fclose(t.esp_keys);
	return !good;
}
