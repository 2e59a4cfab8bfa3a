/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: operators, networks and clocks at random on both sides, and after each while of them a quiet time in
 * which both ends have to agree. A world is one pair of engines with one configuration; its seed is printed when a rule
 * is broken, and SALLYPORT_SEED begins with that world. The worlds are the same in each run, so that who changes the
 * engine meets those who break one; SALLYPORT_LONG=1: others each time, and a hundred times as many steps. */
#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#include "harness.h"

#include "fake_wire.h"
#include "v2/v2.h"

#define STEPS 5000 /* of each of both tests */
#ifdef __has_feature
#define STEPS_TIMES 5 /* of a long run: clang is here for its sanitizers, which are slow */
#else
#define STEPS_TIMES 100
#endif
#define STEPS_A_WORLD 50
#define FIRST_SEED    1
#define STEPS_A_WHILE 10
#define QUIET_NS      (200 * S)
#define REST_NS       (120 * S) /* lives that end in the quiet time are renewed within this */
#define LOSSES_MAX    2
#define LOG_LINES     64
#define LIBRARY_BYTES 32768 /* what a library may keep for good */
#define TRAFFIC_NS    (50 * MS)
#define QUIET_TRAFFIC (1 * S)
#define CHILDREN_OURS 3

struct world {
	struct wire w;
	uint64_t seed, random;
	bool calm; /* nothing happens that may cost a packet */
	bool nat, config, mobike;
	unsigned loss_percent;   /* calm: of messages, but not of many in a row */
	unsigned lost[2];        /* in a row, of A and B */
	bool up;                 /* calm: all children have come up and have to stay so */
	const char *broken;      /* the first broken rule */
	char log[LOG_LINES][64]; /* what was done last */
	unsigned logged;
};

static struct address_pool pool;

static uint64_t below(struct world *world, uint64_t limit)
{
	return test_random(&world->random) % limit;
}

static void broke(struct world *world, const char *rule)
{
	if (!world->broken)
		world->broken = rule;
}

static struct node *peer_of(struct node *n)
{
	return n == &n->wire->a ? &n->wire->b : &n->wire->a;
}

/* ---- a configuration ---- */

static void add_child(struct node *n, int i)
{
	struct tunnel_profile *p = &n->profiles[0];
	struct child_profile *c = &p->children[i];
	char near[32], far[32];
	int side = n->name == 'A' ? 1 : 2;

	*c = p->children[0];
	p->child_count = (uint8_t)(i + 1);
	snprintf(c->name, sizeof(c->name), "net%d", i);
	snprintf(near, sizeof(near), "10.%d.%d.0/24", side, i);
	snprintf(far, sizeof(far), "10.%d.%d.0/24", 3 - side, i);
	selectors_set(&c->local, near);
	selectors_set(&c->remote, far);
}

static const char *const ike_suites[] = { "aes256gcm16-prfsha384-x25519", "aes128-sha256-x25519",
	"aes128-sha256-x25519,aes256gcm16-prfsha384-x25519" };
static const char *const ah_suites[] = { "sha256", "sha256-x25519" };
static const char *const esp_suites[] = { "aes128gcm16", "aes128gcm16-x25519",
	"aes128-sha256-x25519,aes128gcm16-x25519", "aes256-sha256" };

/* Both sides get the same: what they could not agree on is another test's. */
static void set_times(struct world *world, uint64_t least_s)
{
	uint64_t ike = below(world, 2) ? (least_s + below(world, 200)) * S : 0;
	uint64_t child = below(world, 2) ? (least_s + below(world, 100)) * S : 0;
	struct node *nodes[] = { &world->w.a, &world->w.b };

	for (int i = 0; i < 2; i++) {
		nodes[i]->profiles[0].lifetime_ns = ike;
		for (int c = 0; c < CHILDREN_OURS; c++)
			nodes[i]->profiles[0].children[c].lifetime_ns = child;
	}
	world->w.a.profiles[0].reauth_ns = below(world, 4) ? 0 : (least_s + below(world, 200)) * S;
}

