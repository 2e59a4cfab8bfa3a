/* SPDX-License-Identifier: BSD-3-Clause */
/* The SK payload (RFC 7296 3.14, RFC 5282): padding, IV, encryption, ICV, both ways; and its fragments on the way out
 * (RFC 7383 2.5). Those that come in are put together by skf.c. */
#include <errno.h>
#include <stdlib.h>

#include "v2.h"

#define FRAGMENT_HEADER_BYTES 4 /* fragment number, total fragments */

void protect_init_message(
	const struct ike_sa *sa, enum ike_exchange exchange, bool response, uint32_t id, struct message *ret_message)
{
	uint8_t flags = (uint8_t)((sa->initiator ? IKE_FLAG_INITIATOR : 0) | (response ? IKE_FLAG_RESPONSE : 0));

	message_init(ret_message, sa->spi_i, sa->spi_r, exchange, flags, id);
}

/* Keys of what the initiator or the responder of the IKE SA sends. */
static struct aead_params aead_of(const struct ike_sa *sa, bool from_initiator)
{
	return (struct aead_params){
		.encr = sa->suite.encr,
		.integ = sa->suite.integ,
		.encr_key = keymat_part(sa, from_initiator ? KEY_EI : KEY_ER),
		.integ_key = keymat_part(sa, from_initiator ? KEY_AI : KEY_AR),
	};
}

/* A counter mode's IV never repeats under a key: it counts from a random start. CBC needs one nobody can predict. */
static void iv_write(struct ike_engine *e, struct ike_sa *sa, uint8_t *ret_iv)
{
	if (sa->suite.encr->flags & ALG_COUNTER)
		store_be64(ret_iv, sa->iv++);
	else
		e->host.random(e->host.context, ret_iv, sa->suite.encr->iv_bytes);
}

/* One SK or SKF payload to be: the whole plaintext of a message, or a part of it. */
struct piece {
	struct bytes plain;
	uint8_t first;          /* type of the first payload inside; fragments behind the first: 0 (RFC 7383 2.5) */
	uint16_t number, total; /* 0: no fragment */
};

/* Up to the IV. */
static size_t head_bytes(bool fragment)
{
	return IKE_HEADER_BYTES + PAYLOAD_HEADER_BYTES + (fragment ? FRAGMENT_HEADER_BYTES : 0);
}

/* Zero padding up to the block, then its length (RFC 7296 3.14). */
static size_t padded_bytes(const struct aead_params *p, size_t plain_bytes)
{
	uint8_t block = p->encr->block_bytes;

	return (plain_bytes + block) / block * block;
}

static size_t sealed_bytes(const struct aead_params *p, size_t plain_bytes, bool fragment)
{
	return head_bytes(fragment) + p->encr->iv_bytes + padded_bytes(p, plain_bytes) + aead_icv_bytes(p);
}

/* Plaintext that a fragment of so many bytes can carry. */
static size_t fragment_room(const struct aead_params *p, size_t limit)
{
	size_t around = head_bytes(true) + p->encr->iv_bytes + aead_icv_bytes(p);

	return (limit - around) / p->encr->block_bytes * p->encr->block_bytes - 1;
}

/* Bytes of an IKE message in an IP packet of the wanted size (RFC 7383 2.5.1); SIZE_MAX: it is not cut. */
static size_t message_limit(const struct ike_sa *sa)
{
	const struct tunnel_profile *p = sa->tunnel->profile;
	bool ipv6 = sa->remote.addr.family == ADDR_IPV6;
	size_t packet = ipv6 ? p->fragment_bytes_ipv6 : p->fragment_bytes_ipv4;
	size_t around = (ipv6 ? 40 : 20) + 8 + (sa->local.port == NATT_PORT ? NON_ESP_MARKER_BYTES : 0);

	return sa->fragmentation ? packet - around : SIZE_MAX;
}

/* Header and generic header; all lengths are known. */
static void head_write(const struct message *m, const struct piece *piece, size_t total_bytes, struct writer *w)
{
	struct ike_header header = m->header;

	header.next_payload = piece->total ? PAYLOAD_SKF : PAYLOAD_SK;
	header.length = (uint32_t)total_bytes;
	header_encode(&header, w);
	writer_u8(w, piece->first);
	writer_u8(w, 0);
	writer_u16(w, (uint16_t)(total_bytes - IKE_HEADER_BYTES));
	if (!piece->total)
		return;
	writer_u16(w, piece->number);
	writer_u16(w, piece->total);
}

/* Appends one datagram. 0, -EMSGSIZE or -EIO. */
static int piece_seal(struct ike_engine *e, struct ike_sa *sa, const struct aead_params *p, const struct message *m,
	const struct piece *piece, struct writer *w)
{
	uint8_t *head = w->data + w->len;
	size_t head_len = head_bytes(piece->total), len = padded_bytes(p, piece->plain.len);

	head_write(m, piece, sealed_bytes(p, piece->plain.len, piece->total), w);
	uint8_t *iv = writer_reserve(w, p->encr->iv_bytes);
	uint8_t *data = writer_reserve(w, len);
	uint8_t *icv = writer_reserve(w, aead_icv_bytes(p));
	if (w->failed)
		return -EMSGSIZE;
	iv_write(e, sa, iv);
	memset(data, 0, len);
	if (piece->plain.len)
		memcpy(data, piece->plain.data, piece->plain.len);
	data[len - 1] = (uint8_t)(len - 1 - piece->plain.len);
	return aead_seal(e->crypto, p, BYTES(iv, p->encr->iv_bytes), BYTES(head, head_len), data, len, icv);
}

