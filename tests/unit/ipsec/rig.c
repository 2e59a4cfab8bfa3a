/* SPDX-License-Identifier: BSD-3-Clause */
/* The rig of the ipsec tests; see rig.h. Checks nothing itself but that memory comes back. */
#include "rig.h"

#include <pthread.h>
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine.h"

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "rig: %s\n", what);
	abort();
}

/* EAL makes it even when it keeps nothing there. */
static void folder_remove(void)
{
	rmdir(rte_eal_get_runtime_dir());
}

void rig_eal(void)
{
	static char prefix[32];
	char *args[] = { (char *)"rig", (char *)"--no-huge", (char *)"--no-pci", (char *)"-m", (char *)"256",
		(char *)"--lcores", (char *)"0@0", (char *)"--no-telemetry", (char *)"--no-shconf",
		(char *)"--log-level=error", (char *)"--file-prefix", prefix, NULL };

	snprintf(prefix, sizeof(prefix), "ipsec_rig%d", (int)getpid());
	must(rte_eal_init((int)ARRAY_LEN(args) - 1, args) >= 0, "EAL");
	atexit(folder_remove);
}

void rig_cpu_leave(void)
{
	cpu_set_t others;

	CPU_ZERO(&others);
	for (int cpu = 1; cpu < CPU_SETSIZE; cpu++)
		CPU_SET(cpu, &others);
	pthread_setaffinity_np(pthread_self(), sizeof(others), &others);
}

struct rte_mempool *rig_pool(void)
{
	static struct rte_mempool *pool;

	if (!pool)
		pool = rte_pktmbuf_pool_create("rig", RIG_POOL, 0, 0, RIG_HEADROOM + RIG_ROOM, SOCKET_ID_ANY);
	must(pool != NULL, "pool");
	return pool;
}

struct ipsec *rig_ipsec(uint16_t workers, uint32_t sad_slots, uint32_t tunnel_slots)
{
	struct ipsec_config c = { .workers = workers, .sad_slots = sad_slots, .tunnel_slots = tunnel_slots };
	const char *reason;
	struct ipsec *ips = ipsec_create(&c, &reason);

	must(ips != NULL, "ipsec_create");
	return ips;
}

static void selector_one(const char *text, struct selector_list *ret_list)
{
	ret_list->count = 1;
	must(selector_parse(text, &ret_list->items[0]) == 0, "selector");
}

static const char *end_of(const struct rig_options *o, bool left)
{
	if (o->outer6)
		return left ? RIG_LEFT6 : RIG_RIGHT6;
	return left ? RIG_LEFT4 : RIG_RIGHT4;
}

/* Selector of one side, seen from the left gateway. */
static const char *side_of(const struct rig_options *o, bool left)
{
	const char *given = left ? o->local : o->remote;

	if (given)
		return given;
	if (o->transport)
		return end_of(o, left);
	if (o->inner6)
		return left ? RIG_LOCAL6 : RIG_REMOTE6;
	return left ? RIG_LOCAL : RIG_REMOTE;
}

static void ends_fill(const struct rig_options *o, enum sa_direction direction, struct sa_spec *s)
{
	bool out = direction == SA_OUT;

	addr_parse(end_of(o, out), &s->path.local.addr);
	addr_parse(end_of(o, !out), &s->path.remote.addr);
	s->path.local.port = s->path.remote.port = PORT_NATT;
	s->path.encap = o->udp ? SA_ENCAP_UDP : SA_ENCAP_NONE;
	s->path.header = o->header;
	selector_one(side_of(o, out), &s->local);
	selector_one(side_of(o, !out), &s->remote);
}

static void key_fill(const struct alg *a, uint8_t seed, struct secret *ret_key)
{
	uint8_t key[96];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7 + seed);
	if (a)
		must(secret_copy(ret_key, BYTES(key, (size_t)a->key_bytes + a->salt_bytes)) == 0, "key");
}

void rig_spec(const struct rig_options *o, enum sa_direction direction, struct sa_spec *ret_spec)
{
	bool gcm = !o->encr && !o->integ;

	*ret_spec = (struct sa_spec){
		.name = "rig",
		.direction = direction,
		.mode = o->transport ? SA_MODE_TRANSPORT : SA_MODE_TUNNEL,
		.protocol = o->encr || gcm ? PROTOCOL_ESP : PROTOCOL_AH,
		.natt = o->natt,
		.spi = o->spi ? o->spi : RIG_SPI,
		.encr = gcm ? alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, o->key_bits ? o->key_bits : 128) : o->encr,
		.integ = o->integ,
		.esn = o->esn,
		.tfc_bytes = direction == SA_OUT ? o->tfc_bytes : 0,
		.replay_window = o->replay_window < 0 ? 0
				 : o->replay_window   ? (uint32_t)o->replay_window
						      : 64,
		.initial_sequence = o->sequence,
		.lifetime = direction == SA_OUT ? o->lifetime_out : o->lifetime_in,
	};
	key_fill(ret_spec->encr, 3, &ret_spec->encr_key);
	key_fill(ret_spec->integ, 5, &ret_spec->integ_key);
	ends_fill(o, direction, ret_spec);
}

