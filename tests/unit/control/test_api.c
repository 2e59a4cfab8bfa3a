/* SPDX-License-Identifier: BSD-3-Clause */
/* The control socket: request lines, limits, misbehaving clients, stale sockets. Served by turning the loop by hand. */
#include "api_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "commands.h"
#include "harness.h"

static unsigned runs;
static struct api *api;
static uint64_t ticket; /* of the last "later" */

/* Says what it was asked; "fail" fails; "big" answers with many bytes; "later" is answered by the test. */
static json_t *echo(
	void *context, const char *command, const char *const *args, size_t arg_count, struct api_error *ret_error)
{
	(void)context;
	runs++;
	if (!strcmp(command, "fail")) {
		snprintf(ret_error->text, sizeof(ret_error->text), "as asked");
		return NULL;
	}
	if (!strcmp(command, "later")) {
		ticket = api_ticket(api);
		api_defer(api, ticket);
		return NULL;
	}
	if (!strcmp(command, "big")) {
		char *text = malloc(4000001);
		json_t *result;

		memset(text, 'x', 4000000);
		text[4000000] = '\0';
		result = json_string(text);
		free(text);
		return result;
	}
	return json_pack("{s:s,s:i,s:s}", "command", command, "args", (int)arg_count, "last",
		arg_count ? args[arg_count - 1] : "");
}

static const struct api_host host = { NULL, echo };

static json_t *answer(const char *line)
{
	char *text = api_answer(&host, BYTES(line, strlen(line)));
	json_t *json = text ? json_loads(text, 0, NULL) : NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	CU_ASSERT_EQUAL(text[strlen(text) - 1], '\n');
	CU_ASSERT_PTR_EQUAL(strchr(text, '\n'), text + strlen(text) - 1);
	free(text);
	return json;
}

static bool answer_ok(const char *line)
{
	json_t *json = answer(line);
	bool ok = json_is_true(json_object_get(json, "ok"));

	CU_ASSERT_TRUE(ok ? json_object_get(json, "result") != NULL : json_is_string(json_object_get(json, "error")));
	json_decref(json);
	return ok;
}

static void test_api_answers_a_command_with_arguments(void)
{
	json_t *json = answer("{\"command\":\"show sas\",\"args\":[\"a\",\"b\"]}");
	json_t *result = json_object_get(json, "result");

	CU_ASSERT_TRUE(json_is_true(json_object_get(json, "ok")));
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(result, "command")), "show sas");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(result, "args")), 2);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(result, "last")), "b");
	json_decref(json);
}

static void test_api_arguments_may_be_left_out(void)
{
	CU_ASSERT_TRUE(answer_ok("{\"command\":\"x\"}"));
}

static void test_api_failed_command_gives_its_text(void)
{
	json_t *json = answer("{\"command\":\"fail\"}");

	CU_ASSERT_TRUE(json_is_false(json_object_get(json, "ok")));
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json, "error")), "as asked");
	json_decref(json);
}

static const char too_many[] = "{\"command\":\"x\",\"args\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
			       "\"\",\"\",\"\",\"\",\"\",\"\"]}";

static void test_api_refuses_what_is_no_request(void)
{
	static const char *const lines[] = { "", "hello", "[]", "{", "{}", "{\"command\":5}", "\"command\"", "\x01\x02",
		"{\"command\":\"x\",\"command\":\"y\"}", "{\"command\":\"x\",\"args\":\"a\"}",
		"{\"command\":\"x\",\"args\":[1]}", "{\"command\":\"x\",\"args\":{}}", "{\"command\":\"\xff\xfe\"}",
		too_many, "{\"command\":\"x\"} trailing" };

	runs = 0;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		CU_ASSERT_FALSE(answer_ok(lines[i]));
	CU_ASSERT_EQUAL(runs, 0);
}