/* How a plaintext is cut: so many bytes in each piece but the last. */
struct cut {
	size_t count, part_bytes, total_bytes; /* of all datagrams together */
};

static struct cut cut_plan(const struct ike_sa *sa, const struct aead_params *p, size_t plain_bytes)
{
	size_t limit = message_limit(sa), whole = sealed_bytes(p, plain_bytes, false);

	if (whole <= limit)
		return (struct cut){ 1, plain_bytes, whole };
	size_t part = fragment_room(p, limit), count = (plain_bytes + part - 1) / part;
	size_t last = plain_bytes - (count - 1) * part;
	return (struct cut){ count, part, (count - 1) * sealed_bytes(p, part, true) + sealed_bytes(p, last, true) };
}

static int pieces_seal(struct ike_engine *e, struct ike_sa *sa, const struct message *m, struct bytes plain,
	uint8_t first, const struct cut *cut, struct writer *w)
{
	struct aead_params p = aead_of(sa, sa->initiator);
	bool fragments = cut->count > 1;
	int err = 0;

	for (size_t i = 0; i < cut->count && !err; i++) {
		size_t at = i * cut->part_bytes, left = plain.len - at;
		struct piece piece = {
			.plain = BYTES(plain.data + at, left < cut->part_bytes ? left : cut->part_bytes),
			.first = i ? PAYLOAD_NONE : first,
			.number = fragments ? (uint16_t)(i + 1) : 0,
			.total = fragments ? (uint16_t)cut->count : 0,
		};
		err = piece_seal(e, sa, &p, m, &piece, w);
	}
	return err;
}

int protect_seal(struct ike_engine *e, struct ike_sa *sa, const struct message *m, uint8_t **ret_bytes, size_t *ret_len)
{
	struct aead_params p = aead_of(sa, sa->initiator);
	struct writer plain = writer_init(e->built, IKE_MESSAGE_BYTES_MAX);
	uint8_t first;

	if (payloads_encode(m, &plain, &first))
		return -EMSGSIZE;
	struct cut cut = cut_plan(sa, &p, plain.len);
	if (cut.count == 1 && cut.total_bytes > IKE_MESSAGE_BYTES_MAX)
		return -EMSGSIZE;
	*ret_bytes = malloc(cut.total_bytes);
	if (!*ret_bytes)
		return -ENOMEM;
	struct writer w = writer_init(*ret_bytes, cut.total_bytes);
	int err = pieces_seal(e, sa, m, writer_view(&plain), first, &cut, &w);
	if (err) {
		free(*ret_bytes);
		return err;
	}
	*ret_len = w.len;
	return 0;
}

int protect_open(struct ike_engine *e, const struct ike_sa *sa, const struct ike_datagram *d, const struct payload *sk,
	struct bytes *ret_plain)
{
	struct aead_params p = aead_of(sa, !sa->initiator);
	struct bytes body = sk->sk.data;
	size_t iv = p.encr->iv_bytes, icv = aead_icv_bytes(&p);
	size_t head = (size_t)sk->offset + head_bytes(sk->type == PAYLOAD_SKF) - IKE_HEADER_BYTES;

	/* at least the pad length stands between IV and ICV */
	if (body.len <= iv + icv || body.len > IKE_MESSAGE_BYTES_MAX)
		return -EBADMSG;
	size_t len = body.len - iv - icv;
	memcpy(e->plain, body.data + iv, len);
	if (aead_open(e->crypto, &p, BYTES(body.data, iv), BYTES(d->data.data, head), e->plain, len,
		    body.data + iv + len))
		return -EBADMSG;
	size_t pad = e->plain[len - 1];
	if (pad + 1 > len)
		return -EBADMSG;
	*ret_plain = BYTES(e->plain, len - 1 - pad);
	return 0;
}

int protect_respond(
	struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d, const struct message *response)
{
	uint8_t *bytes;
	size_t len;
	int err = protect_seal(e, sa, response, &bytes, &len);

	if (!err)
		outbox_push_response(e, sa, d, bytes, len);
	return err;
}

int protect_request(struct ike_engine *e, struct ike_sa *sa, const struct message *request)
{
	uint8_t *bytes;
	size_t len;
	int err = protect_seal(e, sa, request, &bytes, &len);

	if (!err)
		outbox_push_request(e, sa, request->header.exchange, bytes, len);
	return err;
}

int protect_respond_error(
	struct ike_engine *e, struct ike_sa *sa, const struct input *in, uint16_t notify, struct bytes data)
{
	struct message response;

	protect_init_message(sa, (enum ike_exchange)in->m->header.exchange, true, in->m->header.message_id, &response);
	message_add_notify(&response, (enum notify_type)notify, data);
	return protect_respond(e, sa, in->d, &response);
}