struct path *rig_path(const struct sa_spec *spec)
{
	struct path *p = path_create(&spec->path, 1500, 1, 2);

	must(p != NULL, "path");
	return p;
}

struct sa *rig_sa(struct ipsec *ips, const struct rig_options *o, enum sa_direction direction)
{
	struct sa_spec spec;
	const char *reason = NULL;
	struct sa *sa;

	rig_spec(o, direction, &spec);
	sa = sa_create(ips, &spec, direction == SA_OUT ? rig_path(&spec) : NULL, &reason);
	if (!sa)
		fprintf(stderr, "rig: %s\n", reason);
	must(sa != NULL, "sa_create");
	sa_spec_done(&spec);
	return sa;
}

void rig_pair_open(struct rig_pair *p, const struct rig_options *o)
{
	*p = (struct rig_pair){ .out_ips = rig_ipsec(1, 256, 4), .in_ips = rig_ipsec(1, 256, 4) };
	if (o->reference)
		must(ipsec_engine_set(p->in_ips, crypto_ref()) == 0, "reference engine");
	p->out_worker = ipsec_worker_create(p->out_ips, 0);
	p->in_worker = ipsec_worker_create(p->in_ips, 0);
	must(p->out_worker && p->in_worker, "workers");
	p->out = rig_sa(p->out_ips, o, SA_OUT);
	must(sa_claim(p->out, 0) == 0 && tunnel_publish(p->out_ips, 0, p->out) == 0, "publish");
	p->in = rig_sa(p->in_ips, o, SA_IN);
	must(sad_insert(p->in_ips, p->in) == 0, "insert");
}

void rig_pair_close(struct rig_pair *p)
{
	ipsec_worker_free(p->out_worker);
	ipsec_worker_free(p->in_worker);
	ipsec_free(p->out_ips);
	ipsec_free(p->in_ips);
	must(rte_mempool_avail_count(rig_pool()) == RIG_POOL, "an mbuf did not come back");
}

struct rte_mbuf *rig_mbuf(const void *data, uint16_t bytes)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig_pool());
	char *at;

	must(m != NULL, "no mbuf");
	at = rte_pktmbuf_append(m, bytes);
	must(at != NULL, "packet too large");
	memcpy(at, data, bytes);
	return m;
}

struct rte_mbuf *rig_copy(const struct rte_mbuf *m)
{
	return rig_mbuf(rte_pktmbuf_mtod(m, const void *), m->data_len);
}

void rig_checksum(struct rte_ipv4_hdr *ip)
{
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

struct rte_mbuf *rig_packet(uint16_t inner_bytes, uint8_t seed)
{
	uint8_t data[RIG_ROOM];
	struct rte_ipv4_hdr ip = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(inner_bytes),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = rte_cpu_to_be_32(RIG_SOURCE),
		.dst_addr = rte_cpu_to_be_32(RIG_DEST),
	};

	for (size_t i = 0; i < inner_bytes; i++)
		data[i] = (uint8_t)(i + seed);
	rig_checksum(&ip);
	memcpy(data, &ip, sizeof(ip));
	if (inner_bytes >= 24) {
		store_be16(data + 20, 1000);
		store_be16(data + 22, 2000);
	}
	return rig_mbuf(data, inner_bytes);
}

static struct rte_mbuf *packet6(const char *source, const char *destination, uint16_t bytes, uint8_t seed)
{
	uint8_t data[RIG_ROOM];
	struct rte_ipv6_hdr ip = { .vtc_flow = RTE_BE32(6u << 28), .proto = IPPROTO_UDP, .hop_limits = 64 };
	struct addr a, b;

	must(addr_parse(source, &a) == 0 && addr_parse(destination, &b) == 0, "address");
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(i + seed);
	ip.payload_len = rte_cpu_to_be_16((uint16_t)(bytes - sizeof(ip)));
	memcpy(&ip.src_addr, a.bytes, sizeof(ip.src_addr));
	memcpy(&ip.dst_addr, b.bytes, sizeof(ip.dst_addr));
	memcpy(data, &ip, sizeof(ip));
	return rig_mbuf(data, bytes);
}

