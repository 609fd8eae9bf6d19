// SPDX-License-Identifier: MIT
#include "agent/metrics.h"

#include "agent_case.h"

TestSuite(metrics, .timeout = 10);

#define SLOTS 3		/* two workers and master */

static struct metrics *slots;
static char *text;

static void print(void)
{
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	cr_assert(out);
	metrics_print(slots, SLOTS, out);
	fclose(out);
}

static void start(void)
{
	slots = metrics_new(SLOTS);
	cr_assert(slots);
}

static void stop(void)
{
	free(text);
	metrics_free(slots, SLOTS);
}

static bool has_line(const char *line)
{
	const char *at = strstr(text, line);

	return at && (at == text || at[-1] == '\n') &&
	       at[strlen(line)] == '\n';
}

Test(metrics, sums_what_the_slots_counted, .init = start, .fini = stop)
{
	metrics_count(&slots[0], METRIC_HANDSHAKES_TLS13);
	metrics_count(&slots[1], METRIC_HANDSHAKES_TLS13);
	metrics_count(&slots[1], METRIC_HANDSHAKES_RESUMED);
	metrics_count(&slots[2], METRIC_WORKER_RESTARTS);
	print();
	cr_expect(has_line("ktlsd_handshakes_total{version=\"TLSv1.3\"} 2"));
	cr_expect(has_line("ktlsd_handshakes_total{version=\"TLSv1.2\"} 0"));
	cr_expect(has_line("ktlsd_handshakes_resumed_total 1"));
	cr_expect(has_line("ktlsd_worker_restarts_total 1"));
}

Test(metrics, shows_accepted_connections_for_each_worker, .init = start,
     .fini = stop)
{
	metrics_count(&slots[1], METRIC_ACCEPTED);
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
		metrics_count(&slots[0], METRIC_FAILED_HTTP);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_assert_eq(slots[0].value[METRIC_FAILED_HTTP], 1);
}