static void set_suites(struct world *world)
{
	const char *ike = ike_suites[below(world, ARRAY_LEN(ike_suites))];
	const char *esp = esp_suites[below(world, ARRAY_LEN(esp_suites))];
	struct node *nodes[] = { &world->w.a, &world->w.b };

	for (int i = 0; i < 2; i++) {
		proposals_set(&nodes[i]->profiles[0].proposals, PROTOCOL_IKE, ike);
		for (int c = 0; c < CHILDREN_OURS; c++)
			proposals_set(&nodes[i]->profiles[0].children[c].proposals, PROTOCOL_ESP, esp);
	}
}

/* The second child: between the hosts themselves, or of A's networks B has one only. */
static void set_second_child(struct world *world)
{
	struct child_profile *a = &world->w.a.profiles[0].children[1], *b = &world->w.b.profiles[0].children[1];

	switch (below(world, 4)) {
	case 0:
		if (world->nat || world->mobike)
			break;
		a->mode = b->mode = SA_MODE_TRANSPORT;
		selectors_set(&a->local, "192.0.2.1");
		selectors_set(&a->remote, "192.0.2.2");
		b->local = a->remote;
		b->remote = a->local;
		break;
	case 1: selectors_set(&a->local, "10.1.8.0/24,10.1.1.0/24"); break;
	case 2: selectors_set(&b->remote, "10.1.1.0/24,10.1.8.0/24"); break;
	default: break;
	}
}

static void set_ah(struct world *world)
{
	const char *ah = ah_suites[below(world, ARRAY_LEN(ah_suites))];

	proposals_set(&world->w.a.profiles[0].children[2].proposals, PROTOCOL_AH, ah);
	proposals_set(&world->w.b.profiles[0].children[2].proposals, PROTOCOL_AH, ah);
}

static void set_second_address(struct node *n, const char *address)
{
	struct address_list *more = &n->profiles[0].local_more;

	addr_parse(address, &n->second);
	n->second_outside = n->second;
	more->count = 1;
	more->items[0] = n->second;
	n->profiles[0].mobike = n->profiles[0].mobike_check = true;
}

static void set_nat(struct world *world)
{
	struct wire *w = &world->w;

	addr_parse("10.0.0.1", &w->a.inside);
	addr_parse("198.51.100.1", &w->a.outside);
	w->a.port_offset = 20000;
	w->a.profiles[0].local_addr = w->a.inside;
	w->b.profiles[0].remote_addr = w->a.outside;
}

static void set_config(struct world *world)
{
	struct tunnel_profile *a = &world->w.a.profiles[0], *b = &world->w.b.profiles[0];

	pool = (struct address_pool){ .name = "staff" };
	selectors_set(&pool.addresses, "10.8.0.5-10.8.0.9");
	a->virtual_ip = VIRTUAL_IPV4;
	/* who has a virtual address is not called */
	b->remote_addr = (struct addr){ 0 };
	b->pool = &pool;
	selectors_set(&a->children[0].local, "0.0.0.0/0");
	selectors_set(&b->children[0].remote, "10.8.0.5-10.8.0.9");
	a->children[0].local.dynamic = b->children[0].remote.dynamic = true;
}

static void set_starts(struct world *world)
{
	for (int c = 0; c < CHILDREN_OURS; c++) {
		world->w.a.profiles[0].children[c].start = world->calm ? START_INITIATE
								       : (enum start_action)below(world, 3);
		world->w.b.profiles[0].children[c].start = world->calm || world->config || world->nat
								   ? START_RESPOND
								   : (enum start_action)below(world, 3);
	}
}

static bool lost_on_the_way(struct world *world, const struct packet *p)
{
	unsigned *lost = &world->lost[p->from == &world->w.b];
	bool now = *lost < LOSSES_MAX && below(world, 100) < world->loss_percent;

	*lost = now ? *lost + 1 : 0;
	return now;
}

static bool pass(struct wire *w, struct packet *p, void *argument)
{
	(void)w;
	/* a NAT's mapping that is gone leads nowhere */
	return (p->local.port == IKE_PORT || p->local.port == NATT_PORT) && !lost_on_the_way(argument, p);
}

