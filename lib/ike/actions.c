/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of actions an entry point leaves for its host. Carrying them out is the host's. */
#include "ike_priv.h"

#include <stdlib.h>

static void action_release(struct ike_action *a)
{
	switch (a->kind) {
	case IKE_SEND: free(a->send.data); break;
	case IKE_INSTALL:
		sa_spec_done(a->install.in);
		sa_spec_done(a->install.out);
		free(a->install.in);
		free(a->install.out);
		break;
	case IKE_CRYPTO: crypto_job_free(a->job); break;
	case IKE_EVENT: free(a->event); break;
	case IKE_ADDRESS:
	case IKE_SWITCH:
	case IKE_RETIRE:
	case IKE_UPDATE: break;
	}
}

void ike_actions_clear(struct ike_actions *out)
{
	for (size_t i = 0; i < out->count; i++)
		action_release(&out->items[i]);
	out->count = 0;
	out->failed = false;
}

void ike_actions_done(struct ike_actions *out)
{
	ike_actions_clear(out);
	free(out->items);
	*out = (struct ike_actions){ 0 };
}

static int actions_grow(struct ike_actions *out)
{
	size_t capacity = out->capacity ? 2 * out->capacity : 16;
	struct ike_action *items = realloc(out->items, capacity * sizeof(*items));

	if (!items)
		return -1;
	out->items = items;
	out->capacity = capacity;
	return 0;
}

struct ike_action *actions_push(struct ike_actions *out, enum ike_action_kind kind)
{
	if (out->count == out->capacity && actions_grow(out)) {
		out->failed = true;
		return NULL;
	}
	struct ike_action *a = &out->items[out->count++];
	*a = (struct ike_action){ .kind = kind };
	return a;
}

/* The list lost an action whose contents could not be made. */
static void actions_drop_last(struct ike_actions *out)
{
	out->count--;
	out->failed = true;
}

void action_send(struct ike_engine *e, const struct endpoint *local, const struct endpoint *remote, struct bytes data)
{
	struct ike_action *a = actions_push(e->out, IKE_SEND);

	if (!a)
		return;
	a->send.local = *local;
	a->send.remote = *remote;
	a->send.len = data.len;
	a->send.data = malloc(data.len ? data.len : 1);
	if (!a->send.data) {
		actions_drop_last(e->out);
		return;
	}
	if (data.len)
		memcpy(a->send.data, data.data, data.len);
	e->counters[IKE_C_SENT]++;
}

void action_keepalive(struct ike_engine *e, const struct ike_sa *sa)
{
	static const uint8_t keepalive = 0xff; /* RFC 3948 2.3 */
	size_t before = e->out->count;

	action_send(e, &sa->local, &sa->remote, BYTES(&keepalive, 1));
	if (e->out->count > before)
		e->out->items[before].send.keepalive = true;
}

bool action_crypto(struct ike_engine *e, struct crypto_job *job)
{
	struct ike_action *a = job ? actions_push(e->out, IKE_CRYPTO) : NULL;

	if (!a) {
		crypto_job_free(job);
		e->out->failed = true;
		return false;
	}
	const struct ike_sa *sa = sa_lookup(e, job->owner);
	job->urgent = sa && !sa->counted;
	a->job = job;
	return true;
}

void action_child(struct ike_engine *e, enum ike_action_kind kind, const struct child_sa *child)
{
	struct ike_action *a = actions_push(e->out, kind);

	if (!a)
		return;
	a->child.tunnel = child->sa->tunnel->index;
	a->child.child = child->index;
	a->child.spi_in = child->spi_in;
	a->child.spi_out = child->spi_out;
	a->child.path = child_path(child);
}

bool action_install(struct ike_engine *e, const struct child_sa *child, struct sa_spec *in, struct sa_spec *out)
{
	struct ike_action *a = actions_push(e->out, IKE_INSTALL);

	if (!a)
		return false;
	a->install.in = malloc(sizeof(*in));
	a->install.out = malloc(sizeof(*out));
	if (!a->install.in || !a->install.out) {
		free(a->install.in);
		free(a->install.out);
		actions_drop_last(e->out);
		return false;
	}
	*a->install.in = *in;
	*a->install.out = *out;
	*in = *out = (struct sa_spec){ 0 };
	a->install.tunnel = child->sa->tunnel->index;
	a->install.child = child->index;
	if (child->sa->tunnel->base)
		a->install.peer = child->sa->remote_id;
	a->install.switch_now = child->sending;
	return true;
}

void action_virtual(struct ike_engine *e, const struct ike_sa *sa, const struct address_list *dns, bool given)
{
	struct ike_action *a = actions_push(e->out, IKE_ADDRESS);

	if (!a)
		return;
	a->address.tunnel = sa->tunnel->index;
	a->address.given = given;
	memcpy(a->address.addrs, sa->virtual, sizeof(a->address.addrs));
	a->address.dns = *dns;
}
