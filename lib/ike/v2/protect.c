/* SPDX-License-Identifier: BSD-3-Clause */
/* The SK payload (RFC 7296 3.14, RFC 5282): padding, IV, encryption, ICV, both ways. */
#include <errno.h>
#include <stdlib.h>

#include "v2.h"

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

/* Zero padding up to the block, then its length (RFC 7296 3.14). */
static void padding_write(struct writer *w, size_t plain_start, uint8_t block)
{
	size_t over = (w->len - plain_start + 1) % block;
	uint8_t pad = (uint8_t)(over ? block - over : 0);

	writer_zero(w, pad);
	writer_u8(w, pad);
}

/* Header and generic header of SK, both now complete. */
static int head_write(struct ike_engine *e, const struct message *m, uint8_t first, size_t total, size_t plain_start)
{
	struct ike_header header = m->header;
	struct writer w = writer_init(e->sealed, plain_start);

	header.next_payload = PAYLOAD_SK;
	header.length = (uint32_t)total;
	if (total - IKE_HEADER_BYTES > UINT16_MAX || header_encode(&header, &w))
		return -EMSGSIZE;
	writer_u8(&w, first);
	writer_u8(&w, 0);
	writer_u16(&w, (uint16_t)(total - IKE_HEADER_BYTES));
	return w.failed ? -EMSGSIZE : 0;
}

static int copy_out(const uint8_t *data, size_t len, uint8_t **ret_bytes, size_t *ret_len)
{
	*ret_bytes = malloc(len);
	if (!*ret_bytes)
		return -ENOMEM;
	memcpy(*ret_bytes, data, len);
	*ret_len = len;
	return 0;
}

int protect_seal(struct ike_engine *e, struct ike_sa *sa, const struct message *m, uint8_t **ret_bytes, size_t *ret_len)
{
	struct aead_params p = aead_of(sa, sa->initiator);
	const size_t head = IKE_HEADER_BYTES + PAYLOAD_HEADER_BYTES, icv = aead_icv_bytes(&p);
	struct writer w = writer_init(e->sealed, IKE_MESSAGE_BYTES_MAX);
	uint8_t first;

	writer_zero(&w, head + p.encr->iv_bytes);
	size_t plain_start = w.len;
	if (payloads_encode(m, &w, &first))
		return -EMSGSIZE;
	padding_write(&w, plain_start, p.encr->block_bytes);
	size_t plain_len = w.len - plain_start;
	writer_zero(&w, icv);
	if (w.failed || head_write(e, m, first, w.len, plain_start))
		return -EMSGSIZE;
	iv_write(e, sa, e->sealed + head);
	int err = aead_seal(e->crypto, &p, BYTES(e->sealed + head, p.encr->iv_bytes), BYTES(e->sealed, head),
		e->sealed + plain_start, plain_len, e->sealed + plain_start + plain_len);
	return err ? err : copy_out(e->sealed, w.len, ret_bytes, ret_len);
}

int protect_open(struct ike_engine *e, const struct ike_sa *sa, const struct ike_datagram *d, const struct payload *sk,
	struct bytes *ret_plain)
{
	struct aead_params p = aead_of(sa, !sa->initiator);
	struct bytes body = sk->sk.data;
	size_t iv = p.encr->iv_bytes, icv = aead_icv_bytes(&p);
	size_t head = (size_t)sk->offset + PAYLOAD_HEADER_BYTES;

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