static void world_begin(struct world *world, uint64_t seed, bool calm)
{
	struct wire *w = &world->w;

	memset(world, 0, sizeof(*world));
	world->seed = world->random = seed;
	world->calm = calm;
	wire_init(w, seed);
	w->run_job = wire_fixed_job;
	w->filter = pass;
	w->filter_argument = world;
	world->nat = !below(world, 4);
	world->config = !below(world, 4);
	world->mobike = !world->nat && !below(world, 3);
	for (int i = 0; i < CHILDREN_OURS; i++) {
		add_child(&w->a, i);
		add_child(&w->b, i);
	}
	if (world->nat)
		set_nat(world);
	if (world->config)
		set_config(world);
	if (world->mobike) {
		set_second_address(&w->a, "198.51.100.1");
		set_second_address(&w->b, "198.51.100.2");
	}
	set_starts(world);
	set_suites(world);
	set_second_child(world);
	if (!world->nat && !below(world, 3))
		set_ah(world);
	set_times(world, calm ? 200 : 30);
	w->traffic_every_ns = QUIET_TRAFFIC;
	w->traffic_at_ns = w->now_ns;
	/* calm: no peer is taken for dead because messages were lost */
	w->a.settings.retransmit_tries = w->b.settings.retransmit_tries = calm ? 20 : 5;
	w->a.profiles[0].dpd_timeout_ns = w->b.profiles[0].dpd_timeout_ns = (calm ? 400 : 20) * S;
	wire_start(w);
}

/* ---- operations ---- */

static struct ike_actions out;

static void engine_enter(struct node *n)
{
	n->engine->now_ns = n->wire->now_ns;
	n->engine->out = &out;
}

static void engine_leave(struct node *n)
{
	sa_free_dead(n->engine);
	n->engine->out = NULL;
	node_carry_out(n, &out);
}

static uint32_t any_child(struct world *world)
{
	return (uint32_t)below(world, CHILDREN_OURS);
}

/* Our SPI of any of its pairs; 0: there is none. */
static uint32_t any_spi(struct world *world, const struct node *n)
{
	unsigned live = node_live_pairs(n), which = live ? (unsigned)below(world, live) : 0;

	for (int i = 0; i < PAIRS_MAX; i++)
		if (n->pairs[i].live && !which--)
			return n->pairs[i].in.spi;
	return 0;
}

static void do_nothing(struct world *world, struct node *n)
{
	(void)world, (void)n;
}

static void do_initiate(struct world *world, struct node *n)
{
	if (below(world, 2))
		node_command(n, IKE_INITIATE, 0);
	else
		node_index_command(n, IKE_INITIATE, 0, any_child(world));
}

static void do_acquire(struct world *world, struct node *n)
{
	node_index_command(n, IKE_ACQUIRE, 0, any_child(world));
}

static void do_rekey_child(struct world *world, struct node *n)
{
	node_index_command(n, IKE_REKEY, 0, any_child(world));
}

static void do_rekey_all(struct world *world, struct node *n)
{
	(void)world;
	node_command(n, IKE_REKEY, 0);
}

static void do_rekey_ike(struct world *world, struct node *n)
{
	(void)world;
	engine_enter(n);
	for (struct ike_sa *sa = n->engine->sas, *next; sa; sa = next) {
		next = sa->next;
		rekey_ike_on_timer(n->engine, sa);
	}
	engine_leave(n);
}

static unsigned established(const struct node *n)
{
	unsigned count = 0;

	for (const struct ike_sa *sa = n->engine->sas; sa; sa = sa->next)
		count += sa->state == ST_ESTABLISHED;
	return count;
}

/* Who did not begin the authentication can only end the IKE SA. Calm: one renewal at a time. */
static void do_reauthenticate(struct world *world, struct node *n)
{
	engine_enter(n);
	for (struct ike_sa *sa = n->engine->sas, *next; sa; sa = next) {
		next = sa->next;
		if (!world->calm || (sa->began && established(n) == 1))
			rekey_ike_reauthenticate(n->engine, sa);
	}
	engine_leave(n);
}

static void do_ask_alive(struct world *world, struct node *n)
{
	(void)world;
	engine_enter(n);
	for (struct ike_sa *sa = n->engine->sas, *next; sa; sa = next) {
		next = sa->next;
		if (sa->state == ST_ESTABLISHED)
			task_want(n->engine, sa, TASK_LIVENESS);
	}
	engine_leave(n);
}

static void do_soft_expire(struct world *world, struct node *n)
{
	node_child_command(n, IKE_SOFT_EXPIRE, any_spi(world, n), NULL);
}

static void do_expire(struct world *world, struct node *n)
{
	node_child_command(n, IKE_EXPIRE, any_spi(world, n), NULL);
}

