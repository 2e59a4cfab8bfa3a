/* SPDX-License-Identifier: BSD-3-Clause */
/* The fake wire and the two hosts on it. Hosts keep the rules of ike.h and note when the engine breaks one. */
#include "fake_wire.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "v2/v2.h"

#define STEPS_MAX 400000

/* splitmix64 */
uint64_t test_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static bool chance(struct wire *w, unsigned percent)
{
	return percent && test_random(&w->random) % 100 < percent;
}

static void fault(struct wire *w, const char *text)
{
	if (!w->fault)
		w->fault = text;
}

/* ---- the host's functions ---- */

static void host_random(void *context, void *ret_data, size_t len)
{
	struct node *n = context;
	uint8_t *p = ret_data;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)test_random(&n->random);
}

static int host_psk(
	void *context, const struct identity *local, const struct identity *remote, struct secret *ret_secret)
{
	struct node *n = context;

	if (!n->psk || !local->type || !remote->type)
		return -ENOENT;
	return secret_copy(ret_secret, BYTES(n->psk, strlen(n->psk)));
}

static uint32_t host_reserve(void *context, const struct addr *local, const struct addr *remote)
{
	struct node *n = context;

	(void)local, (void)remote;
	if (n->no_spi)
		return 0;
	n->spis_out++;
	return n->next_spi++;
}

static void host_release(void *context, uint32_t spi)
{
	struct node *n = context;

	if (!spi || !n->spis_out)
		fault(n->wire, "an SPI is released that was not reserved");
	n->spis_out--;
}

/* The wanted address when the pool has it, else its first one. */
static int host_lease_take(void *context, const struct address_pool *pool, uint8_t family, const struct identity *peer,
	const struct addr *wanted, struct addr *ret_addr)
{
	struct node *n = context;

	(void)peer;
	for (int i = 0; i < pool->addresses.count && !n->no_lease; i++) {
		const struct selector *s = &pool->addresses.items[i];
		if (s->low.family != family)
			continue;
		*ret_addr = selector_matches(s, wanted, 0, false, 0) ? *wanted : s->low;
		n->lent++;
		return 0;
	}
	return n->no_lease ? -ENOSPC : -ENOENT;
}

static void host_lease_give_back(void *context, const struct address_pool *pool, const struct addr *addr)
{
	struct node *n = context;

	(void)pool;
	if (!addr->family || !n->lent)
		fault(n->wire, "an address is given back that was not lent");
	n->lent--;
}

static bool host_path_usable(void *context, const struct addr *local, const struct addr *remote)
{
	const struct node *n = context;

	(void)remote;
	return !addr_equal(local, &n->gone) && (addr_equal(local, &n->inside) || addr_equal(local, &n->second));
}

static struct known_sa *known_sa(const struct node *n, uint64_t spi)
{
	size_t i = 0;

	while (i < n->known_count && n->known[i].spi != spi)
		i++;
	return i < n->known_count ? &n->known[i] : NULL;
}

static void host_sa_news(void *context, uint64_t spi, enum ike_sa_news news)
{
	struct node *n = context;
	struct known_sa *k = known_sa(n, spi);

	if (k ? news == IKE_SA_OPENING || (news == IKE_SA_UP && k->up) : news == IKE_SA_GONE)
		fault(n->wire, "news of an IKE SA that are none");
	if (news == IKE_SA_GONE && k)
		*k = n->known[--n->known_count];
	if (news == IKE_SA_GONE)
		return;
	if (!k && n->known_count == n->known_capacity) {
		n->known_capacity = 2 * n->known_capacity + 16;
		n->known = reallocarray(n->known, n->known_capacity, sizeof(*n->known));
		assert(n->known);
	}
	if (!k)
		k = &n->known[n->known_count++];
	*k = (struct known_sa){ spi, news == IKE_SA_UP };
}

/* RFC 7748 6.1 */
void wire_fixed_job(struct crypto_job *job)
{
	uint8_t private_value[32], public_value[32];

	if (job->kind != JOB_KEX_GENERATE || job->group->id != KE_CURVE25519) {
		crypto_job_run(job);
		return;
	}
	hex_decode("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", private_value, 32);
	hex_decode("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", public_value, 32);
	job->result = kex_import(job->group, BYTES_OF(private_value), BYTES_OF(public_value), &job->key);
	job->public_len = sizeof(public_value);
	memcpy(job->public_value, public_value, sizeof(public_value));
}

