/* SPDX-License-Identifier: BSD-3-Clause */
/* A capture's file: opens it, takes copies from the packet path in portions between other work, ends when something is
 * used up. What is copied where is the packet path's. */
#include "control_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pcapng_priv.h"

#define PORTION     256 /* copies of each worker in one turn of the loop */
#define POLL_NS     5000000ull
#define FILE_BUFFER (256u << 10)

/* The bytes of a block on their way into the file. */
static uint8_t block[CAPTURE_SNAPLEN_MAX + PCAPNG_BLOCK_EXTRA];

static uint64_t realtime_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void end_because(struct capture_session *s, const char *why)
{
	if (!*s->ended)
		snprintf(s->ended, sizeof(s->ended), "%s", why);
}

static void block_write(struct capture_session *s, const struct writer *w)
{
	if (fwrite(w->data, 1, w->len, s->file) == w->len) {
		s->bytes += w->len;
		return;
	}
	end_because(s, "the file cannot be written");
}

/* ---- interfaces of the file ---- */

static void interface_add(struct capture_session *s, uint32_t *number, const char *name, enum pcapng_link link,
	enum datapath_capture_point in, enum datapath_capture_point out)
{
	struct writer w = writer_init(block, sizeof(block));

	pcapng_interface(&w, name, link, s->request.spec.snaplen);
	block_write(s, &w);
	s->interfaces[in] = s->interfaces[out] = (*number)++;
}

static void head_write(struct capture_session *s)
{
	const struct datapath_capture_spec *spec = &s->request.spec;
	struct writer w = writer_init(block, sizeof(block));
	uint32_t number = 0;
	char name[128];

	pcapng_section(&w, "sallyportd " SALLYPORT_VERSION);
	block_write(s, &w);
	if (spec->of_port) {
		/* its name as the configuration has it */
		interface_add(
			s, &number, strchr(s->request.of, ' ') + 1, PCAPNG_ETHERNET, CAPTURE_PORT_IN, CAPTURE_PORT_OUT);
		return;
	}
	snprintf(name, sizeof(name), "%s clear", s->request.of);
	if (spec->clear)
		interface_add(s, &number, name, PCAPNG_RAW_IP, CAPTURE_CLEAR_IN, CAPTURE_CLEAR_OUT);
	snprintf(name, sizeof(name), "%s sealed", s->request.of);
	if (spec->sealed)
		interface_add(s, &number, name, PCAPNG_RAW_IP, CAPTURE_SEALED_IN, CAPTURE_SEALED_OUT);
}

/* ---- packets ---- */

static bool is_outbound(enum datapath_capture_point p)
{
	return p == CAPTURE_CLEAR_OUT || p == CAPTURE_SEALED_OUT || p == CAPTURE_PORT_OUT;
}

static uint64_t time_of(const struct capture_session *s, uint64_t cycles)
{
	double since = (double)(int64_t)(cycles - s->began_cycles) * 1e9 / (double)rte_get_tsc_hz();

	return s->began_ns + (uint64_t)(int64_t)since;
}

static void packet_take(void *context, const struct datapath_captured *p)
{
	struct capture_session *s = context;
	struct writer w = writer_init(block, sizeof(block));
	char comment[PCAPNG_TEXT_MAX];

	if (*s->ended)
		return;
	if (p->reason)
		snprintf(comment, sizeof(comment), "dropped: %s (%s)", drop_keyword(p->reason), drop_text(p->reason));
	const struct pcapng_packet packet = {
		.interface = s->interfaces[p->point],
		.time_ns = time_of(s, p->cycles),
		.length = p->length,
		.data = p->data,
		.outbound = is_outbound(p->point),
		.comment = p->reason ? comment : NULL,
	};
	pcapng_packet(&w, &packet);
	if (s->bytes + w.len > s->request.bytes) {
		end_because(s, "bytes");
		return;
	}
	block_write(s, &w);
	if (++s->packets == s->request.count)
		end_because(s, "count");
}

/* ---- its life ---- */

static void finish(struct control *c)
{
	struct capture_session *s = &c->capture;

	if (fclose(s->file))
		snprintf(s->ended, sizeof(s->ended), "the file cannot be written");
	s->file = NULL;
	log_line(LOG_NOTICE, "capture-ended %s file %s: %s, %llu packets, %llu bytes, %llu lost", s->request.of,
		s->path, s->ended, (unsigned long long)s->packets, (unsigned long long)s->bytes,
		(unsigned long long)s->lost);
}

void capture_poll(struct control *c)
{
	struct capture_session *s = &c->capture;
	size_t n;

	if (!s->file)
		return;
	if (c->now_ns >= s->until_ns)
		end_because(s, "seconds");
	if (*s->ended)
		datapath_capture_stop(c->dp);
	if (!datapath_capture_settled(c->dp))
		s->lost = datapath_capture_lost(c->dp);
	n = datapath_capture_drain(c->dp, PORTION, packet_take, s);
	s->next_ns = n >= PORTION ? c->now_ns : c->now_ns + POLL_NS;
	if (datapath_capture_settled(c->dp))
		finish(c);
	else if (n && n < PORTION && fflush(s->file))
		end_because(s, "the file cannot be written");
}

uint64_t capture_deadline(const struct control *c)
{
	return c->capture.file ? c->capture.next_ns : UINT64_MAX;
}

/* A new file of ours alone: what is in it was meant to be secret. */
static FILE *file_create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (file)
		setvbuf(file, NULL, _IOFBF, FILE_BUFFER);
	else if (fd >= 0)
		close(fd);
	return file;
}

static void session_begin(struct control *c, const struct capture_request *request, FILE *file)
{
	struct capture_session *s = &c->capture;

	*s = (struct capture_session){
		.file = file,
		.request = *request,
		.began_cycles = rte_rdtsc(),
		.began_ns = realtime_ns(),
		.next_ns = c->now_ns + POLL_NS,
		.until_ns = c->now_ns + request->seconds * 1000000000u,
	};
	snprintf(s->path, sizeof(s->path), "%s", request->file);
	s->request.file = s->path;
	head_write(s);
}

int capture_begin(struct control *c, const struct capture_request *request, struct watch_error *ret_error)
{
	FILE *file;
	int rc;

	if (c->capture.file) {
		snprintf(ret_error->text, sizeof(ret_error->text), "a capture runs already: %.100s", c->capture.path);
		return -EBUSY;
	}
	file = file_create(request->file);
	if (!file) {
		rc = errno;
		snprintf(ret_error->text, sizeof(ret_error->text), "%.100s: %s", request->file, strerror(rc));
		return -rc;
	}
	rc = datapath_capture_start(c->dp, &request->spec);
	if (rc) {
		snprintf(ret_error->text, sizeof(ret_error->text), "capture: %s", strerror(-rc));
		fclose(file);
		unlink(request->file);
		return rc;
	}
	session_begin(c, request, file);
	log_line(LOG_NOTICE, "capture-started %s file %s, at most %llu packets, %llu s", request->of, request->file,
		(unsigned long long)request->count, (unsigned long long)request->seconds);
	return 0;
}

void capture_stop(struct control *c)
{
	end_because(&c->capture, "stopped");
	c->capture.next_ns = 0;
}

/* Workers have ended: what they copied is all there is. */
void capture_close(struct control *c)
{
	struct capture_session *s = &c->capture;

	if (!s->file)
		return;
	s->lost = datapath_capture_lost(c->dp);
	while (datapath_capture_drain(c->dp, PORTION, packet_take, s) > 0)
		continue;
	end_because(s, "the gateway stops");
	finish(c);
}