static void do_terminate_child(struct world *world, struct node *n)
{
	node_index_command(n, IKE_TERMINATE, 0, any_child(world));
}

static void do_terminate(struct world *world, struct node *n)
{
	(void)world;
	node_command(n, IKE_TERMINATE, 0);
}

/* With every child that there is: else both stay, each for children of its own. */
static void do_start_another(struct world *world, struct node *n)
{
	struct tunnel *t = &n->engine->tunnels[0];

	if (world->config && n == &world->w.b)
		return;
	for (const struct ike_sa *sa = t->sas; sa; sa = sa->sibling)
		t->wanted |= sa_children(sa, true);
	node_start_another(n, 0);
}

static void do_crash(struct world *world, struct node *n)
{
	(void)world;
	node_restart(n);
}

static void do_fall_silent(struct world *world, struct node *n)
{
	(void)world;
	n->dead = true;
}

static void do_change_network(struct world *world, struct node *n)
{
	struct wire *w = &world->w;

	(void)n;
	if (world->calm)
		world->loss_percent = (unsigned)below(world, 20);
	else
		w->loss_percent = (unsigned)below(world, 40);
	w->duplicate_percent = (unsigned)below(world, 25);
	w->reorder_percent = (unsigned)below(world, 30);
	w->latency_ns = (1 + below(world, 150)) * MS;
	w->job_delay_ns = below(world, 3) * 20 * MS;
}

static void do_change_mapping(struct world *world, struct node *n)
{
	(void)n;
	if (world->nat)
		world->w.a.port_offset = (uint16_t)(10000 + below(world, 20000));
}

static void do_move(struct world *world, struct node *n)
{
	if (world->mobike)
		node_move(n, below(world, 2) ? n->name == 'A' ? "192.0.2.1" : "192.0.2.2" : NULL,
			below(world, 2) ? n->name == 'A' ? "198.51.100.2" : "198.51.100.1" : NULL);
}

/* Of two addresses one goes, or what was gone is back. */
static void do_reload_addresses(struct world *world, struct node *n)
{
	if (!world->mobike)
		return;
	if (n->gone.family)
		n->gone = (struct addr){ 0 };
	else
		n->gone = below(world, 2) ? n->inside : n->second;
	node_paths_changed(n);
}

static const char secret[] = "an example of a shared secret";

/* The other side gets it when it rests. */
static void do_reload_secrets(struct world *world, struct node *n)
{
	n->psk = below(world, 2) ? "another shared secret for both" : secret;
	(void)world;
}

static const struct operation {
	const char *name;
	void (*run)(struct world *world, struct node *n);
	unsigned calm, rough; /* how often in each kind of world, relatively */
} operations[] = {
	{ "nothing", do_nothing, 2, 2 },
	{ "initiate", do_initiate, 1, 4 },
	{ "acquire", do_acquire, 1, 3 },
	{ "rekey child", do_rekey_child, 6, 4 },
	{ "rekey all", do_rekey_all, 2, 2 },
	{ "rekey IKE SA", do_rekey_ike, 5, 4 },
	{ "authenticate anew", do_reauthenticate, 2, 2 },
	{ "ask alive", do_ask_alive, 2, 1 },
	{ "soft expire", do_soft_expire, 2, 2 },
	{ "expire", do_expire, 0, 2 },
	{ "terminate child", do_terminate_child, 0, 2 },
	{ "terminate", do_terminate, 0, 2 },
	{ "start another", do_start_another, 0, 2 },
	{ "crash", do_crash, 0, 2 },
	{ "fall silent", do_fall_silent, 0, 1 },
	{ "change network", do_change_network, 3, 3 },
	{ "change mapping", do_change_mapping, 2, 2 },
	{ "move", do_move, 2, 2 },
	{ "reload addresses", do_reload_addresses, 1, 2 },
	{ "reload secrets", do_reload_secrets, 0, 1 },
};

static unsigned weight(const struct world *world, size_t i)
{
	return world->calm ? operations[i].calm : operations[i].rough;
}

static const struct operation *choose(struct world *world)
{
	unsigned sum = 0, at, i = 0;

	for (size_t k = 0; k < ARRAY_LEN(operations); k++)
		sum += weight(world, k);
	for (at = (unsigned)below(world, sum); at >= weight(world, i); i++)
		at -= weight(world, i);
	return &operations[i];
}