/* ---- actions ---- */

static void story_add(struct wire *w, const struct node *from, struct bytes data)
{
	struct ike_header h;
	struct wire_error error;

	if (header_decode(data, &h, &error) || w->story_len + 64 > STORY_BYTES)
		return;
	w->story_len += (size_t)snprintf(w->story + w->story_len, STORY_BYTES - w->story_len, "%c %s %s %u\n",
		from->name, exchange_name(h.exchange), h.flags & IKE_FLAG_RESPONSE ? "response" : "request",
		h.message_id);
}

bool wire_story_is(const struct wire *w, const char *story)
{
	if (!strcmp(w->story, story))
		return true;
	printf("# expected:\n%s# was:\n%s", story, w->story);
	return false;
}

static void enqueue(struct wire *w, struct packet p)
{
	if (w->packet_count == PACKETS_MAX) {
		fault(w, "the wire is full");
		free(p.data);
		return;
	}
	p.order = w->order++;
	w->packets[w->packet_count++] = p;
}

static struct packet packet_copy(const struct packet *p)
{
	struct packet copy = *p;

	copy.data = malloc(p->len ? p->len : 1);
	assert(copy.data);
	memcpy(copy.data, p->data, p->len);
	return copy;
}

static void transmit(struct wire *w, struct packet p)
{
	if (w->filter && !w->filter(w, &p, w->filter_argument)) {
		free(p.data);
		return;
	}
	if (chance(w, w->duplicate_percent)) {
		struct packet twin = packet_copy(&p);
		twin.at_ns += test_random(&w->random) % (100 * MS);
		enqueue(w, twin);
	}
	if (chance(w, w->loss_percent)) {
		free(p.data);
		return;
	}
	if (chance(w, w->reorder_percent))
		p.at_ns += test_random(&w->random) % (900 * MS);
	enqueue(w, p);
}

/* The address as the peer sees it, through the NAT in front of it. False: not one of ours. */
static bool leave(const struct node *n, const struct endpoint *inside, struct endpoint *ret_outside)
{
	bool second = n->second.family && addr_equal(&inside->addr, &n->second);
	const struct addr *outside = second ? &n->second_outside : &n->outside;

	if ((!second && !addr_equal(&inside->addr, &n->inside)) || addr_equal(&inside->addr, &n->gone) ||
		addr_equal(outside, &n->cut))
		return false;
	*ret_outside = (struct endpoint){ *outside,
		(uint16_t)(inside->port + (second ? n->second_offset : n->port_offset)) };
	return true;
}

static bool arrive(const struct node *n, const struct endpoint *outside, struct endpoint *ret_inside)
{
	bool second = n->second.family && addr_equal(&outside->addr, &n->second_outside);
	const struct addr *inside = second ? &n->second : &n->inside;

	if ((!second && !addr_equal(&outside->addr, &n->outside)) || addr_equal(inside, &n->gone) ||
		addr_equal(&outside->addr, &n->cut))
		return false;
	*ret_inside = (struct endpoint){ *inside,
		(uint16_t)(outside->port - (second ? n->second_offset : n->port_offset)) };
	/* the NAT has no other mapping */
	return ret_inside->port == IKE_PORT || ret_inside->port == NATT_PORT;
}

/* Addresses as the receiver sees them: the sender's NAT, then the receiver's. */
static void send_packet(struct node *n, struct ike_action *a)
{
	struct wire *w = n->wire;
	struct node *peer = n == &w->a ? &w->b : &w->a;
	struct packet p = { .at_ns = w->now_ns + w->latency_ns, .from = n, .to = peer };

	if (a->send.keepalive) {
		n->keepalives++;
		if (a->send.len != 1 || a->send.data[0] != 0xff)
			fault(w, "a keepalive is not one 0xff byte");
		return;
	}
	story_add(w, n, BYTES(a->send.data, a->send.len));
	if (n->dead || !leave(n, &a->send.local, &p.remote) || !arrive(peer, &a->send.remote, &p.local))
		return;
	p.data = a->send.data;
	p.len = a->send.len;
	a->send.data = NULL;
	transmit(w, p);
}

static struct pair *find_pair(struct node *n, uint32_t spi_in, uint32_t spi_out)
{
	for (int i = 0; i < PAIRS_MAX; i++)
		if (n->pairs[i].live && n->pairs[i].in.spi == spi_in && n->pairs[i].out.spi == spi_out)
			return &n->pairs[i];
	return NULL;
}

