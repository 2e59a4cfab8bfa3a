/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: transport mode asked for, taken and declined, with NATs in between; AH; extended sequence numbers;
 * TFC padding; what a rekeying keeps of all that. */
#include "harness.h"

#include "fake_wire.h"
#include "ike_priv.h"

#define SHAKE                                                                                                          \
	"A IKE_SA_INIT request 0\n"                                                                                    \
	"B IKE_SA_INIT response 0\n"                                                                                   \
	"A IKE_AUTH request 1\n"                                                                                       \
	"B IKE_AUTH response 1\n"

/* ---- set-up ---- */

static void make_dynamic(struct selector_list *list, const char *where)
{
	selectors_set(list, where);
	list->dynamic = true;
}

/* The child is between the two hosts, wherever a NAT puts them. */
static void between_hosts(struct node *n, uint32_t child, enum sa_mode mode)
{
	struct child_profile *c = &n->profiles[0].children[child];

	c->mode = mode;
	make_dynamic(&c->local, "0.0.0.0/0");
	make_dynamic(&c->remote, "0.0.0.0/0");
}

static void init_transport(struct wire *w, uint64_t seed, enum sa_mode of_b)
{
	wire_init(w, seed);
	between_hosts(&w->a, 0, SA_MODE_TRANSPORT);
	between_hosts(&w->b, 0, of_b);
	if (of_b == SA_MODE_TUNNEL) {
		selectors_set(&w->b.profiles[0].children[0].local, "192.0.2.2");
		selectors_set(&w->b.profiles[0].children[0].remote, "192.0.2.1");
		w->b.profiles[0].children[0].local.dynamic = w->b.profiles[0].children[0].remote.dynamic = false;
	}
}

static void put_nat(struct wire *w, struct node *n, const char *inside, const char *outside, uint16_t port_offset)
{
	struct node *peer = n == &w->a ? &w->b : &w->a;

	addr_parse(inside, &n->inside);
	addr_parse(outside, &n->outside);
	n->port_offset = port_offset;
	n->profiles[0].local_addr = n->inside;
	peer->profiles[0].remote_addr = n->outside;
}

static void offer(struct wire *w, enum security_protocol protocol, const char *of_a, const char *of_b)
{
	proposals_set(&w->a.profiles[0].children[0].proposals, protocol, of_a);
	proposals_set(&w->b.profiles[0].children[0].proposals, protocol, of_b);
}

static void start_rekey(struct wire *w, struct node *n)
{
	node_child_command(n, IKE_SOFT_EXPIRE, node_pair(n)->in.spi, NULL);
	wire_run(w, 15 * S);
}

static bool modes_are(const struct wire *w, enum sa_mode mode, uint8_t protocol)
{
	const struct pair *a = node_pair(&w->a), *b = node_pair(&w->b);

	return a && b && a->in.mode == mode && a->out.mode == mode && b->in.mode == mode && b->out.mode == mode &&
	       a->in.protocol == protocol && a->out.protocol == protocol && b->in.protocol == protocol &&
	       b->out.protocol == protocol;
}

/* ---- transport mode ---- */

static void test_transport_mode_is_asked_for_and_taken(void)
{
	struct wire w;

	init_transport(&w, 1, SA_MODE_TRANSPORT);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_story_is(&w, SHAKE));
	CU_ASSERT_TRUE(modes_are(&w, SA_MODE_TRANSPORT, PROTOCOL_ESP));
	CU_ASSERT_TRUE(addr_equal(&node_pair(&w.b)->in.remote.items[0].low, &w.a.inside));
	CU_ASSERT_TRUE(addr_equal(&node_pair(&w.b)->in.remote.items[0].high, &w.a.inside));
	CU_ASSERT_EQUAL(node_pair(&w.b)->in.original_remote.family, ADDR_NONE);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* RFC 7296 1.3.1: the initiator that insists has the SA deleted; it asks again, with growing pauses. */