static void test_api_deep_nesting_is_refused(void)
{
	char line[4000];

	memset(line, '[', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	CU_ASSERT_FALSE(answer_ok(line));
}

static void test_api_text_of_any_bytes_becomes_json(void)
{
	json_t *good = json_text("caf\xc3\xa9"), *bad = json_text("a\xff\xfe");

	CU_ASSERT_STRING_EQUAL(json_string_value(good), "caf\xc3\xa9");
	CU_ASSERT_STRING_EQUAL(json_string_value(bad), "a??");
	json_decref(good);
	json_decref(bad);
}

/* ---- over the socket ---- */

static char folder[32], path[108];
static struct loop loop;

static void server_start(void)
{
	struct api_error error = { "" };

	strcpy(folder, "/tmp/sallyport-test-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/run/control.sock", folder);
	CU_ASSERT_EQUAL_FATAL(loop_init(&loop), 0);
	CU_ASSERT_EQUAL_FATAL(api_open(path, &api, &error), 0);
	CU_ASSERT_EQUAL_FATAL(api_start(api, &loop, &host), 0);
}

static void server_stop(void)
{
	char run[64];

	api_close(api);
	loop_done(&loop);
	CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
	snprintf(run, sizeof(run), "%s/run", folder);
	CU_ASSERT_EQUAL(rmdir(run), 0);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void turn(unsigned times)
{
	while (times--)
		loop_wait(&loop, 0);
}

static int client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	turn(1);
	return fd;
}

static void say(int fd, const char *text)
{
	CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What there is to read, as text; "" nothing yet, "(end)" closed. */
static const char *hear(int fd)
{
	static char text[8192];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return errno == EAGAIN ? "" : "(end)";
	if (n == 0)
		return "(end)";
	text[n] = '\0';
	return text;
}

/* ---- answers that come later ---- */

static void test_api_deferred_answer_holds_up_its_client_only(void)
{
	int waits, other;

	server_start();
	waits = client();
	other = client();
	say(waits, "{\"command\":\"later\"}\n{\"command\":\"x\"}\n");
	turn(4);
	CU_ASSERT_STRING_EQUAL(hear(waits), "");
	say(other, "{\"command\":\"x\"}\n");
	turn(3);
	CU_ASSERT_PTR_NOT_NULL(strstr(hear(other), "\"ok\":true"));
	api_reply(api, ticket, json_string("now"), NULL);
	turn(1);
	CU_ASSERT_STRING_EQUAL(hear(waits), "{\"ok\":true,\"result\":\"now\"}\n");
	/* what it asked behind it gets its turn */
	turn(3);
	CU_ASSERT_PTR_NOT_NULL(strstr(hear(waits), "\"command\":\"x\""));
	close(waits);
	close(other);
	turn(3);
	server_stop();
}

static void test_api_deferred_answer_may_be_an_error(void)
{
	int fd;

	server_start();
	fd = client();
	say(fd, "{\"command\":\"later\"}\n");
	turn(2);
	api_reply(api, ticket, NULL, &(struct api_error){ "as it ended" });
	turn(1);
	CU_ASSERT_STRING_EQUAL(hear(fd), "{\"ok\":false,\"error\":\"as it ended\"}\n");
	close(fd);
	turn(2);
	server_stop();
}

static void test_api_client_that_waits_is_neither_idle_nor_missed(void)
{
	int fd;

	server_start();
	fd = client();
	say(fd, "{\"command\":\"later\"}\n");
	turn(2);
	api_sweep(api, loop_now_ns() + 3600000000000ull);
	/* who only says that no more requests come waits as well */
	CU_ASSERT_EQUAL(shutdown(fd, SHUT_WR), 0);
	turn(2);
	CU_ASSERT_STRING_EQUAL(hear(fd), "");
	close(fd);
	turn(2);
	api_reply(api, ticket, json_true(), NULL);
	turn(2);
	server_stop();
}

static void test_api_socket_is_private_and_its_folder_is_made(void)
{
	struct stat st;

	server_start();
	CU_ASSERT_EQUAL(lstat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
	server_stop();
}

static void test_api_serves_a_request_in_pieces(void)
{
	int fd;

	server_start();
	fd = client();
	say(fd, "{\"comm");
	turn(2);
	CU_ASSERT_STRING_EQUAL(hear(fd), "");
	say(fd, "and\":\"x\"}\n");
	turn(2);
	CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "\"ok\":true"));
	close(fd);
	server_stop();
}

/* Two clients with many requests each: every turn of the loop answers one request of each. */
static void test_api_requests_of_clients_take_turns(void)
{
	int a, b;

	server_start();
	a = client();
	b = client();
	for (int i = 0; i < 20; i++)
		say(a, "{\"command\":\"a\"}\n");
	say(b, "{\"command\":\"b\"}\n");
	runs = 0;
	turn(1);
	CU_ASSERT_EQUAL(runs, 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(hear(b), "\"ok\":true"));
	turn(30);
	CU_ASSERT_EQUAL(runs, 21);
	close(a);
	close(b);
	server_stop();
}

static void test_api_too_long_a_line_ends_the_connection(void)
{
	char line[CONTROL_LINE_MAX + 1];
	int fd;

	server_start();
	fd = client();
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	say(fd, line);
	turn(4);
	CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "too long"));
	turn(2);
	CU_ASSERT_STRING_EQUAL(hear(fd), "(end)");
	close(fd);
	server_stop();
}