static void note(struct world *world, const struct node *n, const char *what)
{
	char *line = world->log[world->logged++ % LOG_LINES];

	snprintf(line, sizeof(world->log[0]), "%.3f %c %s", (double)world->w.now_ns / 1e9, n->name, what);
	if (getenv("WIRE_TRACE"))
		printf("# == %s\n", line);
}

/* ---- time ---- */

/* What B's data path sees: the newest packet came from another port than it sends to. */
static void notice_mapping(struct world *world)
{
	struct wire *w = &world->w;
	const struct pair *p = node_pair(&w->b);
	struct endpoint mapped = { w->a.outside, (uint16_t)(NATT_PORT + w->a.port_offset) };

	if (world->nat && p && p->out.path.remote.port != mapped.port && p->out.path.encap == SA_ENCAP_UDP)
		node_child_command(&w->b, IKE_ADDRESS_CHANGED, p->in.spi, &mapped);
}

static bool all_children_up(const struct world *world)
{
	for (uint32_t c = 0; c < CHILDREN_OURS; c++)
		if (!wire_child_up(&world->w, c))
			return false;
	return true;
}

/* Calm: at every moment each side's outbound SA is one that the other side takes. */
static void watch(struct world *world)
{
	if (!world->calm)
		return;
	bool up = all_children_up(world);
	if (world->up && !up)
		broke(world, "for a moment a child has no pair that both sides use");
	if (world->up && world->w.traffic_lost)
		broke(world, "a packet of traffic was lost");
	world->up = world->up || up;
	if (!world->up)
		world->w.traffic_lost = 0;
}

static void run(struct world *world, uint64_t duration_ns)
{
	uint64_t end = world->w.now_ns + duration_ns;

	while (!world->broken && wire_step(&world->w, end)) {
		notice_mapping(world);
		watch(world);
	}
	world->w.now_ns = end;
}

static uint64_t any_time(struct world *world)
{
	switch (below(world, 10)) {
	case 0:
	case 1:
	case 2: return 0;
	case 3:
	case 4:
	case 5: return below(world, 50 * MS);
	case 6:
	case 7:
	case 8: return below(world, 2 * S);
	default: return below(world, 30 * S);
	}
}

/* A peer that fell silent is back sooner or later, with or without its memory. */
static void wake(struct world *world, struct node *n)
{
	if (!n->dead)
		return;
	note(world, n, "is back");
	if (below(world, 2))
		node_restart(n);
	n->dead = false;
}

static void step(struct world *world)
{
	struct node *n = below(world, 2) ? &world->w.a : &world->w.b;
	const struct operation *o = choose(world);

	if (n->dead) {
		wake(world, n);
	} else {
		note(world, n, o->name);
		o->run(world, n);
	}
	run(world, any_time(world));
}

/* ---- what has to be true after a quiet time ---- */

static bool sa_rests(const struct ike_sa *sa)
{
	const struct child_sa *child;

	if (sa->state == ST_LINGER)
		return true;
	if (sa->state != ST_ESTABLISHED || sa->outbox.request || sa->ours || sa->theirs || sa->wants || sa->creates)
		return false;
	TAILQ_FOREACH (child, &sa->children, siblings) {
		if (child->state != CHILD_UP || child->replaced || child->wants)
			return false;
	}
	return true;
}

static bool node_rests(const struct node *n)
{
	for (const struct ike_sa *sa = n->engine->sas; sa; sa = sa->next)
		if (!sa_rests(sa))
			return false;
	return true;
}

static bool wire_rests(const struct wire *w)
{
	for (size_t i = 0; i < w->packet_count; i++)
		if (!w->packets[i].spi)
			return false;
	return !w->job_count && node_rests(&w->a) && node_rests(&w->b);
}

static bool has_ike_sa(const struct node *n, const struct ike_sa *wanted)
{
	for (const struct ike_sa *sa = n->engine->sas; sa; sa = sa->next)
		if (sa->state == wanted->state && sa->spi_i == wanted->spi_i && sa->spi_r == wanted->spi_r)
			return sa->initiator != wanted->initiator;
	return false;
}

/* An IKE SA at most, and the peer has it too. */
static void check_ike_sas(struct world *world, struct node *n)
{
	for (const struct ike_sa *sa = n->engine->sas; sa; sa = sa->next)
		if (sa->state == ST_ESTABLISHED && !has_ike_sa(peer_of(n), sa))
			broke(world, "an IKE SA is up on one side only");
	if (established(n) > 1)
		broke(world, "two IKE SAs of one tunnel stay");
}