static void test_transport_mode_declined_and_not_given_up(void)
{
	struct wire w;

	init_transport(&w, 2, SA_MODE_TUNNEL);
	wire_start(&w);
	wire_run(&w, 500 * MS);
	CU_ASSERT_TRUE(wire_story_is(&w, SHAKE "A INFORMATIONAL request 2\nB INFORMATIONAL response 2\n"));
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "the peer declines transport mode");
	CU_ASSERT_EQUAL(node_live_pairs(&w.a) + node_live_pairs(&w.b), 0);
	CU_ASSERT_EQUAL(w.a.installs, 0);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_UP], 0);
	CU_ASSERT_EQUAL(node_status(&w.a, 0).phase1, PHASE_UP);
	wire_run(&w, 120 * S);
	CU_ASSERT_TRUE(w.b.installs > 1 && w.b.installs < 20);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_transport_mode_declined_and_tunnel_mode_taken(void)
{
	struct wire w;

	init_transport(&w, 3, SA_MODE_TUNNEL);
	w.a.profiles[0].children[0].tunnel_fallback = true;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_story_is(&w, SHAKE));
	CU_ASSERT_TRUE(modes_are(&w, SA_MODE_TUNNEL, PROTOCOL_ESP));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* The same on an IKE SA that is up already, with a key exchange. */
