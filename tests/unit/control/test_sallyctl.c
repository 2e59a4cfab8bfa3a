/* SPDX-License-Identifier: BSD-3-Clause */
/* sallyctl as a program: exit codes and what it prints, with and without a daemon (a loop in this process). */
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api_priv.h"
#include "harness.h"

extern char **environ;

static char folder[32], path[96], output[65536];
static struct loop loop;
static struct api *api;
static unsigned polls;

/* A daemon whose tunnel "slow" comes up at the third look and whose "bad" fails. */
static json_t *answer(
	void *context, const char *command, const char *const *args, size_t arg_count, struct api_error *ret_error)
{
	(void)context;
	if (!strcmp(command, "show tunnels") && arg_count) {
		bool bad = !strcmp(args[0], "bad");
		json_t *failure = bad ? json_pack("{s:f,s:s}", "seconds_ago", 0.0, "reason", "no key") : json_null();

		json_t *silence = !strcmp(args[0], "silent")
					  ? json_pack("{s:s,s:i,s:s}", "exchange", "IKE_SA_INIT", "sent", 4, "hint",
						    "next hop 192.0.2.2 does not answer ARP on wan")
					  : json_null();

		return json_pack("{s:[{s:s,s:{s:s,s:o},s:[{s:s}],s:o}]}", "tunnels", "name", args[0], "phase1", "state",
			"negotiating", "unanswered", silence, "phase2", "state",
			!strcmp(args[0], "up") || (!strcmp(args[0], "slow") && ++polls >= 3) ? "up" : "negotiating",
			"last_failure", failure);
	}
	if (!strcmp(command, "initiate") && strcmp(args[0], "nowhere") != 0)
		return json_pack("{s:s}", "tunnel", args[0]);
	if (!strcmp(command, "show version"))
		return json_pack("{s:s}", "version", "1.2.3");
	snprintf(ret_error->text, sizeof(ret_error->text), "no tunnel");
	return NULL;
}

static const struct api_host host = { NULL, answer };

static void daemon_start(void)
{
	struct api_error error;

	strcpy(folder, "/tmp/sallyport-test-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sock", folder);
	CU_ASSERT_EQUAL_FATAL(loop_init(&loop), 0);
	CU_ASSERT_EQUAL_FATAL(api_open(path, &api, &error), 0);
	CU_ASSERT_EQUAL_FATAL(api_start(api, &loop, &host), 0);
}

static void daemon_stop(void)
{
	api_close(api);
	api = NULL;
	loop_done(&loop);
	rmdir(folder);
}

