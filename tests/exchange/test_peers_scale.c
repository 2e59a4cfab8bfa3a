/* SPDX-License-Identifier: BSD-3-Clause */
/* Many peers come to one tunnel, are rekeyed, and go, without a wire between: what each costs does not grow with their
 * number, and nothing is left. 300 by default, 10,000 with SALLYPORT_LONG=1. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fake_wire.h"

#define PEERS      300
#define PEERS_LONG 10000

struct side {
	struct side *other;
	struct ike_engine *engine;
	struct ike_actions out;
	struct addr addr;
	uint32_t next_spi, reserved, pairs;
	uint64_t random, failures;
};

static uint64_t now_ns;

/* ---- the host ---- */

static void host_random(void *context, void *ret_data, size_t len)
{
	struct side *s = context;
	uint8_t *bytes = ret_data;

	for (size_t i = 0; i < len; i++) {
		s->random = s->random * 6364136223846793005ull + 1442695040888963407ull;
		bytes[i] = (uint8_t)(s->random >> 56);
	}
}

static int host_psk(
	void *context, const struct identity *local, const struct identity *remote, struct secret *ret_secret)
{
	(void)context;
	(void)local;
	(void)remote;
	return secret_copy(ret_secret, BYTES("one secret for all of this test", 31));
}

static uint32_t host_reserve(void *context, const struct addr *local, const struct addr *remote)
{
	struct side *s = context;

	(void)local;
	(void)remote;
	s->reserved++;
	return s->next_spi++;
}

static void host_release(void *context, uint32_t spi)
{
	(void)spi;
	((struct side *)context)->reserved--;
}

static void side_start(struct side *s, struct side *other, const struct tunnel_profile *profiles, size_t count)
{
	const struct ike_host host = { .context = s,
		.random = host_random,
		.psk_lookup = host_psk,
		.spi_reserve = host_reserve,
		.spi_release = host_release };

	s->other = other;
	s->engine = ike_engine_create(&ike_default_settings, &host, profiles, count);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s->engine);
}

/* ---- between the two ---- */

static void act(struct side *s, struct ike_action *a)
{
	struct ike_datagram d;

	switch (a->kind) {
	case IKE_SEND:
		d = (struct ike_datagram){ a->send.remote, a->send.local, BYTES(a->send.data, a->send.len) };
		ike_input(s->other->engine, &d, now_ns, &s->other->out);
		break;
	case IKE_CRYPTO:
		crypto_job_run(a->job);
		ike_job_done(s->engine, a->job, now_ns, &s->out);
		break;
	case IKE_INSTALL: s->pairs++; break;
	case IKE_RETIRE:
		s->pairs--;
		s->reserved--;
		break;
	case IKE_EVENT: s->failures += a->event->kind == IKE_EV_FAILED; break;
	default: break;
	}
}

/* What the engines want done, until both want nothing. */
static void settle(struct side *s)
{
	for (; s->out.count || s->other->out.count; s = s->other) {
		struct ike_actions doing = s->out;
		s->out = (struct ike_actions){ 0 };
		for (size_t i = 0; i < doing.count; i++) {
			struct ike_action a = doing.items[i];
			if (a.kind == IKE_CRYPTO)
				doing.items[i].job = NULL;
			act(s, &a);
		}
		ike_actions_done(&doing);
	}
}

static void command(struct side *s, enum ike_command_kind kind, uint32_t tunnel, uint32_t child)
{
	const struct ike_command c = { .kind = kind, .tunnel = tunnel, .child = child };

	ike_command(s->engine, &c, now_ns, &s->out);
	settle(s);
}

static void pass(struct side *s, uint64_t ns)
{
	uint64_t until = now_ns + ns;

	for (;;) {
		uint64_t a = ike_next_deadline(s->engine), b = ike_next_deadline(s->other->engine),
			 next = a < b ? a : b;
		if (next > until)
			break;
		now_ns = next > now_ns ? next : now_ns;
		ike_tick(s->engine, now_ns, &s->out);
		ike_tick(s->other->engine, now_ns, &s->other->out);
		settle(s);
	}
	now_ns = until;
}

/* ---- profiles ---- */

static struct tunnel_profile profile(const struct side *from, const struct side *to)
{
	struct tunnel_profile p = { .name = "clients", .local_addr = from->addr, .remote_addr = to->addr };
	struct child_profile *c = &p.children[0];

