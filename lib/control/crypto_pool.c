/* SPDX-License-Identifier: BSD-3-Clause */
/* Helper threads for key generation and Diffie-Hellman. The one mutex of control: workers never see it. */
#include "crypto_pool_priv.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "background_priv.h"

#define THREADS_MAX 16

/* A node per job: jobs have no link of their own, as most engines of tests run them in line. */
struct node {
	struct node *next;
	struct crypto_job *job;
};

struct queue {
	struct node *head, **tail;
	size_t count;
};

struct crypto_pool {
	pthread_mutex_t lock; /* guards everything below it */
	pthread_cond_t work;
	struct queue waiting, finished;
	size_t queue_max;
	bool stopping;
	int event_fd;
	unsigned thread_count;
	pthread_t threads[THREADS_MAX];
};

static void queue_init(struct queue *q)
{
	*q = (struct queue){ .tail = &q->head };
}

static void queue_push(struct queue *q, struct node *n)
{
	n->next = NULL;
	*q->tail = n;
	q->tail = &n->next;
	q->count++;
}

static struct node *queue_pull(struct queue *q)
{
	struct node *n = q->head;

	if (!n)
		return NULL;
	q->head = n->next;
	if (!q->head)
		q->tail = &q->head;
	q->count--;
	return n;
}

/* Lock held. An eventfd write fails only when the counter is full, and then it is readable anyway. */
static void finish(struct crypto_pool *p, struct node *n)
{
	queue_push(&p->finished, n);
	if (eventfd_write(p->event_fd, 1) < 0)
		return;
}

/* The lock is not held while a job runs: that takes milliseconds. */
static void *helper(void *argument)
{
	struct crypto_pool *p = argument;

	pthread_mutex_lock(&p->lock);
	while (!p->stopping) {
		struct node *n = queue_pull(&p->waiting);

		if (!n) {
			pthread_cond_wait(&p->work, &p->lock);
			continue;
		}
		pthread_mutex_unlock(&p->lock);
		crypto_job_run(n->job);
		pthread_mutex_lock(&p->lock);
		finish(p, n);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct crypto_pool *crypto_pool_create(unsigned threads, size_t queue_max, const cpu_set_t *cpus)
{
	struct crypto_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	queue_init(&p->waiting);
	queue_init(&p->finished);
	p->queue_max = queue_max;
	p->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	while (p->event_fd >= 0 && p->thread_count < threads && p->thread_count < THREADS_MAX &&
		!thread_start(&p->threads[p->thread_count], "sp-crypto", cpus, helper, p))
		p->thread_count++;
	if (!p->thread_count) {
		crypto_pool_free(p);
		return NULL;
	}
	return p;
}

static void queue_free(struct queue *q)
{
	for (struct node *n; (n = queue_pull(q));) {
		crypto_job_free(n->job);
		free(n);
	}
}

void crypto_pool_free(struct crypto_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->thread_count; i++)
		pthread_join(p->threads[i], NULL);
	queue_free(&p->waiting);
	queue_free(&p->finished);
	if (p->event_fd >= 0)
		close(p->event_fd);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

int crypto_pool_fd(const struct crypto_pool *p)
{
	return p->event_fd;
}

int crypto_pool_push(struct crypto_pool *p, struct crypto_job *job)
{
	struct node *n = malloc(sizeof(*n));

	if (!n) {
		crypto_job_free(job);
		return -ENOMEM;
	}
	n->job = job;
	pthread_mutex_lock(&p->lock);
	if (p->waiting.count >= p->queue_max) {
		finish(p, n);
	} else {
		queue_push(&p->waiting, n);
		pthread_cond_signal(&p->work);
	}
	pthread_mutex_unlock(&p->lock);
	return 0;
}

struct crypto_job *crypto_pool_pull(struct crypto_pool *p)
{
	struct crypto_job *job = NULL;
	struct node *n;
	eventfd_t ignored;

	pthread_mutex_lock(&p->lock);
	n = queue_pull(&p->finished);
	/* cleared only with nothing left, under the lock: a job that finishes later signals again */
	if (!n && eventfd_read(p->event_fd, &ignored) < 0)
		n = NULL; /* nothing was signalled either */
	pthread_mutex_unlock(&p->lock);
	if (n) {
		job = n->job;
		free(n);
	}
	return job;
}