static pid_t spawn(char **argv, int out_fd)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	posix_spawn_file_actions_adddup2(&actions, out_fd, 2);
	CU_ASSERT_EQUAL(posix_spawn(&pid, SALLYCTL, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* Reads what it prints until it ends, serving the daemon's side meanwhile. */
static void follow(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;

	for (;;) {
		if (api)
			loop_wait(&loop, loop_now_ns());
		if (poll(&p, 1, api ? 1 : 10000) <= 0)
			continue;
		ssize_t n = read(fd, output + len, sizeof(output) - len - 1);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	output[len] = '\0';
}

/* Runs sallyctl with these arguments (at most 6, NULL ends). Returns its exit code. */
static int run(const char *a, const char *b, const char *c, const char *d, const char *e, const char *f)
{
	char *argv[] = { (char *)"sallyctl", (char *)a, (char *)b, (char *)c, (char *)d, (char *)e, (char *)f, NULL };
	int pipe_fds[2], status;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(pipe(pipe_fds), 0);
	pid = spawn(argv, pipe_fds[1]);
	close(pipe_fds[1]);
	follow(pipe_fds[0]);
	close(pipe_fds[0]);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool printed(const char *part)
{
	if (!strstr(output, part))
		printf("no \"%s\" in: %s\n", part, output);
	return strstr(output, part) != NULL;
}

static void test_sallyctl_help_lists_every_command(void)
{
	CU_ASSERT_EQUAL(run("--help", NULL, NULL, NULL, NULL, NULL), 0);
	CU_ASSERT_TRUE(printed("usage: sallyctl [--socket PATH] [--json] [--wait SECONDS] COMMAND"));
	CU_ASSERT_TRUE(printed("show tunnels [NAME [peer ID]]"));
	CU_ASSERT_TRUE(printed("terminate NAME"));
	CU_ASSERT_TRUE(printed("check FILE"));
	CU_ASSERT_EQUAL(run("help", NULL, NULL, NULL, NULL, NULL), 0);
	CU_ASSERT_TRUE(printed("show tunnels [NAME [peer ID]]"));
}

static void test_sallyctl_version_needs_no_daemon(void)
{
	CU_ASSERT_EQUAL(run("--version", NULL, NULL, NULL, NULL, NULL), 0);
	CU_ASSERT_TRUE(printed("sallyctl "));
}

static void test_sallyctl_wrong_usage_is_2(void)
{
	CU_ASSERT_EQUAL(run(NULL, NULL, NULL, NULL, NULL, NULL), 2);
	CU_ASSERT_EQUAL(run("--nonsense", NULL, NULL, NULL, NULL, NULL), 2);
	CU_ASSERT_EQUAL(run("initiate", NULL, NULL, NULL, NULL, NULL), 2);
	CU_ASSERT_EQUAL(run("initiate", "a", "b", "c", NULL, NULL), 2);
	CU_ASSERT_EQUAL(run("--wait", "soon", "initiate", "a", NULL, NULL), 2);
	CU_ASSERT_EQUAL(run("shov", "version", NULL, NULL, NULL, NULL), 2);
	CU_ASSERT_TRUE(printed("did you mean \"show version\"?\nsee sallyctl --help\n"));
}

static void test_sallyctl_half_a_command_lists_its_rest(void)
{
	CU_ASSERT_EQUAL(run("show", NULL, NULL, NULL, NULL, NULL), 2);
	CU_ASSERT_TRUE(printed("show what? tunnels, sas, policies, ports"));
	CU_ASSERT_EQUAL(run("config", NULL, NULL, NULL, NULL, NULL), 2);
	CU_ASSERT_TRUE(printed("config what? schema\n"));
	CU_ASSERT_EQUAL(run("show", "nonsense", NULL, NULL, NULL, NULL), 2);
	CU_ASSERT_TRUE(printed("show what?"));
}

static void test_sallyctl_no_daemon_is_3(void)
{
	CU_ASSERT_EQUAL(run("--socket", "/tmp/sallyport-test-nobody.sock", "show", "version", NULL, NULL), 3);
	CU_ASSERT_TRUE(printed("no sallyportd at"));
}

static void test_sallyctl_missing_file_fails_the_check(void)
{
	CU_ASSERT_EQUAL(run("check", "/tmp/sallyport-test-no-such-file.yaml", NULL, NULL, NULL, NULL), 1);
	CU_ASSERT_TRUE(printed("sallyport-test-no-such-file.yaml"));
}

static void test_sallyctl_prints_schema_without_daemon(void)
{
	CU_ASSERT_EQUAL(run("config", "schema", NULL, NULL, NULL, NULL), 0);
	CU_ASSERT_TRUE(printed("secrets_file"));
}

static void test_sallyctl_answer_as_text_and_json(void)
{
	daemon_start();
	CU_ASSERT_EQUAL(run("--socket", path, "show", "version", NULL, NULL), 0);
	CU_ASSERT_TRUE(printed("1.2.3"));
	CU_ASSERT_EQUAL(run("--socket", path, "--json", "show", "version", NULL), 0);
	CU_ASSERT_TRUE(printed("\"version\": \"1.2.3\""));
	daemon_stop();
}

static void test_sallyctl_refused_command_is_1(void)
{
	daemon_start();
	CU_ASSERT_EQUAL(run("--socket", path, "initiate", "nowhere", NULL, NULL), 1);
	CU_ASSERT_TRUE(printed("no tunnel"));
	daemon_stop();
}

static void test_sallyctl_initiate_returns_at_once(void)
{
	daemon_start();
	polls = 0;
	CU_ASSERT_EQUAL(run("--socket", path, "initiate", "slow", NULL, NULL), 0);
	CU_ASSERT_EQUAL(polls, 0);
	daemon_stop();
}

static void test_sallyctl_wait_sees_the_tunnel_come_up(void)
{
	daemon_start();
	polls = 0;
	CU_ASSERT_EQUAL(run("--socket", path, "--wait", "20", "initiate", "slow"), 0);
	CU_ASSERT_EQUAL(polls, 3);
	CU_ASSERT_TRUE(printed("ok\n"));
	daemon_stop();
}

static void test_sallyctl_wait_sees_the_failure(void)
{
	daemon_start();
	CU_ASSERT_EQUAL(run("--socket", path, "--wait", "20", "initiate", "bad"), 1);
	CU_ASSERT_TRUE(printed("no key"));
	CU_ASSERT_PTR_NULL(strstr(output, "ok\n"));
	daemon_stop();
}

static void test_sallyctl_wait_that_ends_tells_the_state(void)
{
	daemon_start();
	CU_ASSERT_EQUAL(run("--socket", path, "--wait", "0.3", "initiate", "never"), 1);
	CU_ASSERT_STRING_EQUAL(output, "sallyctl: never is not up after 0.3 s: phase 1 negotiating\n");
	daemon_stop();
}

static void test_sallyctl_wait_that_ends_tells_why_a_peer_is_silent(void)
{
	daemon_start();
	CU_ASSERT_EQUAL(run("--socket", path, "--wait", "0.3", "initiate", "silent"), 1);
	CU_ASSERT_STRING_EQUAL(output,
		"sallyctl: silent is not up after 0.3 s: phase 1 negotiating, IKE_SA_INIT sent 4 times without an "
		"answer; next hop 192.0.2.2 does not answer ARP on wan\n");
	daemon_stop();
}

static void test_sallyctl_wait_for_what_is_up_says_so(void)
{
	daemon_start();
	CU_ASSERT_EQUAL(run("--socket", path, "--wait", "20", "initiate", "up"), 0);
	CU_ASSERT_STRING_EQUAL(output, "up is already up\n");
	daemon_stop();
}

static const struct test tests[] = {
	TEST(test_sallyctl_help_lists_every_command),
	TEST(test_sallyctl_version_needs_no_daemon),
	TEST(test_sallyctl_wrong_usage_is_2),
	TEST(test_sallyctl_half_a_command_lists_its_rest),
	TEST(test_sallyctl_no_daemon_is_3),
	TEST(test_sallyctl_missing_file_fails_the_check),
	TEST(test_sallyctl_prints_schema_without_daemon),
	TEST(test_sallyctl_answer_as_text_and_json),
	TEST(test_sallyctl_refused_command_is_1),
	TEST(test_sallyctl_initiate_returns_at_once),
	TEST(test_sallyctl_wait_sees_the_tunnel_come_up),
	TEST(test_sallyctl_wait_sees_the_failure),
	TEST(test_sallyctl_wait_that_ends_tells_the_state),
	TEST(test_sallyctl_wait_that_ends_tells_why_a_peer_is_silent),
	TEST(test_sallyctl_wait_for_what_is_up_says_so),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