	identity_parse("hub.example.net", &p.remote_id);
	p.child_count = 1;
	proposals_set(&p.proposals, PROTOCOL_IKE, "aes128gcm16-prfsha256-x25519");
	proposals_set(&c->proposals, PROTOCOL_ESP, "aes128gcm16");
	c->start = START_RESPOND;
	snprintf(c->name, sizeof(c->name), "net");
	selectors_set(&c->remote, "10.2.0.0/24");
	return p;
}

static struct tunnel_profile *clients(const struct side *a, const struct side *b, size_t count)
{
	struct tunnel_profile *p = calloc(count, sizeof(*p));
	char text[64];

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (size_t i = 0; i < count; i++) {
		p[i] = profile(a, b);
		snprintf(text, sizeof(text), "client-%zu.example.net", i);
		identity_parse(text, &p[i].local_id);
		snprintf(text, sizeof(text), "10.9.%zu.%zu/32", i / 256, i % 256);
		selectors_set(&p[i].children[0].local, text);
	}
	return p;
}

static struct tunnel_profile hub(const struct side *b, const struct side *a)
{
	struct tunnel_profile p = profile(b, a);

	p.local_id = p.remote_id;
	p.remote_id = (struct identity){ 0 };
	p.remote_addr = (struct addr){ 0 };
	selectors_set(&p.children[0].local, "10.2.0.0/24");
	selectors_set(&p.children[0].remote, "10.9.0.0/16");
	return p;
}

static double cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static uint32_t peers_of(const struct side *s)
{
	static struct ike_tunnel_status status;

	return ike_tunnel_status(s->engine, 0, &status) ? 0 : status.peer_count;
}

/* From the first tenth to the last one, of all, the time of one must not grow with the number. */
static void come_up(struct side *a, uint32_t count)
{
	double began = cpu_seconds(), first = 0, last;

	for (uint32_t i = 0; i < count; i++) {
		if (i == count / 10)
			first = cpu_seconds() - began;
		if (i == count - count / 10)
			began = cpu_seconds();
		command(a, IKE_INITIATE, i, IKE_WHOLE_TUNNEL);
	}
	last = cpu_seconds() - began;
	printf("# %u peers: the first tenth took %.2f s, the last one %.2f s\n", count, first, last);
	CU_ASSERT(last < 3 * first + 0.2);
}

static void test_peers_many_come_and_go(void)
{
	const char *all = getenv("SALLYPORT_LONG");
	uint32_t count = all && *all && *all != '0' ? PEERS_LONG : PEERS;
	struct side a = { .next_spi = 1000, .random = 1 }, b = { .next_spi = 1000, .random = 2 };

	now_ns = 1000 * S;
	addr_parse("192.0.2.1", &a.addr);
	addr_parse("192.0.2.2", &b.addr);
	struct tunnel_profile *of_a = clients(&a, &b, count), of_b = hub(&b, &a);
	side_start(&a, &b, of_a, count);
	side_start(&b, &a, &of_b, 1);
	come_up(&a, count);
	CU_ASSERT_EQUAL(peers_of(&b), count);
	CU_ASSERT_EQUAL(b.pairs, count);
	CU_ASSERT_EQUAL(a.failures + b.failures, 0);
	/* each gets new keys by the wish of the hub */
	pass(&a, 10 * S);
	command(&b, IKE_REKEY, 0, 0);
	pass(&a, 30 * S);
	CU_ASSERT_EQUAL(peers_of(&b), count);
	CU_ASSERT_EQUAL(b.pairs, count);
	CU_ASSERT_EQUAL(a.failures + b.failures, 0);
	/* a half of them goes, and the hub ends the rest */
	for (uint32_t i = 0; i < count; i += 2)
		command(&a, IKE_TERMINATE, i, IKE_WHOLE_TUNNEL);
	CU_ASSERT_EQUAL(peers_of(&b), count / 2);
	CU_ASSERT_EQUAL(b.pairs, count / 2);
	command(&b, IKE_TERMINATE, 0, IKE_WHOLE_TUNNEL);
	pass(&a, 60 * S);
	CU_ASSERT_EQUAL(peers_of(&b), 0);
	CU_ASSERT_EQUAL(ike_sa_count(b.engine), 0);
	CU_ASSERT_EQUAL(b.pairs + b.reserved, 0);
	ike_engine_free(a.engine);
	ike_engine_free(b.engine);
	free(of_a);
}

static const struct test tests[] = {
	TEST(test_peers_many_come_and_go),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