/* A client that asks for much and reads nothing keeps its answer to itself; others are served. */
static void test_api_client_that_does_not_read_stalls_nobody(void)
{
	size_t total = 0;
	int slow, quick;

	server_start();
	slow = client();
	say(slow, "{\"command\":\"big\"}\n{\"command\":\"x\"}\n");
	turn(5);
	quick = client();
	say(quick, "{\"command\":\"x\"}\n");
	turn(3);
	CU_ASSERT_PTR_NOT_NULL(strstr(hear(quick), "\"ok\":true"));
	for (int i = 0; i < 5000 && total < 4000000; i++) {
		total += strlen(hear(slow));
		turn(1);
	}
	CU_ASSERT_TRUE(total >= 4000000);
	close(slow);
	close(quick);
	server_stop();
}

static void test_api_pending_answers_are_bounded(void)
{
	int fds[20];
	bool refused = false;

	server_start();
	for (int i = 0; i < 20; i++) {
		fds[i] = client();
		say(fds[i], "{\"command\":\"big\"}\n");
		turn(3);
	}
	for (int i = 0; i < 20; i++)
		refused = refused || strstr(hear(fds[i]), "too many answers");
	CU_ASSERT_TRUE(refused);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	turn(5);
	server_stop();
}

static void test_api_too_many_clients_are_turned_away(void)
{
	int fds[70];

	server_start();
	for (int i = 0; i < 70; i++)
		fds[i] = client();
	turn(10);
	CU_ASSERT_STRING_EQUAL(hear(fds[0]), "");
	CU_ASSERT_STRING_EQUAL(hear(fds[69]), "(end)");
	for (int i = 0; i < 70; i++)
		close(fds[i]);
	turn(80);
	fds[0] = client();
	say(fds[0], "{\"command\":\"x\"}\n");
	turn(3);
	CU_ASSERT_PTR_NOT_NULL(strstr(hear(fds[0]), "\"ok\":true"));
	close(fds[0]);
	server_stop();
}

static void test_api_idle_clients_are_dropped(void)
{
	int fd;

	server_start();
	fd = client();
	api_sweep(api, loop_now_ns());
	CU_ASSERT_STRING_EQUAL(hear(fd), "");
	api_sweep(api, loop_now_ns() + 120 * 1000000000ull);
	CU_ASSERT_STRING_EQUAL(hear(fd), "(end)");
	close(fd);
	server_stop();
}

static void test_api_second_daemon_is_refused(void)
{
	struct api_error error = { "" };
	struct api *second = NULL;

	server_start();
	CU_ASSERT_NOT_EQUAL(api_open(path, &second, &error), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "another sallyportd"));
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	server_stop();
}

static void test_api_stale_socket_is_replaced(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char run[64];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(folder, "/tmp/sallyport-test-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(run, sizeof(run), "%s/run", folder);
	mkdir(run, 0755);
	snprintf(path, sizeof(path), "%s/control.sock", run);
	strcpy(address.sun_path, path);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd); /* as after kill -9 */
	CU_ASSERT_EQUAL_FATAL(loop_init(&loop), 0);
	CU_ASSERT_EQUAL_FATAL(api_open(path, &api, &(struct api_error){ "" }), 0);
	CU_ASSERT_EQUAL(api_start(api, &loop, &host), 0);
	close(client());
	server_stop();
}

static void test_api_other_files_are_not_removed(void)
{
	struct api_error error = { "" };
	struct api *a = NULL;
	char name[] = "/tmp/sallyport-test-XXXXXX";
	int fd = mkstemp(name);

	CU_ASSERT_NOT_EQUAL(api_open(name, &a, &error), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "not a socket"));
	CU_ASSERT_EQUAL(access(name, F_OK), 0);
	close(fd);
	unlink(name);
}

static const struct test tests[] = {
	TEST(test_api_answers_a_command_with_arguments),
	TEST(test_api_arguments_may_be_left_out),
	TEST(test_api_failed_command_gives_its_text),
	TEST(test_api_refuses_what_is_no_request),
	TEST(test_api_deep_nesting_is_refused),
	TEST(test_api_text_of_any_bytes_becomes_json),
	TEST(test_api_deferred_answer_holds_up_its_client_only),
	TEST(test_api_deferred_answer_may_be_an_error),
	TEST(test_api_client_that_waits_is_neither_idle_nor_missed),
	TEST(test_api_socket_is_private_and_its_folder_is_made),
	TEST(test_api_serves_a_request_in_pieces),
	TEST(test_api_requests_of_clients_take_turns),
	TEST(test_api_too_long_a_line_ends_the_connection),
	TEST(test_api_client_that_does_not_read_stalls_nobody),
	TEST(test_api_pending_answers_are_bounded),
	TEST(test_api_too_many_clients_are_turned_away),
	TEST(test_api_idle_clients_are_dropped),
	TEST(test_api_second_daemon_is_refused),
	TEST(test_api_stale_socket_is_replaced),
	TEST(test_api_other_files_are_not_removed),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