static void send_on(struct node *n, int pair)
{
	n->current[n->pairs[pair].tunnel][n->pairs[pair].child] = pair;
	if (!n->pairs[pair].child)
		n->latest = pair;
}

static void install(struct node *n, struct ike_action *a)
{
	const char *reason;

	if (sa_spec_check(a->install.in, &reason) || sa_spec_check(a->install.out, &reason))
		fault(n->wire, "an SA specification makes no sense");
	n->installs++;
	for (int i = 0; i < PAIRS_MAX; i++)
		if (!n->pairs[i].live) {
			n->pairs[i] = (struct pair){ *a->install.in, *a->install.out, a->install.tunnel,
				a->install.child, true };
			*a->install.in = *a->install.out = (struct sa_spec){ 0 };
			if (a->install.switch_now)
				send_on(n, i);
			return;
		}
	fault(n->wire, "too many pairs");
}

static void forget_pair(struct node *n, struct pair *p)
{
	if (n->current[p->tunnel][p->child] == p - n->pairs)
		n->current[p->tunnel][p->child] = -1;
	if (n->latest == p - n->pairs)
		n->latest = -1;
	sa_spec_done(&p->in);
	sa_spec_done(&p->out);
	p->live = false;
}

/* As a host does it: SWITCH supersedes the outbound SA of the pair before but keeps it until that pair is retired, so
 * that a later SWITCH can go back; RETIRE of the pair in use leaves nothing to send on. */
static void change_child(struct node *n, const struct ike_action *a)
{
	struct pair *p = find_pair(n, a->child.spi_in, a->child.spi_out);

	if (!p) {
		fault(n->wire, "an action names a pair that is not installed");
		return;
	}
	switch (a->kind) {
	case IKE_SWITCH: send_on(n, (int)(p - n->pairs)); break;
	case IKE_UPDATE:
		n->updates++;
		p->in.path = p->out.path = a->child.path;
		break;
	default:
		n->retires++;
		n->spis_out--;
		forget_pair(n, p);
		break;
	}
}

static void take_event(struct node *n, const struct ike_event *event)
{
	n->events[event->kind]++;
	snprintf(n->last_text, sizeof(n->last_text), "%s", event->text);
	if (event->kind == IKE_EV_MOVED)
		snprintf(n->moved, sizeof(n->moved), "%s", event->text);
	if (event->kind == IKE_EV_MOVE_REFUSED)
		snprintf(n->refused, sizeof(n->refused), "%s", event->text);
	if (event->kind == IKE_EV_FAILED) {
		n->failure = event->failure;
		n->failure_tunnel = event->tunnel;
	}
	if (getenv("WIRE_TRACE"))
		printf("# %.3f %c %s %s\n", (double)n->wire->now_ns / 1e9, n->name, ike_event_name(event->kind),
			event->text);
}

static void take_job(struct node *n, struct ike_action *a)
{
	struct wire *w = n->wire;

	if (w->job_count == JOBS_MAX) {
		fault(w, "too many jobs");
		return;
	}
	w->jobs[w->job_count++] = (struct late_job){ w->now_ns + w->job_delay_ns, n, a->job };
	a->job = NULL;
}

static void take_address(struct node *n, const struct ike_action *a)
{
	if (!a->address.given && !n->times_given)
		fault(n->wire, "an address is gone that was not given");
	n->times_given += a->address.given ? 1 : -1;
	if (a->address.given) {
		memcpy(n->given, a->address.addrs, sizeof(n->given));
		n->dns = a->address.dns;
	} else if (!n->times_given) {
		memset(n->given, 0, sizeof(n->given));
		n->dns = (struct address_list){ 0 };
	}
}

void node_carry_out(struct node *n, struct ike_actions *out)
{
	if (out->failed)
		fault(n->wire, "an action list failed");
	for (size_t i = 0; i < out->count; i++) {
		struct ike_action *a = &out->items[i];
		switch (a->kind) {
		case IKE_SEND: send_packet(n, a); break;
		case IKE_INSTALL: install(n, a); break;
		case IKE_CRYPTO: take_job(n, a); break;
		case IKE_EVENT: take_event(n, a->event); break;
		case IKE_ADDRESS: take_address(n, a); break;
		default: change_child(n, a); break;
		}
	}
	ike_actions_done(out);
}

