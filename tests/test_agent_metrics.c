// SPDX-License-Identifier: MIT
#include "agent/metrics.h"

#include "agent_case.h"

TestSuite(metrics, .timeout = 10);

static struct metrics_pool *pool;
static struct metrics *worker[2];
static char *text;

static void print(void)
{
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	cr_assert(out);
	metrics_print(pool, out);
	fclose(out);
}

static void start(void)
{
	pool = metrics_pool_new();
	cr_assert(pool);
	worker[0] = metrics_take(pool, 0);
	worker[1] = metrics_take(pool, 1);
}

static void stop(void)
{
	free(text);
	metrics_pool_free(pool);
}

static bool has_line(const char *line)
{
	const char *at = strstr(text, line);

	return at && (at == text || at[-1] == '\n') &&
	       at[strlen(line)] == '\n';
}

Test(metrics, sums_what_the_slots_counted, .init = start, .fini = stop)
{
	metrics_count(worker[0], METRIC_HANDSHAKES_TLS13);
	metrics_count(worker[1], METRIC_HANDSHAKES_TLS13);
	metrics_count(worker[1], METRIC_HANDSHAKES_RESUMED);
	metrics_count(metrics_master(pool), METRIC_WORKER_RESTARTS);
	print();
	cr_expect(has_line("ktlsd_handshakes_total{version=\"TLSv1.3\"} 2"));
	cr_expect(has_line("ktlsd_handshakes_total{version=\"TLSv1.2\"} 0"));
	cr_expect(has_line("ktlsd_handshakes_resumed_total 1"));
	cr_expect(has_line("ktlsd_worker_restarts_total 1"));
}

Test(metrics, shows_accepted_connections_for_each_worker, .init = start,
     .fini = stop)
{
	metrics_count(worker[1], METRIC_ACCEPTED);
	print();
	cr_expect(has_line("ktlsd_connections_accepted_total{worker=\"0\"} 0"));
	cr_expect(has_line("ktlsd_connections_accepted_total{worker=\"1\"} 1"));
	cr_expect_not(strstr(text, "worker=\"2\""), "master accepts nothing");
}

Test(metrics, declares_each_name_once_and_before_its_values, .init = start,
     .fini = stop)
{
	char name[64], declared[64] = "", all[4096] = " ";
	char *line, *rest;

	print();
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "# TYPE %63s counter", declared) == 1) {
			snprintf(name, sizeof(name), " %.60s ", declared);
			cr_expect_not(strstr(all, name), "%s twice", declared);
			strcat(all, name);
			continue;
		}
		cr_assert_eq(sscanf(line, "%63[a-z_]", name), 1);
		cr_expect_str_eq(name, declared);
	}
}

Test(metrics, survive_the_process_that_counted, .init = start, .fini = stop)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (!pid) {
		metrics_count(worker[0], METRIC_FAILED_HTTP);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_assert_eq(worker[0]->value[METRIC_FAILED_HTTP], 1);
}

/* As in a reload: two of the same number at a time, and then one again. */
Test(metrics, go_on_in_the_next_worker_of_the_same_number, .init = start,
     .fini = stop)
{
	struct metrics *next = metrics_take(pool, 1);

	cr_expect_neq(next, worker[1]);
	metrics_count(worker[1], METRIC_ACCEPTED);
	metrics_count(next, METRIC_ACCEPTED);
	metrics_give(pool, worker[1]);
	print();
	cr_expect(has_line("ktlsd_connections_accepted_total{worker=\"1\"} 2"));
	cr_expect_eq(metrics_take(pool, 1), worker[1]);
	cr_expect_eq(worker[1]->value[METRIC_ACCEPTED], 1);
}

/* Its counts would be shown as another's, and be missed at its own. */
Test(metrics, give_no_slot_to_a_worker_of_another_number, .init = start,
     .fini = stop)
{
	metrics_count(worker[0], METRIC_ACCEPTED);
	metrics_give(pool, worker[0]);
	cr_expect_neq(metrics_take(pool, 2), worker[0]);
	print();
	cr_expect(has_line("ktlsd_connections_accepted_total{worker=\"0\"} 1"));
	cr_expect(has_line("ktlsd_connections_accepted_total{worker=\"2\"} 0"));
}

Test(metrics, have_a_slot_for_each_of_many_workers, .init = start, .fini = stop)
{
	struct metrics *many[200];
	unsigned int i;

	for (i = 0; i < COUNT(many); i++) {
		many[i] = metrics_take(pool, i);
		cr_assert(many[i]);
		metrics_add(many[i], METRIC_HANDSHAKES_TLS13, i);
	}
	for (i = 0; i < COUNT(many); i++)
		cr_assert_eq(many[i]->value[METRIC_HANDSHAKES_TLS13], i);
	print();
	cr_expect(has_line("ktlsd_handshakes_total{version=\"TLSv1.3\"} 19900"));
}