struct rte_mbuf *rig_packet_for(const struct rig_options *o, uint16_t bytes, uint8_t seed)
{
	struct rte_mbuf *m;
	struct addr a;

	if (o->transport && o->outer6)
		return packet6(RIG_LEFT6, RIG_RIGHT6, bytes, seed);
	if (o->inner6)
		return packet6(RIG_SOURCE6, RIG_DEST6, bytes, seed);
	m = rig_packet(bytes, seed);
	if (o->transport) {
		struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
		must(addr_parse(RIG_LEFT4, &a) == 0, "address");
		memcpy(&ip->src_addr, a.bytes, sizeof(ip->src_addr));
		must(addr_parse(RIG_RIGHT4, &a) == 0, "address");
		memcpy(&ip->dst_addr, a.bytes, sizeof(ip->dst_addr));
		rig_checksum(ip);
	}
	return m;
}

enum drop_reason rig_out(struct rig_pair *p, struct rte_mbuf *m)
{
	struct burst_item item = { .m = m, .sa = p->out };

	return burst_out(p->out_worker, &item, 1) ? DROP_NONE : (enum drop_reason)item.drop;
}

enum drop_reason rig_in(struct rig_pair *p, struct rte_mbuf *m)
{
	struct burst_item item = { .m = m, .sa = p->in };

	return burst_in(p->in_worker, &item, 1) ? DROP_NONE : (enum drop_reason)item.drop;
}

enum drop_reason rig_through(struct rig_pair *p, struct rte_mbuf *m)
{
	enum drop_reason reason = rig_out(p, m);

	return reason ? reason : rig_in(p, m);
}

struct rig_options rig_suite(const char *encr, const char *integ)
{
	struct rig_options o = { 0 };

	if (encr)
		o.encr = alg_lookup_keyword(TRANSFORM_ENCR, encr, strlen(encr));
	if (integ)
		o.integ = alg_lookup_keyword(TRANSFORM_INTEG, integ, strlen(integ));
	must((o.encr != NULL) == (encr != NULL) && (o.integ != NULL) == (integ != NULL), "no such algorithm");
	return o;
}

static void ip_length_put(uint8_t *ip, uint32_t total)
{
	if (ip[0] >> 4 == 6)
		store_be16(ip + 4, (uint16_t)(total - 40));
	else
		store_be16(ip + 2, (uint16_t)total);
}

void rig_length_fit(struct rte_mbuf *m)
{
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *);
	bool ipv6 = ip[0] >> 4 == 6;
	uint16_t header = ipv6 ? 40 : (uint16_t)((ip[0] & 15) * 4);

	ip_length_put(ip, m->data_len);
	if (ip[ipv6 ? 6 : 9] == IPPROTO_UDP && m->data_len >= header + 8)
		store_be16(ip + header + 4, (uint16_t)(m->data_len - header));
}

/* The SA's operation over what stands at `esp`; ESN's high half goes behind the payload as it would. */
static void seal(struct rig_pair *p, uint64_t sequence, uint8_t *esp, uint16_t bytes)
{
	const struct sa *sa = p->out;
	uint8_t *text = esp + 8 + sa->iv_bytes;
	struct crypto_op op = { .key = sa->key, .text = text, .icv = text + bytes, .len = bytes };

	op.icv_bytes = sa->icv_bytes;
	op.aad_bytes = sa->aad_bytes;
	op.before = sa->before;
	op.tail = sa->traits & SA_TAIL ? 4 : 0;
	store_be32(text + bytes, (uint32_t)(sequence >> 32));
	memcpy(op.nonce, &sa->salt, sa->salt_bytes);
	if (sa->iv == SA_IV_IMPLICIT)
		store_be64(op.nonce + sa->salt_bytes, sequence);
	else
		memcpy(op.nonce + sa->salt_bytes, esp + 8, sa->iv_bytes);
	store_be32(op.aad, sa_spi(sa));
	store_be64(op.aad + 4, sa->traits & SA_ESN ? sequence : sequence << 32);
	must(sa->suite->seal(p->out_worker, &op, 1) == 0, "seal");
}

struct rte_mbuf *rig_seal(struct rig_pair *p, uint64_t sequence, const void *payload, uint16_t bytes)
{
	const struct path *path = sa_path(p->out);
	uint16_t head = (uint16_t)(path->template_len + 8 + p->out->iv_bytes);
	uint16_t total = (uint16_t)(head + bytes + p->out->icv_bytes);
	uint8_t data[RIG_ROOM] = { 0 };
	struct rte_mbuf *m;