static void finish_job(struct node *n, struct crypto_job *job)
{
	struct ike_actions out = { 0 };

	n->wire->run_job(job);
	ike_job_done(n->engine, job, n->wire->now_ns, &out);
	node_carry_out(n, &out);
}

void node_command(struct node *n, enum ike_command_kind kind, uint32_t tunnel)
{
	struct ike_actions out = { 0 };
	bool one = kind == IKE_ACQUIRE;
	struct ike_command c = { .kind = kind, .tunnel = tunnel, .child = one ? 0 : IKE_WHOLE_TUNNEL };

	ike_command(n->engine, &c, n->wire->now_ns, &out);
	node_carry_out(n, &out);
}

void node_index_command(struct node *n, enum ike_command_kind kind, uint32_t tunnel, uint32_t child)
{
	struct ike_actions out = { 0 };
	struct ike_command c = { .kind = kind, .tunnel = tunnel, .child = child };

	ike_command(n->engine, &c, n->wire->now_ns, &out);
	node_carry_out(n, &out);
}

void node_child_command(struct node *n, enum ike_command_kind kind, uint32_t spi, const struct endpoint *remote)
{
	struct ike_actions out = { 0 };
	struct ike_command c = { .kind = kind, .spi = spi };

	if (remote)
		c.remote = *remote;
	ike_command(n->engine, &c, n->wire->now_ns, &out);
	node_carry_out(n, &out);
}

void node_paths_changed(struct node *n)
{
	struct ike_actions out = { 0 };
	struct ike_command c = { .kind = IKE_PATHS_CHANGED };

	ike_command(n->engine, &c, n->wire->now_ns, &out);
	node_carry_out(n, &out);
}

void node_move(struct node *n, const char *local, const char *remote)
{
	struct ike_actions out = { 0 };
	struct ike_command c = { .kind = IKE_MOVE, .child = IKE_WHOLE_TUNNEL };

	if (local)
		addr_parse(local, &c.local);
	if (remote)
		addr_parse(remote, &c.remote.addr);
	ike_command(n->engine, &c, n->wire->now_ns, &out);
	node_carry_out(n, &out);
}

void node_start_another(struct node *n, uint32_t tunnel)
{
	struct ike_actions out = { 0 };

	n->engine->now_ns = n->wire->now_ns;
	n->engine->out = &out;
	sa_init_initiate(n->engine, &n->engine->tunnels[tunnel]);
	n->engine->out = NULL;
	node_carry_out(n, &out);
}

void node_receive(struct node *n, const struct endpoint *local, const struct endpoint *remote, struct bytes data)
{
	struct ike_actions out = { 0 };
	/* a heap copy of the exact size: an access behind it shows under ASan */
	uint8_t *copy = malloc(data.len ? data.len : 1);
	struct ike_datagram d = { *local, *remote, BYTES(copy, data.len) };

	assert(copy);
	if (data.len)
		memcpy(copy, data.data, data.len);
	ike_input(n->engine, &d, n->wire->now_ns, &out);
	node_carry_out(n, &out);
	free(copy);
}

/* ---- set-up ---- */

void proposals_set(struct proposal_list *list, enum security_protocol protocol, const char *text)
{
	const char *word, *reason;
	size_t len;
	char copy[256];

	list->count = 0;
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *rest = copy, *one; (one = strsep(&rest, ","));) {
		int err = proposal_parse(protocol, one, &list->items[list->count], &word, &len, &reason);
		if (err)
			printf("# proposal %s: %s\n", one, reason);
		assert(!err);
		list->count++;
	}
}

void selectors_set(struct selector_list *list, const char *text)
{
	char copy[256];

	list->count = 0;
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *rest = copy, *one; (one = strsep(&rest, ","));) {
		int err = selector_parse(one, &list->items[list->count++]);
		assert(!err);
		(void)err;
	}
}

