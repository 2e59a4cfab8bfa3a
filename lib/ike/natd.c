/* SPDX-License-Identifier: BSD-3-Clause */
/* NAT detection (RFC 7296 2.23): hashes of addresses and ports, and what follows from them. */
#include "ike_priv.h"

static void natd_hash(
	struct ike_engine *e, uint64_t spi_i, uint64_t spi_r, const struct endpoint *at, uint8_t *ret_hash)
{
	uint8_t data[8 + 8 + 16 + 2];
	struct writer w = writer_init(data, sizeof(data));

	writer_u64(&w, spi_i);
	writer_u64(&w, spi_r);
	writer_bytes(&w, BYTES(at->addr.bytes, addr_len(&at->addr)));
	writer_u16(&w, at->port);
	struct bytes part = writer_view(&w);
	if (hash_sha1(e->crypto, &part, 1, ret_hash))
		memset(ret_hash, 0, HASH_BYTES);
}

static bool encap_always(const struct ike_sa *sa)
{
	return sa->tunnel->profile->encap == ENCAP_ALWAYS;
}

void natd_add(struct ike_engine *e, const struct ike_sa *sa, const struct endpoint *local,
	const struct endpoint *remote, struct message *m, uint8_t *hashes)
{
	struct endpoint source = *local;

	/* a source that cannot be true makes the peer believe in a NAT and encapsulate, too */
	if (encap_always(sa))
		source.port = 0;
	natd_hash(e, sa->spi_i, sa->spi_r, &source, hashes);
	natd_hash(e, sa->spi_i, sa->spi_r, remote, hashes + HASH_BYTES);
	message_add_notify(m, NOTIFY_NAT_DETECTION_SOURCE_IP, BYTES(hashes, HASH_BYTES));
	message_add_notify(m, NOTIFY_NAT_DETECTION_DESTINATION_IP, BYTES(hashes + HASH_BYTES, HASH_BYTES));
}

/* Some notify of the type has this hash (a peer with several addresses sends several); *ret_any: there is one. */
static bool notify_matches(const struct message *m, uint16_t type, const uint8_t *hash, bool *ret_any)
{
	bool match = false;

	*ret_any = false;
	for (int i = 0; i < m->count; i++) {
		const struct payload *p = &m->payloads[i];
		if (p->type != PAYLOAD_NOTIFY || p->notify.type != type)
			continue;
		*ret_any = true;
		match = match || bytes_equal(p->notify.data, BYTES(hash, HASH_BYTES));
	}
	return match;
}

void natd_evaluate(struct ike_engine *e, struct ike_sa *sa, const struct message *m, const struct ike_datagram *d)
{
	uint8_t hash[HASH_BYTES];
	bool any, match;
	const struct ike_header *h = &m->header;

	/* the SPIs of the message itself: a request hashes a zero SPIr */
	natd_hash(e, h->spi_i, h->spi_r, &d->remote, hash);
	match = notify_matches(m, NOTIFY_NAT_DETECTION_SOURCE_IP, hash, &any);
	sa->remote_nat = any && !match;
	sa->natt = any;
	natd_hash(e, h->spi_i, h->spi_r, &d->local, hash);
	match = notify_matches(m, NOTIFY_NAT_DETECTION_DESTINATION_IP, hash, &any);
	sa->local_nat = any && !match;
	if (sa->local_nat || sa->remote_nat)
		event_emit(e, IKE_EV_NAT_DETECTED, sa->tunnel, sa, "%s behind NAT",
			sa->local_nat && sa->remote_nat ? "both sides"
			: sa->local_nat                 ? "we are"
							: "the peer is");
}

bool natd_names(struct ike_engine *e, const struct message *m, uint16_t type, const struct endpoint *at)
{
	uint8_t hash[HASH_BYTES];
	bool any;

	natd_hash(e, m->header.spi_i, m->header.spi_r, at, hash);
	return notify_matches(m, type, hash, &any);
}

bool natd_udp_encap(const struct ike_sa *sa)
{
	/* on port 500 there is no marker to tell ESP from IKE: RFC 3948 needs 4500 */
	return sa->local.port == NATT_PORT && (sa->local_nat || sa->remote_nat || encap_always(sa));
}

void natd_move_port(struct ike_sa *sa)
{
	bool mobike = sa->natt && sa->tunnel->profile->mobike;

	if (!sa->local_nat && !sa->remote_nat && !encap_always(sa) && !mobike)
		return;
	sa->local.port = NATT_PORT;
	sa->remote.port = NATT_PORT;
}