/* A child has a pair in both engines and on both hosts, and traffic flows; or it has none anywhere. */
static void check_children(struct world *world, const struct node *n)
{
	struct ike_tunnel_status s = node_status(n, 0);
	unsigned count = 0;

	for (uint32_t c = 0; c < CHILDREN_OURS; c++) {
		const struct pair *p = node_pair_of(n, 0, c);
		count += p != NULL;
		if ((s.children[c].state == PHASE_UP) != (p != NULL))
			broke(world, "the engine shows a child that the host does not send on, or the other way round");
		if (p && (s.children[c].spi_in != p->in.spi || s.children[c].spi_out != p->out.spi))
			broke(world, "the engine shows another pair than the host sends on");
		if (p && !wire_child_up(&world->w, c))
			broke(world, "traffic of a child goes nowhere");
	}
	if (node_live_pairs(n) != count)
		broke(world, "a pair stays that nobody sends on");
}

/* What starts by itself and was not terminated is up. */
static void check_wishes(struct world *world, const struct node *n)
{
	uint8_t wanted = tunnel_autostart(&n->engine->tunnels[0]);

	for (uint32_t c = 0; c < CHILDREN_OURS; c++)
		if (wanted >> c & 1 && !wire_child_up(&world->w, c))
			broke(world, "a child that starts by itself is down");
}

static void check_addresses(struct world *world)
{
	struct wire *w = &world->w;
	unsigned lent = world->config && established(&w->b);

	if (w->b.lent != lent)
		broke(world, "addresses are lent to nobody");
	if ((w->a.given[0].family != ADDR_NONE) != (lent != 0))
		broke(world, "a virtual address has no IKE SA, or the other way round");
}

static void check_rest(struct world *world)
{
	struct wire *w = &world->w;

	if (!wire_rests(w)) {
		broke(world, "the two ends do not come to rest");
		return;
	}
	if (!wire_paired(w))
		broke(world, "the pairs of the two ends are not the same");
	struct node *nodes[] = { &w->a, &w->b };
	for (int i = 0; i < 2; i++) {
		check_ike_sas(world, nodes[i]);
		check_children(world, nodes[i]);
		check_wishes(world, nodes[i]);
		if (!node_spis_add_up(nodes[i]))
			broke(world, "SPIs leaked");
	}
	check_addresses(world);
}

/* It has all of its addresses and the secret that the other one has. */
static void settle_host(struct node *n)
{
	bool away = n->gone.family;

	n->psk = secret;
	n->gone = (struct addr){ 0 };
	if (away)
		node_paths_changed(n);
}

static void calm_down(struct world *world)
{
	struct wire *w = &world->w;

	wake(world, &w->a);
	wake(world, &w->b);
	w->loss_percent = w->duplicate_percent = w->reorder_percent = world->loss_percent = 0;
	w->latency_ns = 10 * MS;
	w->traffic_every_ns = QUIET_TRAFFIC;
	settle_host(&w->a);
	settle_host(&w->b);
}

static void rest(struct world *world)
{
	calm_down(world);
	note(world, &world->w.a, "and B rest");
	run(world, QUIET_NS);
	uint64_t end = world->w.now_ns + REST_NS;
	while (!world->broken && !wire_rests(&world->w) && wire_step(&world->w, end))
		watch(world);
}

/* Terminated by both: nothing is left of what was, and nothing comes back. */
static void check_end(struct world *world)
{
	struct wire *w = &world->w;
	struct node *nodes[] = { &w->a, &w->b };

	calm_down(world);
	world->calm = false;
	w->traffic_every_ns = 0;
	node_command(&w->a, IKE_TERMINATE, 0);
	node_command(&w->b, IKE_TERMINATE, 0);
	run(world, QUIET_NS);
	for (int i = 0; i < 2; i++) {
		struct ike_engine *e = nodes[i]->engine;
		if (e->sas || ike_sa_count(e) || e->half_open || e->lingering)
			broke(world, "IKE SAs are left after the end");
		if (node_live_pairs(nodes[i]) || nodes[i]->spis_out || nodes[i]->lent)
			broke(world, "pairs, SPIs or addresses are left after the end");
		if (e->timers.count || e->timers.reserved != e->tunnel_count)
			broke(world, "timers are left after the end");
	}
	if (w->job_count || w->packet_count)
		broke(world, "jobs or messages are left after the end");
}