static void profile_init(struct tunnel_profile *p, const struct node *n, const struct node *peer, const char *local_id,
	const char *remote_id)
{
	struct child_profile *c = &p->children[0];

	*p = (struct tunnel_profile){ .name = "paris", .local_addr = n->inside, .remote_addr = peer->outside };
	identity_parse(local_id, &p->local_id);
	identity_parse(remote_id, &p->remote_id);
	proposals_set(&p->proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519");
	p->dpd_interval_ns = 10 * S;
	p->dpd_timeout_ns = 20 * S;
	p->fragmentation = true;
	p->fragment_bytes_ipv4 = 576;
	p->fragment_bytes_ipv6 = 1280;
	p->child_count = 1;
	snprintf(c->name, sizeof(c->name), "net");
	proposals_set(&c->proposals, PROTOCOL_ESP, "aes128gcm16");
	c->replay_window = 64;
	selectors_set(&c->local, n->name == 'A' ? "10.1.0.0/24" : "10.2.0.0/24");
	selectors_set(&c->remote, n->name == 'A' ? "10.2.0.0/24" : "10.1.0.0/24");
	c->start = n->name == 'A' ? START_INITIATE : START_RESPOND;
}

static void node_init(struct wire *w, struct node *n, char name, const char *address, uint64_t seed)
{
	n->name = name;
	n->wire = w;
	n->settings = ike_default_settings;
	n->psk = "an example of a shared secret";
	addr_parse(address, &n->inside);
	n->outside = n->inside;
	n->random = seed;
	memset(n->current, -1, sizeof(n->current));
	n->latest = -1;
	n->next_spi = name == 'A' ? 0xa0000001 : 0xb0000001;
	n->profile_count = 1;
}

void wire_init(struct wire *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->random = seed;
	w->now_ns = 1000 * S;
	w->latency_ns = 10 * MS;
	w->run_job = crypto_job_run;
	node_init(w, &w->a, 'A', "192.0.2.1", seed ^ 0xaaaa);
	node_init(w, &w->b, 'B', "192.0.2.2", seed ^ 0xbbbb0000);
	profile_init(&w->a.profiles[0], &w->a, &w->b, "a.example.net", "b.example.net");
	profile_init(&w->b.profiles[0], &w->b, &w->a, "b.example.net", "a.example.net");
}

static void node_start(struct node *n)
{
	struct ike_host host = { n, host_random, host_psk, host_reserve, host_release, host_lease_take,
		host_lease_give_back, host_path_usable, host_sa_news };

	n->engine = ike_engine_create(&n->settings, &host, n->profiles, n->profile_count);
	assert(n->engine);
}

void wire_start(struct wire *w)
{
	node_start(&w->a);
	node_start(&w->b);
}

static uint64_t coverage[TRANSITIONS_MAX];

static void note_coverage(const struct node *n)
{
	for (size_t i = 0; i < ike_transition_count(); i++)
		coverage[i] += n->engine->steps[i];
}

/* Which rows of the transition table were used is added up over the programs of a test run. */
static void __attribute__((destructor)) coverage_write(void)
{
	const char *directory = getenv("COVERAGE_DIR");
	char path[512];

	if (!directory)
		return;
	snprintf(path, sizeof(path), "%s/transitions.%ld", directory, (long)getpid());
	FILE *f = fopen(path, "w");
	if (!f)
		return;
	for (size_t i = 0; i < ike_transition_count(); i++)
		fprintf(f, "%zu %s %llu\n", i, ike_transition_name(i), (unsigned long long)coverage[i]);
	fclose(f);
}

static void node_stop(struct node *n)
{
	struct wire *w = n->wire;
	size_t kept = 0;

	for (size_t i = 0; i < w->job_count; i++)
		if (w->jobs[i].node == n)
			crypto_job_free(w->jobs[i].job);
		else
			w->jobs[kept++] = w->jobs[i];
	w->job_count = kept;
	for (int i = 0; i < PAIRS_MAX; i++)
		if (n->pairs[i].live) {
			n->spis_out--;
			forget_pair(n, &n->pairs[i]);
		}
	note_coverage(n);
	ike_engine_free(n->engine);
	n->engine = NULL;
	free(n->known);
	n->known = NULL;
	n->known_count = n->known_capacity = 0;
}

void node_restart(struct node *n)
{
	node_stop(n);
	n->spis_out = 0;
	n->times_given = 0;
	memset(n->given, 0, sizeof(n->given));
	n->dead = false;
	node_start(n);
}

bool node_spis_add_up(const struct node *n)
{
	uint32_t waiting = 0;

	for (const struct ike_sa *sa = n->engine->sas; sa; sa = sa->next)
		waiting += (sa->reserved_spi != 0) + (sa->ours && sa->ours->reserved) +
			   (sa->theirs && sa->theirs->reserved);
	return n->spis_out == node_live_pairs(n) + waiting;
}

bool node_sas_are_known(const struct node *n)
{
	size_t count = 0;

	for (const struct ike_sa *sa = n->engine->sas; sa; sa = sa->next, count++) {
		const struct known_sa *k = known_sa(n, sa_our_spi(sa));
		if (!k || k->up != (sa->established_order != 0))
			return false;
	}
	return count == n->known_count;
}

bool wire_done(struct wire *w)
{
	if (!node_sas_are_known(&w->a) || !node_sas_are_known(&w->b))
		fault(w, "the host was not told which IKE SAs are here");
	if (!node_spis_add_up(&w->a) || !node_spis_add_up(&w->b))
		fault(w, "SPIs leaked");
	node_stop(&w->a);
	node_stop(&w->b);
	if (w->a.spis_out || w->b.spis_out)
		fault(w, "reserved SPIs outlive the engine");
	if (w->a.lent || w->b.lent)
		fault(w, "lent addresses outlive the engine");
	for (size_t i = 0; i < w->packet_count; i++)
		free(w->packets[i].data);
	if (w->fault)
		printf("# %s\n", w->fault);
	return !w->fault;
}

/* ---- traffic ---- */

/* A packet of traffic is its SPI. It is never lost on the wire, but it may be late. */
static void send_traffic(struct node *n, const struct pair *p)
{
	struct wire *w = n->wire;
	struct node *peer = n == &w->a ? &w->b : &w->a;
	struct packet packet = { .at_ns = w->now_ns + w->latency_ns, .from = n, .to = peer, .spi = p->out.spi };

	if (chance(w, w->reorder_percent))
		packet.at_ns += test_random(&w->random) % (900 * MS);
	w->traffic_sent++;
	if (w->traffic_by_address &&
		(!leave(n, &p->out.path.local, &packet.remote) || !arrive(peer, &p->out.path.remote, &packet.local))) {
		w->traffic_strayed++;
		w->strayed_last_ns = w->now_ns;
		return;
	}
	enqueue(w, packet);
}

static void send_all_traffic(struct wire *w)
{
	struct node *nodes[] = { &w->a, &w->b };

	w->traffic_at_ns = w->now_ns + w->traffic_every_ns;
	for (int i = 0; i < 2; i++)
		for (uint32_t t = 0; t < PROFILES_MAX; t++)
			for (uint32_t c = 0; c < CHILDREN_MAX; c++)
				if (node_pair_of(nodes[i], t, c))
					send_traffic(nodes[i], node_pair_of(nodes[i], t, c));
}

static void receive_traffic(struct node *n, uint32_t spi)
{
	for (int i = 0; i < PAIRS_MAX; i++)
		if (n->pairs[i].live && n->pairs[i].in.spi == spi) {
			node_child_command(n, IKE_USED, spi, NULL);
			return;
		}
	n->wire->traffic_lost++;
	if (getenv("WIRE_TRACE"))
		printf("# %.3f %c lost a packet for %08x\n", (double)n->wire->now_ns / 1e9, n->name, spi);
}

/* ---- running ---- */

static size_t earliest_packet(const struct wire *w)
{
	size_t best = 0;

	for (size_t i = 1; i < w->packet_count; i++) {
		const struct packet *p = &w->packets[i], *q = &w->packets[best];
		if (p->at_ns < q->at_ns || (p->at_ns == q->at_ns && p->order < q->order))
			best = i;
	}
	return best;
}

static void deliver(struct wire *w, size_t i)
{
	struct packet p = w->packets[i];

	w->packets[i] = w->packets[--w->packet_count];
	if (p.spi) {
		receive_traffic(p.to, p.spi);
		return;
	}
	if (getenv("WIRE_TRACE")) {
		struct message m;
		struct wire_error error;
		char text[512] = "malformed";
		if (!message_decode(BYTES(p.data, p.len), &m, &error))
			message_format(&m, text, sizeof(text));
		printf("# %.3f %c > %c %s\n", (double)w->now_ns / 1e9, p.from->name, p.to->name, text);
	}
	if (!p.to->dead)
		node_receive(p.to, &p.local, &p.remote, BYTES(p.data, p.len));
	free(p.data);
}

static void tick(struct node *n)
{
	struct ike_actions out = { 0 };

	ike_tick(n->engine, n->wire->now_ns, &out);
	node_carry_out(n, &out);
	if (ike_next_deadline(n->engine) <= n->wire->now_ns)
		fault(n->wire, "a deadline stays in the past");
}

static uint64_t deadline(const struct node *n)
{
	return n->dead ? UINT64_MAX : ike_next_deadline(n->engine);
}

static void watch(struct wire *w)
{
	if (!w->watch_traffic)
		return;
	w->traffic_seen = w->traffic_seen || wire_up(w);
	if (w->traffic_seen && !wire_up(w))
		fault(w, "traffic stopped flowing");
}

bool wire_step(struct wire *w, uint64_t limit_ns)
{
	size_t p = earliest_packet(w);
	uint64_t packet = w->packet_count ? w->packets[p].at_ns : UINT64_MAX;
	uint64_t job = w->job_count ? w->jobs[0].at_ns : UINT64_MAX;
	uint64_t a = deadline(&w->a), b = deadline(&w->b);
	uint64_t traffic = w->traffic_every_ns ? w->traffic_at_ns : UINT64_MAX;
	uint64_t next = packet < job ? packet : job;

	next = a < next ? a : next;
	next = b < next ? b : next;
	next = traffic < next ? traffic : next;
	if (next > limit_ns)
		return false;
	w->now_ns = next > w->now_ns ? next : w->now_ns;
	if (next == job) {
		struct late_job late = w->jobs[0];
		w->job_count--;
		memmove(w->jobs, w->jobs + 1, w->job_count * sizeof(w->jobs[0]));
		finish_job(late.node, late.job);
	} else if (next == packet) {
		deliver(w, p);
	} else if (next == traffic) {
		send_all_traffic(w);
	} else {
		tick(next == a ? &w->a : &w->b);
	}
	watch(w);
	return true;
}

void wire_run(struct wire *w, uint64_t duration_ns)
{
	uint64_t end = w->now_ns + duration_ns;
	unsigned steps = 0;

	while (wire_step(w, end) && steps < STEPS_MAX)
		steps++;
	if (steps == STEPS_MAX)
		fault(w, "the wire does not come to rest");
	w->now_ns = end;
}

bool wire_run_until_up(struct wire *w, uint64_t limit_ns)
{
	uint64_t end = w->now_ns + limit_ns;

	while (!wire_up(w) && wire_step(w, end))
		;
	return wire_up(w);
}

bool wire_run_until_down(struct wire *w, uint64_t limit_ns)
{
	uint64_t end = w->now_ns + limit_ns;

	while ((node_live_pairs(&w->a) || node_live_pairs(&w->b)) && wire_step(w, end))
		;
	return !node_live_pairs(&w->a) && !node_live_pairs(&w->b);
}

/* ---- what is up ---- */

const struct pair *node_pair_of(const struct node *n, uint32_t tunnel, uint32_t child)
{
	int i = n->current[tunnel][child];

	return i >= 0 ? &n->pairs[i] : NULL;
}

const struct pair *node_pair(const struct node *n)
{
	return n->latest >= 0 ? &n->pairs[n->latest] : NULL;
}

static bool same_selectors(const struct selector_list *a, const struct selector_list *b)
{
	if (a->count != b->count)
		return false;
	for (int i = 0; i < a->count; i++)
		if (!selector_equal(&a->items[i], &b->items[i]))
			return false;
	return true;
}

static bool specs_match(const struct sa_spec *out, const struct sa_spec *in)
{
	return out->spi == in->spi && out->mode == in->mode && out->protocol == in->protocol && out->encr == in->encr &&
	       out->integ == in->integ && out->esn == in->esn &&
	       bytes_equal(secret_view(&out->encr_key), secret_view(&in->encr_key)) &&
	       bytes_equal(secret_view(&out->integ_key), secret_view(&in->integ_key)) &&
	       same_selectors(&out->local, &in->remote) && same_selectors(&out->remote, &in->local);
}

static bool pair_arrives(const struct pair *p, const struct node *to)
{
	for (int i = 0; p && i < PAIRS_MAX; i++)
		if (to->pairs[i].live && specs_match(&p->out, &to->pairs[i].in))
			return true;
	return false;
}

bool node_flows(const struct node *from, const struct node *to)
{
	return pair_arrives(node_pair(from), to);
}

bool wire_child_up(const struct wire *w, uint32_t child)
{
	return pair_arrives(node_pair_of(&w->a, 0, child), &w->b) && pair_arrives(node_pair_of(&w->b, 0, child), &w->a);
}

bool wire_paired(const struct wire *w)
{
	for (int i = 0; i < PAIRS_MAX; i++) {
		bool found = !w->a.pairs[i].live;
		for (int j = 0; j < PAIRS_MAX && !found; j++)
			found = w->b.pairs[j].live && specs_match(&w->a.pairs[i].out, &w->b.pairs[j].in) &&
				specs_match(&w->b.pairs[j].out, &w->a.pairs[i].in);
		if (!found)
			return false;
	}
	return node_live_pairs(&w->a) == node_live_pairs(&w->b);
}

bool wire_up(const struct wire *w)
{
	return node_flows(&w->a, &w->b) && node_flows(&w->b, &w->a);
}

unsigned node_live_pairs(const struct node *n)
{
	unsigned count = 0;

	for (int i = 0; i < PAIRS_MAX; i++)
		count += n->pairs[i].live;
	return count;
}

struct ike_tunnel_status node_status(const struct node *n, uint32_t tunnel)
{
	struct ike_tunnel_status status;

	if (ike_tunnel_status(n->engine, tunnel, &status))
		memset(&status, 0, sizeof(status));
	return status;
}

uint64_t node_counter(const struct node *n, enum ike_counter c)
{
	return ike_counters(n->engine)[c];
}

/* ---- messages of a peer that does not keep to the rules ---- */

struct ike_sa *node_sa(const struct node *n)
{
	struct ike_sa *sa = n->engine->sas;

	while (sa && !sa->keys.len)
		sa = sa->next;
	return sa;
}

size_t node_sa_bytes(const struct node *n)
{
	const struct ike_sa *sa = node_sa(n);
	const struct child_sa *child = TAILQ_FIRST(&sa->children);

	return sizeof(*sa) + sa->keys.len + sa->outbox.response_len + sa->outbox.request_len + sizeof(*child) +
	       (child->local_count + (size_t)child->remote_count) * sizeof(struct selector);
}

size_t seal_fragment(struct node *sender, uint8_t exchange, bool response, uint32_t message_id, struct fragment f,
	struct bytes plain, uint8_t *ret_data, size_t capacity)
{
	struct ike_sa *sa = sender->speaks_as ? sender->speaks_as : node_sa(sender);
	const struct alg *encr = sa->suite.encr;
	struct aead_params p = { encr, sa->suite.integ, keymat_part(sa, sa->initiator ? KEY_EI : KEY_ER),
		keymat_part(sa, sa->initiator ? KEY_AI : KEY_AR) };
	size_t over = (plain.len + 1) % encr->block_bytes, pad = over ? encr->block_bytes - over : 0;
	size_t body = (f.total ? 4 : 0) + encr->iv_bytes + plain.len + pad + 1 + aead_icv_bytes(&p);
	struct writer w = writer_init(ret_data, capacity);
	struct ike_header h = { sa->spi_i, sa->spi_r, f.total ? PAYLOAD_SKF : PAYLOAD_SK, 0x20, exchange,
		(uint8_t)((sa->initiator ? IKE_FLAG_INITIATOR : 0) | (response ? IKE_FLAG_RESPONSE : 0)), message_id,
		(uint32_t)(IKE_HEADER_BYTES + PAYLOAD_HEADER_BYTES + body) };

	header_encode(&h, &w);
	writer_u8(&w, f.first);
	writer_u8(&w, 0);
	writer_u16(&w, (uint16_t)(PAYLOAD_HEADER_BYTES + body));
	if (f.total) {
		writer_u16(&w, f.number);
		writer_u16(&w, f.total);
	}
	size_t head = w.len;
	uint8_t *iv = writer_reserve(&w, encr->iv_bytes);
	uint8_t *data = writer_reserve(&w, plain.len + pad + 1);
	uint8_t *icv = writer_reserve(&w, aead_icv_bytes(&p));
	assert(!w.failed);
	host_random(sender, iv, encr->iv_bytes);
	memset(data, 0, plain.len + pad + 1);
	if (plain.len)
		memcpy(data, plain.data, plain.len);
	data[plain.len + pad] = sender->bad_pad ? sender->bad_pad : (uint8_t)pad;
	int err = aead_seal(sender->engine->crypto, &p, BYTES(iv, encr->iv_bytes), BYTES(ret_data, head), data,
		plain.len + pad + 1, icv);
	assert(!err);
	(void)err;
	return w.len;
}

size_t seal_raw(struct node *sender, uint8_t exchange, bool response, uint32_t message_id, uint8_t first,
	struct bytes plain, uint8_t *ret_data, size_t capacity)
{
	return seal_fragment(
		sender, exchange, response, message_id, (struct fragment){ .first = first }, plain, ret_data, capacity);
}
