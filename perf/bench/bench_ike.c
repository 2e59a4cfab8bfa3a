/* SPDX-License-Identifier: BSD-3-Clause */
/* What a handshake costs the responder, by step, and what an IKE SA with one child takes of memory: two pure engines in
 * one process, every message and job carried over by hand. Each handshake is another peer with an address and an
 * identity of its own, so the responder keeps them all. Nothing of sockets, threads or the packet path is in it.
 *
 * A neighbour on the other hardware thread makes everything slower for seconds. So handshakes are made in batches, with
 * a probe, a fixed piece of work, in front of the first batch and behind each: what counts are the batches between two
 * probes near the run's fastest, or all where too few are.
 */
#include <assert.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/evp.h>

#include "ike.h"

#define PSK         "an example of a shared secret"
#define RESPONDER   "192.0.2.1"
#define SECOND_NS   1000000000ull
#define ROUNDS_MOST 16 /* exchanges of datagrams until a handshake has to be over */

#define BATCH         20  /* handshakes between two probes: some milliseconds */
#define PROBE_AGREES  2   /* key agreements a probe: some hundredths of a batch */
#define PROBE_PERCENT 110 /* of the fastest: the core was ours */
#define OWN_LEAST     5   /* percent of the batches of each half of a run, which has more IKE SAs in the second */

/* Steps of the responder in a handshake, as they are reported. */
#define STEPS(X)                                                                                                       \
	X(STEP_INIT, "IKE_SA_INIT request")                                                                            \
	X(STEP_GENERATE, "job: key generation")                                                                        \
	X(STEP_GENERATED, "back from key generation")                                                                  \
	X(STEP_DERIVE, "job: key agreement, peer's value checked")                                                     \
	X(STEP_DERIVED, "IKE_AUTH, once the keys are there")                                                           \
	X(STEP_AUTH, "IKE_AUTH request, which asks for them")
#define STEP_ENUM(name, text) name,
#define STEP_TEXT(name, text) text,
enum step { STEPS(STEP_ENUM) STEP_COUNT };
static const char *const step_texts[] = { STEPS(STEP_TEXT) };

struct datagram {
	uint8_t *data;
	size_t len;
	struct endpoint local, remote; /* of the sender */
};

/* One side. Only the responder's time is kept. */
struct side {
	struct ike_engine *engine;
	uint32_t next_spi;
	bool up;
	uint64_t *spent_ns;     /* by step, or NULL */
	struct datagram out[4]; /* what it wants to send */
	size_t out_count;
	struct crypto_job *jobs[4];
	size_t job_count;
	unsigned messages; /* received */
};

struct batch {
	uint64_t spent_ns[STEP_COUNT];
	uint64_t probe_ns[2]; /* in front of it and behind it */
	uint32_t handshakes;
};

struct options {
	const char *group;
	uint32_t handshakes;
};

