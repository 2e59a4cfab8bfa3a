/* SPDX-License-Identifier: BSD-3-Clause */
/* What an IKE SA has to ask or tell its peer: one table, one row a task, in the order of enum task_kind. The window is
 * 1 (RFC 7296 2.3): the next one begins when the exchange of the one before is over. */
#include "v2.h"

struct task_row {
	/* Something of this kind waits. */
	bool (*find)(const struct ike_engine *e, const struct ike_sa *sa, uint8_t kind, struct task *ret_task);
	/* INFORMATIONAL: adds what the request says; data has TASK_DATA_MAX bytes. */
	void (*fill)(struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data);
	/* The answer to it; NULL: that there is one is enough. */
	enum step (*done)(struct ike_engine *e, struct ike_sa *sa, const struct task *t, const struct input *in);
	/* Or it is an exchange of its own. */
	void (*begin)(struct ike_engine *e, struct ike_sa *sa, const struct task *t);
	/* It waits for the end of the peer's CREATE_CHILD_SA exchange. */
	bool patient;
};

static bool find_own(const struct ike_engine *e, const struct ike_sa *sa, uint8_t kind, struct task *ret_task)
{
	(void)e;
	*ret_task = (struct task){ .kind = kind };
	return sa->wants & TASK_BIT(kind);
}

/* About what the peer may not have yet it is not asked. */
static bool find_child(const struct ike_engine *e, const struct ike_sa *sa, uint8_t kind, struct task *ret_task)
{
	struct child_sa *child;

	TAILQ_FOREACH (child, &sa->children, siblings) {
		if (child_is_known(e, child) && child->wants & TASK_BIT(kind)) {
			*ret_task = (struct task){ kind, (uint8_t)child->index, child->spi_in };
			return true;
		}
	}
	return false;
}

static bool find_create(const struct ike_engine *e, const struct ike_sa *sa, uint8_t kind, struct task *ret_task)
{
	(void)e;
	*ret_task = (struct task){ .kind = kind };
	while (sa->creates && !(sa->creates >> ret_task->child_index & 1))
		ret_task->child_index++;
	return sa->creates;
}

static const struct task_row rows[TASK_KINDS] = {
	[TASK_AUTH_FAILED] = { .find = find_own, .fill = informational_fill_auth_failed, .done = informational_closed },
	[TASK_INVALID_SYNTAX] = { .find = find_own,
		.fill = informational_fill_invalid_syntax,
		.done = informational_closed },
	[TASK_DELETE_IKE] = { .find = find_own, .fill = informational_fill_delete_ike, .done = informational_closed },
	[TASK_UPDATE_ADDRESSES] = { .find = find_own, .fill = mobike_fill_update, .done = mobike_updated },
	[TASK_CHECK_PATH] = { .find = find_own, .fill = mobike_fill_check, .done = mobike_checked },
	[TASK_TELL_ADDRESSES] = { .find = find_own, .fill = mobike_fill_addresses },
	[TASK_DELETE_CHILD] = { .find = find_child,
		.fill = informational_fill_delete_child,
		.done = informational_child_deleted,
		.patient = true },
	[TASK_REKEY_CHILD] = { .find = find_child, .begin = rekey_child_begin, .patient = true },
	[TASK_CREATE_CHILD] = { .find = find_create, .begin = create_child_begin, .patient = true },
	[TASK_REKEY_IKE] = { .find = find_own, .begin = rekey_ike_begin, .patient = true },
	/* empty but for NAT detection (RFC 7296 2.4, RFC 4555 3.8) */
	[TASK_LIVENESS] = { .find = find_own, .fill = mobike_fill_liveness, .done = mobike_alive },
};

static void forget(struct ike_sa *sa, const struct task *t)
{
	struct child_sa *child = t->child_spi ? child_of_spi(sa, t->child_spi) : NULL;

	sa->wants &= (uint16_t)~TASK_BIT(t->kind);
	if (child) {
		child->wants &= (uint16_t)~TASK_BIT(t->kind);
		child->asked_early = !child->confirmed;
	}
	if (t->kind == TASK_CREATE_CHILD)
		sa->creates &= (uint8_t) ~(1u << t->child_index);
}

static void inform(struct ike_engine *e, struct ike_sa *sa, const struct task *t)
{
	struct message m;
	uint8_t data[TASK_DATA_MAX];

	protect_init_message(sa, INFORMATIONAL, false, sa->outbox.next_request_id, &m);
	rows[t->kind].fill(e, sa, t, &m, data);
	if (protect_request(e, sa, &m))
		sa_fail(e, sa);
}

/* RFC 7296 2.25: what the peer could not do now is not asked for again at once. */
static bool must_wait(const struct ike_sa *sa, const struct task_row *row)
{
	return (row->patient && (sa->theirs || sa->state != ST_ESTABLISHED)) ||
	       (row->begin && sa->timers[TIMER_PAUSE].place);
}

static bool next_task(const struct ike_engine *e, const struct ike_sa *sa, struct task *ret_task)
{
	for (uint8_t kind = TASK_NONE + 1; kind < TASK_KINDS; kind++)
		if (!must_wait(sa, &rows[kind]) && rows[kind].find(e, sa, kind, ret_task))
			return true;
	return false;
}

void task_flush(struct ike_engine *e, struct ike_sa *sa)
{
	struct task t;

	if (sa->outbox.request || sa->ours || (sa->state != ST_ESTABLISHED && sa->state != ST_CLOSING))
		return;
	if (!next_task(e, sa, &t))
		return;
	forget(sa, &t);
	sa->asking = t;
	if (rows[t.kind].begin)
		rows[t.kind].begin(e, sa, &t);
	else
		inform(e, sa, &t);
}

void task_want(struct ike_engine *e, struct ike_sa *sa, enum task_kind kind)
{
	sa->wants |= TASK_BIT(kind);
	task_flush(e, sa);
}

enum step task_done(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct task t = sa->asking;

	sa->asking = (struct task){ .kind = TASK_NONE };
	return rows[t.kind].done ? rows[t.kind].done(e, sa, &t, in) : STEP_STAY;
}