	memcpy(data, path->template_bytes, path->template_len);
	uint8_t *esp = data + path->template_len;
	store_be32(esp, sa_spi(p->out));
	store_be32(esp + 4, (uint32_t)sequence);
	if (p->out->iv_bytes)
		store_be64(data + head - 8, ~sequence);
	memcpy(data + head, payload, bytes);
	m = rig_mbuf(data, total);
	rig_length_fit(m);
	seal(p, sequence, rte_pktmbuf_mtod_offset(m, uint8_t *, path->template_len), bytes);
	return m;
}

/* What RFC 4302 3.3.3.1 says of headers without options. */
static void mutable_zero(uint8_t *ip)
{
	static const uint8_t ipv4[] = { 1, 6, 7, 8, 10, 11 }, ipv6[] = { 1, 2, 3, 7 };

	if (ip[0] >> 4 == 4)
		for (size_t i = 0; i < sizeof(ipv4); i++)
			ip[ipv4[i]] = 0;
	else
		for (size_t i = 0; i < sizeof(ipv6); i++)
			ip[ipv6[i]] = 0;
	ip[0] &= ip[0] >> 4 == 4 ? 0xff : 0xf0;
}

uint16_t rig_ah_header(const struct rig_pair *p, uint8_t *ret_header)
{
	const struct path *path = sa_path(p->out);

	memcpy(ret_header, path->template_bytes, path->template_len);
	if (path->flags & PATH_IPV6) {
		store_be32(ret_header, 0x69812345);
		ret_header[6] = IPPROTO_AH;
		ret_header[7] = 61;
		return path->template_len;
	}
	ret_header[1] = 0x98;
	store_be32(ret_header + 4, 0xabcd4000);
	ret_header[8] = 61;
	ret_header[9] = IPPROTO_AH;
	return path->template_len;
}

/* AH itself, its ICV zero. Returns its bytes. */
static uint16_t ah_put(const struct sa *sa, const struct rig_ah *a, bool ipv6, uint8_t *at)
{
	uint16_t align = ipv6 ? 8 : 4;
	uint16_t bytes = (uint16_t)((12 + sa->iv_bytes + sa->icv_bytes + align - 1) & ~(align - 1));

	memset(at, 0, bytes);
	at[0] = a->next_header;
	at[1] = (uint8_t)(bytes / 4 - 2);
	store_be32(at + 4, sa_spi(sa));
	store_be32(at + 8, (uint32_t)a->sequence);
	if (sa->iv_bytes)
		store_be64(at + 12, ~a->sequence);
	return bytes;
}

static void ah_icv(struct rig_pair *p, const struct rig_ah *a, uint8_t *text, uint16_t total, uint8_t *ret_icv)
{
	const struct sa *sa = p->out;
	struct crypto_op op = {
		.key = sa->key, .text = text, .icv = ret_icv, .len = total, .icv_bytes = sa->icv_bytes
	};

	op.tail = sa->traits & SA_TAIL ? 4 : 0;
	store_be32(text + total, (uint32_t)(a->sequence >> 32));
	memcpy(op.nonce, &sa->salt, sa->salt_bytes);
	store_be64(op.nonce + sa->salt_bytes, ~a->sequence);
	must(sa->suite->seal(p->out_worker, &op, 1) == 0, "seal");
}

struct rte_mbuf *rig_seal_ah(struct rig_pair *p, const struct rig_ah *a)
{
	uint8_t data[RIG_ROOM], covered[RIG_ROOM];
	uint16_t ah = ah_put(p->out, a, a->header[0] >> 4 == 6, data + a->header_bytes);
	uint16_t total = (uint16_t)(a->header_bytes + ah + a->bytes);

	memcpy(data, a->header, a->header_bytes);
	memcpy(data + a->header_bytes + ah, a->payload, a->bytes);
	ip_length_put(data, total);
	memcpy(covered, data, total);
	if (a->zeroed)
		memcpy(covered, a->zeroed, a->header_bytes);
	else
		mutable_zero(covered);
	ip_length_put(covered, total);
	ah_icv(p, a, covered, total, data + a->header_bytes + 12 + p->out->iv_bytes);
	return rig_mbuf(data, total);
}

uint64_t rig_drops(const struct sa *sa, enum drop_reason reason)
{
	struct sa_stats s;

	sa_stats_read(sa, &s);
	return s.drops[reason];
}

uint64_t rig_drops_all(const struct sa *sa)
{
	struct sa_stats s;
	uint64_t n = 0;

	sa_stats_read(sa, &s);
	for (int i = 0; i < DROP_REASON_COUNT; i++)
		n += s.drops[i];
	return n;
}
