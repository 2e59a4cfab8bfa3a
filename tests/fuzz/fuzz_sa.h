/* SPDX-License-Identifier: BSD-3-Clause */
/* What the targets of ESP and AH share: the first bytes of an input choose an SA pair, made for that input alone, so
 * that an input does the same whatever came before it; and what must hold of every packet that comes out. Included by
 * one file per program. */
#pragma once

#include <sanitizer/lsan_interface.h>
#include <stdlib.h>

#include "burst_priv.h"
#include "ip6.h"
#include "rig.h"

#define BYTES_MAX (RIG_ROOM - 600)

struct fuzz_suite {
	const char *encr, *integ;
};

/* Bits of the second byte. */
enum fuzz_bits {
	FUZZ_TRANSPORT = 1 << 0,
	FUZZ_OUTER6 = 1 << 1,
	FUZZ_INNER6 = 1 << 2,
	FUZZ_UDP = 1 << 3,
	FUZZ_NATT = 1 << 4,
	FUZZ_ESN = 1 << 5,
	FUZZ_NARROW = 1 << 6, /* selectors with ports; else everything of the family */
	FUZZ_PADDED = 1 << 7, /* traffic flow padding on the way out */
};

struct fuzz_scene {
	struct rig_options o;
	struct rig_pair p;
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rig_pair fuzz_base;

static inline void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct rig_options o = { 0 };

	(void)argc;
	(void)argv;
	/* tables and workers live until the end, held by DPDK memory that the leak check does not look into */
	__lsan_disable();
	rig_eal();
	rig_pool();
	rig_pair_open(&fuzz_base, &o);
	__lsan_enable();
	return 0;
}

static const char *fuzz_selector(uint8_t bits, bool local)
{
	bool inner6 = bits & FUZZ_TRANSPORT ? bits & FUZZ_OUTER6 : bits & FUZZ_INNER6;

	if (!(bits & FUZZ_NARROW))
		return inner6 ? "::/0" : "0.0.0.0/0";
	if (bits & FUZZ_TRANSPORT && inner6)
		return local ? RIG_LEFT6 "[udp/1000]" : RIG_RIGHT6 "[udp/2000]";
	if (bits & FUZZ_TRANSPORT)
		return local ? RIG_LEFT4 "[udp/1000]" : RIG_RIGHT4 "[udp/2000]";
	if (inner6)
		return local ? RIG_LOCAL6 "[udp/1000]" : RIG_REMOTE6 "[udp/2000]";
	return local ? RIG_LOCAL "[udp/1000]" : RIG_REMOTE "[udp/2000]";
}

static struct rig_options fuzz_options(const struct fuzz_suite *suite, uint8_t bits)
{
	struct rig_options o = rig_suite(suite->encr, suite->integ);
	bool esp = suite->encr != NULL;

	o.transport = bits & FUZZ_TRANSPORT;
	o.outer6 = bits & FUZZ_OUTER6;
	o.inner6 = !o.transport && bits & FUZZ_INNER6;
	o.udp = esp && bits & FUZZ_UDP;
	o.natt = esp && bits & FUZZ_NATT;
	o.esn = bits & FUZZ_ESN;
	o.sequence = o.esn ? 0x1fffffffe : 0;
	o.tfc_bytes = esp && !o.transport && bits & FUZZ_PADDED ? 300 : 0;
	o.local = fuzz_selector(bits, true);
	o.remote = fuzz_selector(bits, false);
	return o;
}

static struct sa *fuzz_half(struct ipsec *ips, const struct rig_options *o, enum sa_direction direction)
{
	const char *reason;
	struct sa_spec spec;
	struct sa *sa;

	rig_spec(o, direction, &spec);
	sa = sa_create(ips, &spec, direction == SA_OUT ? rig_path(&spec) : NULL, &reason);
	must(sa != NULL);
	sa_spec_done(&spec);
	return sa;
}

static void scene_open(struct fuzz_scene *s, const struct fuzz_suite *suite, uint8_t bits)
{
	s->o = fuzz_options(suite, bits);
	s->p = fuzz_base;
	s->p.out = fuzz_half(fuzz_base.out_ips, &s->o, SA_OUT);
	s->p.in = fuzz_half(fuzz_base.in_ips, &s->o, SA_IN);
}

static void scene_close(struct fuzz_scene *s)
{
	sa_free(s->p.out);
	sa_free(s->p.in);
	must(rte_mempool_avail_count(rig_pool()) == RIG_POOL);
}