static void test_transport_mode_declined_by_create_child_sa(void)
{
	struct wire w;

	init_transport(&w, 4, SA_MODE_TRANSPORT);
	offer(&w, PROTOCOL_ESP, "aes128gcm16-x25519", "aes128gcm16-x25519");
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	selectors_set(&w.b.profiles[0].children[0].local, "192.0.2.2");
	selectors_set(&w.b.profiles[0].children[0].remote, "192.0.2.1");
	w.b.profiles[0].children[0].mode = SA_MODE_TUNNEL;
	node_child_command(&w.a, IKE_SOFT_EXPIRE, node_pair(&w.a)->in.spi, NULL);
	wire_run(&w, 8 * S);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "the peer declines transport mode");
	/* the old one lives on */
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(modes_are(&w, SA_MODE_TRANSPORT, PROTOCOL_ESP));
	CU_ASSERT_TRUE(wire_paired(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void init_tunnel_wish(struct wire *w, uint64_t seed)
{
	init_transport(w, seed, SA_MODE_TRANSPORT);
	w->a.profiles[0].children[0].mode = SA_MODE_TUNNEL;
	selectors_set(&w->a.profiles[0].children[0].local, "192.0.2.1");
	selectors_set(&w->a.profiles[0].children[0].remote, "192.0.2.2");
	w->a.profiles[0].children[0].local.dynamic = w->a.profiles[0].children[0].remote.dynamic = false;
}

static void test_tunnel_mode_asked_of_transport_mode_is_refused(void)
{
	struct wire w;

	init_tunnel_wish(&w, 5);
	wire_start(&w);
	wire_run(&w, 500 * MS);
	CU_ASSERT_TRUE(wire_story_is(&w, SHAKE));
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_STRING_EQUAL(w.b.failure.reason, "the peer asks for tunnel mode");
	CU_ASSERT_EQUAL(node_live_pairs(&w.a) + node_live_pairs(&w.b), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_tunnel_mode_asked_of_transport_mode_is_taken(void)
{
	struct wire w;

	init_tunnel_wish(&w, 6);
	w.b.profiles[0].children[0].tunnel_fallback = true;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(modes_are(&w, SA_MODE_TUNNEL, PROTOCOL_ESP));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* The responder has an entry of either mode for the same two hosts. */
static void test_the_entry_of_the_asked_mode_is_chosen(void)
{
	struct wire w;

	init_tunnel_wish(&w, 7);
	w.b.profiles[0].children[0].tunnel_fallback = true;
	w.b.profiles[0].child_count = 2;
	w.b.profiles[0].children[1] = w.a.profiles[0].children[0];
	selectors_set(&w.b.profiles[0].children[1].local, "192.0.2.2");
	selectors_set(&w.b.profiles[0].children[1].remote, "192.0.2.1");
	w.b.profiles[0].children[1].start = START_RESPOND;
	wire_start(&w);
	wire_run(&w, 2 * S);
	CU_ASSERT_PTR_NOT_NULL_FATAL(node_pair_of(&w.b, 0, 1));
	CU_ASSERT_EQUAL(node_pair_of(&w.b, 0, 1)->in.mode, SA_MODE_TUNNEL);
	CU_ASSERT_PTR_NULL(node_pair_of(&w.b, 0, 0));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_transport_mode_is_kept_by_a_rekeying(void)
{
	struct wire w;

	init_transport(&w, 8, SA_MODE_TRANSPORT);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	w.watch_traffic = true;
	start_rekey(&w, &w.a);
	start_rekey(&w, &w.b);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_REKEYED], 2);
	CU_ASSERT_TRUE(modes_are(&w, SA_MODE_TRANSPORT, PROTOCOL_ESP));
	CU_ASSERT_TRUE(wire_paired(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Selectors of others than the two hosts have no place in transport mode. */
static void test_transport_mode_between_others_is_refused(void)
{
	struct wire w;

	init_transport(&w, 9, SA_MODE_TRANSPORT);
	selectors_set(&w.a.profiles[0].children[0].local, "10.1.0.1");
	w.a.profiles[0].children[0].local.dynamic = false;
	selectors_set(&w.b.profiles[0].children[0].remote, "10.1.0.1");
	w.b.profiles[0].children[0].remote.dynamic = false;
	wire_start(&w);
	wire_run(&w, 500 * MS);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_TS_UNACCEPTABLE);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a) + node_live_pairs(&w.b), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- transport mode and NATs (RFC 7296 2.23.1) ---- */

static bool side_is(const struct selector_list *side, const struct addr *host)
{
	return side->count == 1 && addr_equal(&side->items[0].low, host) && addr_equal(&side->items[0].high, host);
}

static bool original_is(const struct addr *original, const struct node *n)
{
	bool hidden = !addr_equal(&n->inside, &n->outside);

	return hidden ? original->family != ADDR_NONE : original->family == ADDR_NONE;
}

/* Each side calls itself by its own address, and the other one by what it sees of it. */
static void check_hosts(const struct wire *w)
{
	const struct pair *a = node_pair(&w->a), *b = node_pair(&w->b);

	CU_ASSERT_TRUE_FATAL(a && b);
	CU_ASSERT_TRUE(modes_are(w, SA_MODE_TRANSPORT, PROTOCOL_ESP));
	CU_ASSERT_EQUAL(a->out.path.encap, SA_ENCAP_UDP);
	CU_ASSERT_TRUE(side_is(&a->in.local, &w->a.inside) && side_is(&a->out.remote, &w->b.outside));
	CU_ASSERT_TRUE(side_is(&b->in.local, &w->b.inside) && side_is(&b->out.remote, &w->a.outside));
	CU_ASSERT_TRUE(original_is(&a->in.original_local, &w->a) && original_is(&a->in.original_remote, &w->b));
	CU_ASSERT_TRUE(original_is(&b->in.original_local, &w->b) && original_is(&b->in.original_remote, &w->a));
	/* what A wrote into the checksums of its packets, B knows, and the other way round */
	if (b->in.original_remote.family)
		CU_ASSERT_TRUE(addr_equal(&b->in.original_remote, &w->a.inside));
	if (b->in.original_local.family)
		CU_ASSERT_TRUE(addr_equal(&b->in.original_local, &w->b.outside));
	if (a->in.original_remote.family)
		CU_ASSERT_TRUE(addr_equal(&a->in.original_remote, &w->b.inside));
	if (a->in.original_local.family)
		CU_ASSERT_TRUE(addr_equal(&a->in.original_local, &w->a.outside));
	CU_ASSERT_EQUAL(a->out.original_local.family | b->out.original_remote.family, ADDR_NONE);
}

static void behind_nats(uint64_t seed, bool of_a, bool of_b)
{
	struct wire w;

	init_transport(&w, seed, SA_MODE_TRANSPORT);
	if (of_a)
		put_nat(&w, &w.a, "10.0.0.1", "198.51.100.1", 20000);
	if (of_b)
		put_nat(&w, &w.b, "10.0.0.2", "203.0.113.2", 0);
	wire_start(&w);
	wire_run(&w, 2 * S);
	check_hosts(&w);
	/* the same again when the responder begins */
	start_rekey(&w, &w.b);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE2_REKEYED], 1);
	check_hosts(&w);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_transport_mode_initiator_behind_a_nat(void)
{
	behind_nats(20, true, false);
}

static void test_transport_mode_responder_behind_a_nat(void)
{
	behind_nats(21, false, true);
}

static void test_transport_mode_both_behind_nats(void)
{
	behind_nats(22, true, true);
}

/* The host is not where its name to us says: its Child SA ends, and it makes another one under its new name. */
static void test_transport_mode_a_nat_with_another_address(void)
{
	struct wire w;

	init_transport(&w, 24, SA_MODE_TRANSPORT);
	put_nat(&w, &w.a, "10.0.0.1", "198.51.100.1", 20000);
	wire_start(&w);
	wire_run(&w, 2 * S);
	check_hosts(&w);
	w.a.port_offset = 21111;
	struct endpoint moved = { w.a.outside, 4500 + 21111 };
	node_child_command(&w.b, IKE_ADDRESS_CHANGED, node_pair(&w.b)->in.spi, &moved);
	CU_ASSERT_EQUAL(w.b.updates, 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE2_DOWN], 0);
	addr_parse("198.51.100.77", &w.a.outside);
	moved.addr = w.a.outside;
	node_child_command(&w.b, IKE_ADDRESS_CHANGED, node_pair(&w.b)->in.spi, &moved);
	CU_ASSERT_EQUAL(w.b.updates, 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE2_DOWN], 1);
	wire_run(&w, 30 * S);
	check_hosts(&w);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE1_DOWN], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* RFC 3948 5.2: two hosts that look the same from here; the second one is refused and takes nothing of the first. */
static void test_transport_mode_two_hosts_behind_one_nat(void)
{
	struct wire w;

	init_transport(&w, 23, SA_MODE_TRANSPORT);
	put_nat(&w, &w.a, "10.0.0.1", "198.51.100.1", 20000);
	w.a.profile_count = w.b.profile_count = 2;
	w.a.profiles[1] = w.a.profiles[0];
	w.b.profiles[1] = w.b.profiles[0];
	identity_parse("a2.example.net", &w.a.profiles[1].local_id);
	identity_parse("a2.example.net", &w.b.profiles[1].remote_id);
	w.a.profiles[1].children[0].start = START_RESPOND;
	wire_start(&w);
	wire_run(&w, 2 * S);
	check_hosts(&w);
	node_command(&w.a, IKE_INITIATE, 1);
	wire_run(&w, 2 * S);
	CU_ASSERT_EQUAL(w.a.failure_tunnel, 1);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_ADDITIONAL_SAS);
	CU_ASSERT_STRING_EQUAL(w.b.failure.reason, "another host behind the same NAT has these selectors");
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	/* with ports of its own it is another matter */
	selectors_set(&w.a.profiles[1].children[0].local, "10.0.0.1[udp/1702]");
	selectors_set(&w.a.profiles[0].children[0].local, "10.0.0.1[udp/1701]");
	w.a.profiles[0].children[0].local.dynamic = w.a.profiles[1].children[0].local.dynamic = false;
	start_rekey(&w, &w.a);
	node_command(&w.a, IKE_INITIATE, 1);
	wire_run(&w, 60 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 2);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- AH ---- */

static void check_ah(const char *proposal)
{
	struct wire w;

	wire_init(&w, 30);
	offer(&w, PROTOCOL_AH, proposal, proposal);
	wire_start(&w);
	bool up = wire_run_until_up(&w, 5 * S) && wire_story_is(&w, SHAKE);
	if (!up)
		printf("# AH %s\n", proposal);
	CU_ASSERT_TRUE_FATAL(up);
	CU_ASSERT_TRUE(modes_are(&w, SA_MODE_TUNNEL, PROTOCOL_AH));
	const struct sa_spec *in = &node_pair(&w.a)->in;
	CU_ASSERT_PTR_NULL(in->encr);
	CU_ASSERT_EQUAL(in->encr_key.len, 0);
	CU_ASSERT_EQUAL(in->integ_key.len, (size_t)in->integ->key_bytes + in->integ->salt_bytes);
	CU_ASSERT_FALSE(in->natt);
	CU_ASSERT_EQUAL(in->path.encap, SA_ENCAP_NONE);
	CU_ASSERT_TRUE(node_status(&w.a, 0).children[0].ah);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_ah_with_every_integrity_algorithm(void)
{
	int count = 0;

	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a))
		if (a->type == TRANSFORM_INTEG && (a->flags & ALG_AH)) {
			check_ah(a->keyword);
			count++;
		}
	CU_ASSERT_TRUE(count >= 5);
}

static void test_ah_in_transport_mode_is_rekeyed_and_deleted(void)
{
	struct wire w;

	init_transport(&w, 31, SA_MODE_TRANSPORT);
	offer(&w, PROTOCOL_AH, "sha256-x25519", "sha256-x25519");
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(modes_are(&w, SA_MODE_TRANSPORT, PROTOCOL_AH));
	w.watch_traffic = true;
	start_rekey(&w, &w.a);
	start_rekey(&w, &w.b);
	/* the Deletes of what was replaced name AH, or the old ones would be left */
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE2_REKEYED], 2);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_TRUE(modes_are(&w, SA_MODE_TRANSPORT, PROTOCOL_AH));
	w.watch_traffic = false;
	w.a.profiles[0].children[0].start = START_RESPOND;
	node_index_command(&w.b, IKE_TERMINATE, 0, 0);
	wire_run(&w, 10 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a) + node_live_pairs(&w.b), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_ah_and_esp_do_not_agree(void)
{
	struct wire w;

	wire_init(&w, 32);
	proposals_set(&w.a.profiles[0].children[0].proposals, PROTOCOL_AH, "sha256");
	wire_start(&w);
	wire_run(&w, 500 * MS);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_STRING_EQUAL(w.b.failure.mismatch, "protocol: ours ESP, theirs AH");
	CU_ASSERT_TRUE(wire_done(&w));
}

/* One entry of each protocol for the same networks. */
static void test_ah_entry_is_found_beside_one_of_esp(void)
{
	struct wire w;

	wire_init(&w, 33);
	w.b.profiles[0].child_count = 2;
	w.b.profiles[0].children[1] = w.b.profiles[0].children[0];
	proposals_set(&w.b.profiles[0].children[1].proposals, PROTOCOL_AH, "sha256");
	proposals_set(&w.a.profiles[0].children[0].proposals, PROTOCOL_AH, "sha256");
	wire_start(&w);
	wire_run(&w, 2 * S);
	CU_ASSERT_PTR_NOT_NULL_FATAL(node_pair_of(&w.b, 0, 1));
	CU_ASSERT_EQUAL(node_pair_of(&w.b, 0, 1)->in.protocol, PROTOCOL_AH);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* RFC 3948 1: no peer is asked for what cannot work. */
static void test_ah_behind_a_nat_is_not_offered(void)
{
	struct wire w;

	wire_init(&w, 34);
	put_nat(&w, &w.a, "10.0.0.1", "198.51.100.1", 20000);
	offer(&w, PROTOCOL_AH, "sha256", "sha256");
	wire_start(&w);
	wire_run(&w, 500 * MS);
	CU_ASSERT_TRUE(wire_story_is(&w, "A IKE_SA_INIT request 0\nB IKE_SA_INIT response 0\n"));
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "AH cannot pass a NAT (RFC 3948 1)");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void init_second_of_ah(struct wire *w, uint64_t seed)
{
	wire_init(w, seed);
	put_nat(w, &w->a, "10.0.0.1", "198.51.100.1", 20000);
	for (int i = 0; i < 2; i++) {
		struct tunnel_profile *p = i ? &w->a.profiles[0] : &w->b.profiles[0];
		p->child_count = 2;
		p->children[1] = p->children[0];
		p->children[1].start = START_RESPOND;
		proposals_set(&p->children[1].proposals, PROTOCOL_AH, "sha256");
	}
	wire_start(w);
	wire_run(w, 2 * S);
	w->story_len = 0;
	w->story[0] = '\0';
}

static void test_ah_behind_a_nat_is_not_asked_for_later_either(void)
{
	struct wire w;

	init_second_of_ah(&w, 35);
	node_index_command(&w.a, IKE_INITIATE, 0, 1);
	wire_run(&w, 500 * MS);
	CU_ASSERT_TRUE(wire_story_is(&w, ""));
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "AH cannot pass a NAT (RFC 3948 1)");
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Of an initiator that does not care. */
static void test_ah_behind_a_nat_is_refused(void)
{
	struct wire w;

	init_second_of_ah(&w, 36);
	node_sa(&w.a)->local_nat = false;
	node_index_command(&w.a, IKE_INITIATE, 0, 1);
	wire_run(&w, 500 * MS);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_STRING_EQUAL(w.b.failure.reason, "AH cannot pass a NAT (RFC 3948 1)");
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- ESN, by each side's wish ---- */

static void check_esn(enum security_protocol protocol, const char *of_a, const char *of_b, bool up, bool esn)
{
	struct wire w;

	wire_init(&w, 40);
	offer(&w, protocol, of_a, of_b);
	wire_start(&w);
	CU_ASSERT_EQUAL(wire_run_until_up(&w, 2 * S), up);
	CU_ASSERT_TRUE(up ? node_pair(&w.a)->in.esn == esn && node_pair(&w.b)->out.esn == esn
			  : w.a.failure.notify == NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_esn_as_both_sides_want_it(void)
{
	static const struct {
		enum security_protocol protocol;
		const char *suite;
	} rows[] = { { PROTOCOL_ESP, "aes128gcm16" }, { PROTOCOL_ESP, "aes128-sha256" }, { PROTOCOL_AH, "sha256" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *any = rows[i].suite;
		char with[64], without[64], preferred[64];
		snprintf(with, sizeof(with), "%s-esn", any);
		snprintf(without, sizeof(without), "%s-noesn", any);
		snprintf(preferred, sizeof(preferred), "%s-noesn-esn", any);
		check_esn(rows[i].protocol, any, any, true, true);
		check_esn(rows[i].protocol, with, any, true, true);
		check_esn(rows[i].protocol, any, without, true, false);
		check_esn(rows[i].protocol, any, preferred, true, false);
		check_esn(rows[i].protocol, with, without, false, false);
	}
}

/* ---- TFC padding ---- */

static void test_tfc_padding_is_sent_in_tunnel_mode(void)
{
	struct wire w;

	wire_init(&w, 50);
	w.a.profiles[0].children[0].tfc_bytes = w.b.profiles[0].children[0].tfc_bytes = 500;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_EQUAL(node_pair(&w.a)->out.tfc_bytes, 500);
	CU_ASSERT_EQUAL(node_pair(&w.a)->in.tfc_bytes, 0);
	CU_ASSERT_EQUAL(node_pair(&w.b)->out.tfc_bytes, 500);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* RFC 7296 3.10.1: an offer of transport mode says that no padding is taken; the fall back to tunnel mode keeps to it.
 */
static void test_tfc_padding_unwanted_is_not_sent(void)
{
	struct wire w;

	init_transport(&w, 51, SA_MODE_TUNNEL);
	w.a.profiles[0].children[0].tunnel_fallback = true;
	w.a.profiles[0].children[0].tfc_bytes = w.b.profiles[0].children[0].tfc_bytes = 500;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(modes_are(&w, SA_MODE_TUNNEL, PROTOCOL_ESP));
	CU_ASSERT_EQUAL(node_pair(&w.b)->out.tfc_bytes, 0);
	CU_ASSERT_EQUAL(node_pair(&w.a)->out.tfc_bytes, 500);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_tfc_padding_has_no_place_in_transport_mode(void)
{
	struct wire w;

	init_transport(&w, 52, SA_MODE_TRANSPORT);
	w.a.profiles[0].children[0].tfc_bytes = w.b.profiles[0].children[0].tfc_bytes = 500;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_EQUAL(node_pair(&w.a)->out.tfc_bytes + node_pair(&w.b)->out.tfc_bytes, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static const struct test tests[] = {
	TEST(test_transport_mode_is_asked_for_and_taken),
	TEST(test_transport_mode_declined_and_not_given_up),
	TEST(test_transport_mode_declined_and_tunnel_mode_taken),
	TEST(test_transport_mode_declined_by_create_child_sa),
	TEST(test_tunnel_mode_asked_of_transport_mode_is_refused),
	TEST(test_tunnel_mode_asked_of_transport_mode_is_taken),
	TEST(test_the_entry_of_the_asked_mode_is_chosen),
	TEST(test_transport_mode_is_kept_by_a_rekeying),
	TEST(test_transport_mode_between_others_is_refused),
	TEST(test_transport_mode_initiator_behind_a_nat),
	TEST(test_transport_mode_responder_behind_a_nat),
	TEST(test_transport_mode_both_behind_nats),
	TEST(test_transport_mode_a_nat_with_another_address),
	TEST(test_transport_mode_two_hosts_behind_one_nat),
	TEST(test_ah_with_every_integrity_algorithm),
	TEST(test_ah_in_transport_mode_is_rekeyed_and_deleted),
	TEST(test_ah_and_esp_do_not_agree),
	TEST(test_ah_entry_is_found_beside_one_of_esp),
	TEST(test_ah_behind_a_nat_is_not_offered),
	TEST(test_ah_behind_a_nat_is_not_asked_for_later_either),
	TEST(test_ah_behind_a_nat_is_refused),
	TEST(test_esn_as_both_sides_want_it),
	TEST(test_tfc_padding_is_sent_in_tunnel_mode),
	TEST(test_tfc_padding_unwanted_is_not_sent),
	TEST(test_tfc_padding_has_no_place_in_transport_mode),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