static uint64_t now_ns(void)
{
	static uint64_t fake = SECOND_NS;

	/* far enough for nothing to come close to a timer */
	return fake += 1000;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

/* ---- the host's functions ---- */

static void host_random(void *context, void *ret_data, size_t len)
{
	(void)context;
	if (crypto_random(ret_data, len))
		abort();
}

static int host_psk(
	void *context, const struct identity *local, const struct identity *remote, struct secret *ret_secret)
{
	(void)context, (void)local, (void)remote;
	return secret_copy(ret_secret, BYTES(PSK, strlen(PSK)));
}

static uint32_t host_reserve(void *context, const struct addr *local, const struct addr *remote)
{
	struct side *s = context;

	(void)local, (void)remote;
	return s->next_spi++;
}

static void host_release(void *context, uint32_t spi)
{
	(void)context, (void)spi;
}

/* ---- actions ---- */

static void take_action(struct side *s, struct ike_action *a)
{
	switch (a->kind) {
	case IKE_SEND:
		assert(s->out_count < 4);
		s->out[s->out_count++] = (struct datagram){ a->send.data, a->send.len, a->send.local, a->send.remote };
		a->send.data = NULL;
		break;
	case IKE_CRYPTO:
		assert(s->job_count < 4);
		s->jobs[s->job_count++] = a->job;
		a->job = NULL;
		break;
	case IKE_INSTALL: s->up = true; break;
	case IKE_EVENT:
		if (a->event->kind == IKE_EV_FAILED || a->event->kind == IKE_EV_REFUSED)
			fprintf(stderr, "bench_ike: %s %s\n", a->event->failure.reason, a->event->text);
		break;
	default: break;
	}
}

static void take_actions(struct side *s, struct ike_actions *out)
{
	for (size_t i = 0; i < out->count; i++)
		take_action(s, &out->items[i]);
	ike_actions_done(out);
}

static void spend(struct side *s, enum step step, uint64_t since)
{
	if (s->spent_ns)
		s->spent_ns[step] += cpu_ns() - since;
}

static void run_job(struct side *s, struct crypto_job *job)
{
	bool derive = job->kind == JOB_KEX_DERIVE;
	struct ike_actions out = { 0 };
	uint64_t start = cpu_ns();

	crypto_job_run(job);
	spend(s, derive ? STEP_DERIVE : STEP_GENERATE, start);
	start = cpu_ns();
	ike_job_done(s->engine, job, now_ns(), &out);
	spend(s, derive ? STEP_DERIVED : STEP_GENERATED, start);
	take_actions(s, &out);
}

static void run_jobs(struct side *s)
{
	while (s->job_count)
		run_job(s, s->jobs[--s->job_count]);
}

static void deliver(struct side *to, struct datagram *d)
{
	struct ike_datagram in = { d->remote, d->local, BYTES(d->data, d->len) };
	struct ike_actions out = { 0 };
	uint64_t start = cpu_ns();

	ike_input(to->engine, &in, now_ns(), &out);
	spend(to, to->messages++ ? STEP_AUTH : STEP_INIT, start);
	take_actions(to, &out);
	free(d->data);
	run_jobs(to);
}

static void deliver_all(struct side *from, struct side *to)
{
	struct datagram d[4];
	size_t n = from->out_count;

	memcpy(d, from->out, sizeof(d));
	from->out_count = 0;
	for (size_t i = 0; i < n; i++)
		deliver(to, &d[i]);
}

/* ---- profiles ---- */

static void suite_add(struct proposal_list *list, enum security_protocol protocol, const char *text)
{
	const char *word, *reason;
	size_t len;

	if (proposal_parse(protocol, text, &list->items[list->count++], &word, &len, &reason)) {
		fprintf(stderr, "bench_ike: %s: %s\n", text, reason);
		exit(2);
	}
}

static struct addr peer_addr(uint32_t n)
{
	char text[32];
	struct addr a;

	snprintf(text, sizeof(text), "10.%u.%u.%u", n >> 16 & 255, n >> 8 & 255, n & 255);
	if (addr_parse(text, &a))
		abort();
	return a;
}

static void selector_set(struct selector_list *list, const char *text)
{
	list->count = 1;
	if (selector_parse(text, &list->items[0]))
		abort();
}

/* The common parts, and peer number n on one of the two sides. */
static void profile_init(struct tunnel_profile *p, const struct options *o, uint32_t n, bool responder)
{
	struct child_profile *c = &p->children[0];
	char id[64], suite[64], peer_net[64];

	*p = (struct tunnel_profile){ .child_count = 1 };
	snprintf(p->name, sizeof(p->name), "t%u", n);
	snprintf(id, sizeof(id), "peer-%u.example.net", n);
	snprintf(suite, sizeof(suite), "aes128gcm16-prfsha256-%s", o->group);
	snprintf(peer_net, sizeof(peer_net), "172.%u.%u.%u/32", 16 + (n >> 16), n >> 8 & 255, n & 255);
	identity_parse("gw.example.net", responder ? &p->local_id : &p->remote_id);
	identity_parse(id, responder ? &p->remote_id : &p->local_id);
	p->local_addr = p->remote_addr = peer_addr(n);
	addr_parse(RESPONDER, responder ? &p->local_addr : &p->remote_addr);
	suite_add(&p->proposals, PROTOCOL_IKE, suite);
	snprintf(c->name, sizeof(c->name), "net");
	suite_add(&c->proposals, PROTOCOL_ESP, "aes128gcm16");
	c->mode = SA_MODE_TUNNEL;
	c->replay_window = 128;
	c->start = responder ? START_RESPOND : START_INITIATE;
	selector_set(responder ? &c->local : &c->remote, "10.2.0.0/16");
	selector_set(responder ? &c->remote : &c->local, peer_net);
}

static struct ike_engine *engine_create(struct side *s, const struct tunnel_profile *profiles, size_t count)
{
	const struct ike_host host = { .context = s,
		.random = host_random,
		.psk_lookup = host_psk,
		.spi_reserve = host_reserve,
		.spi_release = host_release };
	struct ike_engine *e = ike_engine_create(&ike_default_settings, &host, profiles, count);

	if (!e)
		abort();
	return e;
}

/* ---- a handshake ---- */

static void handshake(struct side *responder, const struct options *o, uint32_t n)
{
	struct side initiator = { .next_spi = 0x1000 };
	struct ike_actions out = { 0 };
	struct tunnel_profile *profile = calloc(1, sizeof(*profile));

	profile_init(profile, o, n, false);
	initiator.engine = engine_create(&initiator, profile, 1);
	responder->up = false;
	responder->messages = 0;
	ike_tick(initiator.engine, now_ns(), &out);
	take_actions(&initiator, &out);
	run_jobs(&initiator);
	for (int round = 0; round < ROUNDS_MOST && (initiator.out_count || responder->out_count); round++) {
		deliver_all(&initiator, responder);
		deliver_all(responder, &initiator);
	}
	if (!responder->up || !initiator.up) {
		fprintf(stderr, "bench_ike: handshake %u does not come up\n", n);
		exit(1);
	}
	ike_engine_free(initiator.engine);
	free(profile);
}

static size_t heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* ---- batches ---- */

/* The probe: OpenSSL's own P-256, whatever the group of the handshakes. */
static uint64_t probe_ns(EVP_PKEY *key)
{
	uint64_t start = cpu_ns();
	uint8_t shared[32];

	for (int i = 0; i < PROBE_AGREES; i++) {
		EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
		size_t len = sizeof(shared);

		if (!c || EVP_PKEY_derive_init(c) != 1 || EVP_PKEY_derive_set_peer(c, key) != 1 ||
			EVP_PKEY_derive(c, shared, &len) != 1)
			abort();
		EVP_PKEY_CTX_free(c);
	}
	return cpu_ns() - start;
}

/* All handshakes of o, in batches[]. */
static void run_batches(struct side *responder, const struct options *o, struct batch *batches, size_t count)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	uint64_t probe = probe_ns(key); /* the first also fetches what a key agreement needs */
	uint32_t n = 0;

	probe = probe_ns(key);
	for (struct batch *b = batches; b < batches + count; b++) {
		responder->spent_ns = b->spent_ns;
		b->probe_ns[0] = probe;
		for (; b->handshakes < BATCH && n < o->handshakes; b->handshakes++)
			handshake(responder, o, n++);
		b->probe_ns[1] = probe = probe_ns(key);
	}
	EVP_PKEY_free(key);
}