static bool is_fragment(const uint8_t *ip, uint32_t bytes)
{
	struct ip6_layout l;

	if (ip[0] >> 4 != 6)
		return load_be16(ip + 6) & (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
	return ip6_walk(ip, bytes, &l) == IP6_WALK_GOOD && ip6_is_fragment(&l);
}

/* A fragment whose ports the caller has to look at in the whole datagram is inside by its addresses, an ICMP error by
 * the packet it quotes (RFC 4301 7, 6.2). */
static bool is_inside(const struct sa *sa, const uint8_t *ip, uint32_t bytes, const struct flow *f)
{
	if (sa_selectors_match(sa, f))
		return true;
	if (sa_joins_fragments(sa) && is_fragment(ip, bytes))
		return sa_addresses_match(sa, f);
	return f->protocol == IPPROTO_ICMP || f->protocol == IPPROTO_ICMPV6;
}

/* A packet in clear: whole, of the right version, inside the selectors. */
static void packet_check(const struct fuzz_scene *s, const struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	bool ipv6 = s->o.transport ? s->o.outer6 : s->o.inner6;
	struct flow f;

	must(m->nb_segs == 1 && m->pkt_len == m->data_len && m->data_len >= (ipv6 ? 40 : 20));
	must(ip[0] >> 4 == (ipv6 ? 6 : 4));
	must(ipv6 ? load_be16(ip + 4) + 40 == m->data_len : load_be16(ip + 2) == m->data_len);
	must(ipv6 || ((ip[0] & 15) >= 5 && (ip[0] & 15) * 4 <= m->data_len));
	flow_read(ip, m->data_len, false, &f);
	must(is_inside(s->p.in, ip, m->data_len, &f));
}

/* One packet in. Takes it; DROP_NONE or why not. Counted once, and a refused one moves nothing that it must not. */
static enum drop_reason packet_in(struct fuzz_scene *s, struct rte_mbuf *m)
{
	struct sa_stats before, after;
	uint64_t drops = rig_drops_all(s->p.in);

	sa_stats_read(s->p.in, &before);
	enum drop_reason reason = rig_in(&s->p, m);
	sa_stats_read(s->p.in, &after);
	must(reason < DROP_REASON_COUNT);
	must(after.packets == before.packets + !reason);
	must(rig_drops_all(s->p.in) == drops + !!reason);
	if (reason == DROP_BAD_ICV)
		must(after.sequence == before.sequence && after.flags == before.flags);
	if (!reason)
		packet_check(s, m);
	rte_pktmbuf_free(m);
	return reason;
}

/* Bytes as a packet that a gateway may protect with this SA: version and lengths are put right. False: too short, or it
 * is not one of the kind (a fragment in transport mode, not in the selectors). */
static bool clear_fit(const struct fuzz_scene *s, struct rte_mbuf *m)
{
	bool ipv6 = s->o.transport ? s->o.outer6 : s->o.inner6;
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *);
	struct flow f;

	if (m->data_len < (ipv6 ? 40 : 20))
		return false;
	ip[0] = (uint8_t)(ipv6 ? 0x60 | (ip[0] & 15) : 0x40 | RTE_MIN(RTE_MAX(ip[0] & 15, 5), m->data_len / 4));
	store_be16(ip + (ipv6 ? 4 : 2), (uint16_t)(m->data_len - (ipv6 ? 40 : 0)));
	if (!ipv6) {
		store_be16(ip + 10, 0);
		uint16_t sum = (uint16_t)~rte_raw_cksum(ip, (size_t)(ip[0] & 15) * 4);
		memcpy(ip + 10, &sum, sizeof(sum));
	}
	flow_read(ip, m->data_len, true, &f);
	return sa_selectors_match(s->p.out, &f);
}

/* There and back: what is sent arrives, and arrives as it was; but a packet that names no upper layer is a dummy. Takes
 * the packet. */
static void packet_through(struct fuzz_scene *s, struct rte_mbuf *m)
{
	bool fits = clear_fit(s, m);
	enum drop_reason reason;

	/* transport mode takes it away (RFC 4302 A2): one that is not there comes back as it was */
	if (fits && s->o.transport)
		atomic_fragment_remove(m);
	struct rte_mbuf *sent = rig_copy(m);
	if (fits) {
		reason = rig_out(&s->p, m);
		/* what cannot be one whole protected packet */
		must(!reason || reason == DROP_FRAGMENT || reason == DROP_IP_HEADER);
		if (!reason) {
			reason = rig_in(&s->p, m);
			/* ... or was on its way to another node first */
			bool elsewhere = reason == DROP_IP_HEADER && s->o.outer6;
			must(!reason || (s->o.transport && (reason == DROP_DUMMY || elsewhere)));
		}
		if (!reason) {
			must(m->data_len == sent->data_len);
			must(!memcmp(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(sent, void *), m->data_len));
		}
	}
	rte_pktmbuf_free(sent);
	rte_pktmbuf_free(m);
}

/* Outer packets as they are, or with lengths that fit: nobody who has not the key gets one in. Takes the packet. */
static void packet_forged(struct fuzz_scene *s, struct rte_mbuf *m, bool fit)
{
	if (fit && m->data_len >= 40)
		rig_length_fit(m);
	must(packet_in(s, m) != DROP_NONE);
}

/* Known before the ICV, or instead of it. */
static bool reason_is_early(enum drop_reason reason)
{
	static const enum drop_reason early[] = { DROP_SHORT, DROP_LENGTH, DROP_IP_HEADER, DROP_FRAGMENT, DROP_ENCAP,
		DROP_REPLAYED, DROP_TOO_OLD, DROP_BAD_ICV, DROP_NO_HEADROOM };

	for (size_t i = 0; i < ARRAY_LEN(early); i++)
		if (reason == early[i])
			return true;
	return false;
}

/* A packet under the key: refused while a bit of it is wrong from byte `from` on, then as it was, then as a copy. Takes
 * the packet. Returns what became of it as it was. */
static enum drop_reason packet_sealed(struct fuzz_scene *s, struct rte_mbuf *m, uint16_t from, uint16_t flip)
{
	struct rte_mbuf *broken = rig_copy(m), *again = rig_copy(m);
	uint32_t bits = (m->data_len - from) * 8u, bit = flip % bits;

	rte_pktmbuf_mtod(broken, uint8_t *)[from + bit / 8] ^= (uint8_t)(1 << bit % 8);
	must(packet_in(s, broken) != DROP_NONE);
	enum drop_reason reason = packet_in(s, m);
	must(packet_in(s, again) == (reason_is_early(reason) ? reason : DROP_REPLAYED));
	return reason;
}