/* ---- worlds ---- */

static void tell_sas(const struct node *n)
{
	const struct child_sa *child;

	for (const struct ike_sa *sa = n->engine->sas; sa; sa = sa->next) {
		printf("# %c: IKE SA %llx state %d wants %x creates %x asks %d\n", n->name,
			(unsigned long long)sa->spi_i, sa->state, sa->wants, sa->creates, sa->asking.kind);
		TAILQ_FOREACH (child, &sa->children, siblings) {
			printf("# %c:   child %u %08x %08x state %d wants %x%s%s%s\n", n->name, child->index,
				child->spi_in, child->spi_out, child->state, child->wants,
				child->replaced ? " replaced" : "", child->confirmed ? " confirmed" : "",
				child->current ? " current" : "");
		}
	}
}

static void tell(const struct world *world)
{
	unsigned first = world->logged > LOG_LINES ? world->logged - LOG_LINES : 0;

	printf("# %s world with seed %llu: %s\n", world->calm ? "calm" : "rough", (unsigned long long)world->seed,
		world->broken);
	for (unsigned i = first; i < world->logged; i++)
		printf("# %s\n", world->log[i % LOG_LINES]);
	tell_sas(&world->w.a);
	tell_sas(&world->w.b);
}

/* What is done between two rests. */
static void live(struct world *world)
{
	world->w.traffic_every_ns = TRAFFIC_NS;
	for (int i = 0; i < STEPS_A_WHILE && !world->broken; i++)
		step(world);
	rest(world);
	if (!world->broken)
		check_rest(world);
}

/* False: a rule was broken; it is told. */
static bool world_run(uint64_t seed, bool calm)
{
	static struct world world;

	world_begin(&world, seed, calm);
	if (calm)
		rest(&world);
	for (int i = 0; i < STEPS_A_WORLD / STEPS_A_WHILE && !world.broken; i++)
		live(&world);
	if (calm && !world.up)
		broke(&world, "the tunnel never came up");
	if (!world.broken)
		check_end(&world);
	if (world.w.fault)
		broke(&world, world.w.fault);
	if (world.broken)
		tell(&world);
	return wire_done(&world.w) && !world.broken;
}

static size_t heap_bytes(void)
{
	return mallinfo2().uordblks;
}

static unsigned steps_wanted(void)
{
	const char *all = getenv("SALLYPORT_LONG");

	return all && *all == '1' ? STEPS_TIMES * STEPS : STEPS;
}

static uint64_t first_seed(void)
{
	const char *again = getenv("SALLYPORT_SEED"), *all = getenv("SALLYPORT_LONG");

	if (again)
		return strtoull(again, NULL, 0);
	return all && *all == '1' ? (uint64_t)time(NULL) * 1000003 : FIRST_SEED;
}

static void run_worlds(bool calm)
{
	uint64_t seed = first_seed();
	unsigned worlds = steps_wanted() / STEPS_A_WORLD, i = 0;
	size_t before = 0;

	/* told first: whatever ends the program */
	printf("# %s worlds from seed %llu\n", calm ? "calm" : "rough", (unsigned long long)seed);
	fflush(stdout);
	for (; i < worlds && !CU_get_number_of_failures(); i++) {
		CU_ASSERT_TRUE(world_run(seed + i, calm));
		/* the first few fill most of what the library keeps for good */
		if (i == 3)
			before = heap_bytes();
	}
	CU_ASSERT(i < 4 || heap_bytes() <= before + LIBRARY_BYTES);
	printf("# %s worlds: %u with %u steps each, seed %llu\n", calm ? "calm" : "rough", i, STEPS_A_WORLD,
		(unsigned long long)seed);
}

static void test_random_operations_keep_both_ends_in_agreement(void)
{
	run_worlds(false);
}

static void test_random_rekeys_never_interrupt_traffic(void)
{
	run_worlds(true);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_random_rekeys_never_interrupt_traffic),
		TEST(test_random_operations_keep_both_ends_in_agreement),
	};

	return test_main("exchange_random", tests, ARRAY_LEN(tests), argc, argv);
}