static uint64_t fastest_probe(const struct batch *batches, size_t count)
{
	uint64_t least = UINT64_MAX;

	/* those behind a batch: the first probe of a run stands behind another, whose work is still in the cache */
	for (const struct batch *b = batches; b < batches + count; b++)
		least = b->probe_ns[1] < least ? b->probe_ns[1] : least;
	return least;
}

/* The sum of the batches whose probes took at most limit_ns; returns their number. */
static size_t batches_sum(const struct batch *batches, size_t count, uint64_t limit_ns, struct batch *ret_sum)
{
	size_t taken = 0;

	*ret_sum = (struct batch){ 0 };
	for (const struct batch *b = batches; b < batches + count; b++) {
		if (b->probe_ns[0] > limit_ns || b->probe_ns[1] > limit_ns)
			continue;
		taken++;
		ret_sum->handshakes += b->handshakes;
		for (int i = 0; i < STEP_COUNT; i++)
			ret_sum->spent_ns[i] += b->spent_ns[i];
	}
	return taken;
}

static bool enough(const struct batch *batches, size_t count, uint64_t limit_ns)
{
	struct batch sum;

	return batches_sum(batches, count, limit_ns, &sum) * 100 >= count * OWN_LEAST;
}

static double us_per_handshake(const struct batch *sum)
{
	uint64_t all = 0;

	for (int i = 0; i < STEP_COUNT; i++)
		all += sum->spent_ns[i];
	return (double)all / 1e3 / sum->handshakes;
}

static void print_result(const struct batch *batches, size_t count, const struct options *o, size_t bytes)
{
	uint64_t fastest = fastest_probe(batches, count), limit = fastest * PROBE_PERCENT / 100;
	bool is_own = enough(batches, count / 2, limit) && enough(batches + count / 2, count - count / 2, limit);
	struct batch all, own;
	size_t own_count = batches_sum(batches, count, limit, &own);

	batches_sum(batches, count, UINT64_MAX, &all);
	if (!is_own || !own.handshakes)
		own = all;
	printf("{\"group\": \"%s\", \"handshakes\": %u, \"bytes_per_sa\": %.1f, \"batches\": %zu, "
	       "\"batches_of_own_core\": %zu, \"own\": %s, \"probe_us\": %.2f, \"us_by_step\": {",
		o->group, o->handshakes, (double)bytes / o->handshakes, count, own_count, is_own ? "true" : "false",
		(double)fastest / 1e3);
	for (int i = 0; i < STEP_COUNT; i++)
		printf("%s\"%s\": %.2f", i ? ", " : "", step_texts[i], (double)own.spent_ns[i] / 1e3 / own.handshakes);
	printf("}, \"us_per_handshake\": %.2f, \"us_of_all_batches\": %.2f}\n", us_per_handshake(&own),
		us_per_handshake(&all));
}

int main(int argc, char **argv)
{
	struct options o = { .group = "ecp256", .handshakes = 1000 };
	struct side responder = { .next_spi = 0x100000 };
	struct tunnel_profile *profiles;
	struct batch *batches;
	size_t count, before;

	if (argc > 1)
		o.group = argv[1];
	if (argc > 2)
		o.handshakes = (uint32_t)strtoul(argv[2], NULL, 0);
	if (argc > 3 || !o.handshakes) {
		fprintf(stderr, "usage: bench_ike [GROUP [HANDSHAKES]]\n");
		return 2;
	}
	count = (o.handshakes + BATCH - 1) / BATCH;
	batches = calloc(count, sizeof(*batches));
	profiles = calloc(o.handshakes, sizeof(*profiles));
	for (uint32_t n = 0; n < o.handshakes; n++)
		profile_init(&profiles[n], &o, n, true);
	responder.engine = engine_create(&responder, profiles, o.handshakes);
	before = heap_bytes();
	run_batches(&responder, &o, batches, count);
	print_result(batches, count, &o, heap_bytes() - before);
	ike_engine_free(responder.engine);
	free(profiles);
	free(batches);
	return 0;
}
