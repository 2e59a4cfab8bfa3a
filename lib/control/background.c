/* SPDX-License-Identifier: BSD-3-Clause */
/* Long work on a thread of its own, whose end the loop hears of through an eventfd. */
#include "background_priv.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE 10 /* control and the crypto helpers may have to share their CPUs with it */

/* Without an affinity of its own, a thread would inherit that of the control lcore and starve it. */
int thread_start(pthread_t *ret_thread, const char *name, const cpu_set_t *cpus, void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	int rc;

	if (pthread_attr_init(&attributes))
		return -ENOMEM;
	if (cpus)
		pthread_attr_setaffinity_np(&attributes, sizeof(*cpus), cpus);
	rc = -pthread_create(ret_thread, &attributes, run, argument);
	pthread_attr_destroy(&attributes);
	if (!rc)
		pthread_setname_np(*ret_thread, name);
	return rc;
}

/* On Linux a nice value is a thread's; without it the work is done all the same. */
static void *run(void *argument)
{
	struct background *b = argument;

	(void)setpriority(PRIO_PROCESS, 0, NICE);
	b->work(b->context);
	/* the counter is zero: there is room for one */
	return eventfd_write(b->ended.fd, 1) < 0 ? b : NULL;
}

static void close_source(struct background *b)
{
	loop_remove(b->loop, &b->ended);
	close(b->ended.fd);
	b->loop = NULL;
}

/* The work has returned: the join does not wait. done may start the next piece. */
static void on_ended(void *context, uint32_t events)
{
	struct background *b = context;

	(void)events;
	pthread_join(b->thread, NULL);
	close_source(b);
	b->done(b->context);
}

int background_start(struct background *b, struct loop *loop, const cpu_set_t *cpus)
{
	int rc;

	b->ended = (struct loop_source){ eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), on_ended, b };
	if (b->ended.fd < 0)
		return -errno;
	rc = loop_add(loop, &b->ended, EPOLLIN);
	if (rc) {
		close(b->ended.fd);
		return rc;
	}
	b->loop = loop;
	rc = thread_start(&b->thread, "sp-background", cpus, run, b);
	if (rc)
		close_source(b);
	return rc;
}

int background_end(struct background *b, int wait_ms)
{
	struct pollfd ended = { .fd = b->ended.fd, .events = POLLIN };

	if (!b->loop)
		return 0;
	if (poll(&ended, 1, wait_ms) != 1)
		return -ETIMEDOUT;
	pthread_join(b->thread, NULL);
	close_source(b);
	return 0;
}
