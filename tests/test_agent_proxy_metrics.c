/* SPDX-License-Identifier: MIT */
#include "agent/proxy_metrics.h"

#include "agent_case.h"

TestSuite(agent_proxy_metrics, .timeout = 10);

static struct config_backend server = { .text = (char *)"unix:/x" };
static struct config_route routes[] = {
	{ .name = (char *)"plain", .handoff = (char *)"/a" },
	{ .name = (char *)"web", .proxy = { .backends = &server, .n = 1 } },
};
static struct config config = { .routes = routes, .n_routes = 2 };
static const char *const names[] = { "web" };
static struct proxy_board board;
static struct proxy_source source;
static struct proxy_metrics *all;

static void start(void)
{
	board = (struct proxy_board){ .n_processes = 2, .n_routes = 1,
				      .n_backends = 1 };
	close(proxy_board_new(&board));
	source = (struct proxy_source){ NULL, &board, names };
	all = proxy_metrics_new();
	proxy_metrics_add(all, &source);
}

static void stop(void)
{
	proxy_metrics_free(all);
	proxy_board_free(&board);
}

static void expect(const char *line)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	proxy_metrics_print(all, &config, &board, out);
	fclose(out);
	cr_expect(strstr(text, line), "%s is not in:\n%s", line, text);
	cr_expect_null(strstr(text, "plain"));
	free(text);
}

Test(agent_proxy_metrics, sums_what_all_processes_counted, .init = start,
     .fini = stop)
{
	proxy_board_counts(&board, 0, 0)->value[PROXY_CONNECTED] = 3;
	proxy_board_counts(&board, 1, 0)->value[PROXY_CONNECTED] = 4;
	*proxy_board_active(&board, 1, 0) = 2;
	expect("\nktlsd_proxied_total{route=\"web\"} 7\n");
	expect("\nktlsd_proxy_connections{route=\"web\",backend=\"unix:/x\"} "
	       "2\n");
	expect("\nktlsd_proxy_backend_up{route=\"web\",backend=\"unix:/x\"} "
	       "1\n");
	proxy_board_health(&board, 0)->down_until = 1;
	expect("\nktlsd_proxy_backend_up{route=\"web\",backend=\"unix:/x\"} "
	       "0\n");
}

Test(agent_proxy_metrics, escapes_what_ends_a_label, .init = start, .fini = stop)
{
	server.text = (char *)"unix:/a\"b\\c";
	expect("{route=\"web\",backend=\"unix:/a\\\"b\\\\c\"} 0\n");
	server.text = (char *)"unix:/x";
}

Test(agent_proxy_metrics, keeps_the_counts_of_those_that_ended, .init = start,
     .fini = stop)
{
	struct proxy_source next = { NULL, &board, names };

	proxy_board_counts(&board, 0, 0)->value[PROXY_CLIENT_CUT] = 5;
	proxy_metrics_remove(all, &source);
	expect("\nktlsd_proxy_cut_total{route=\"web\",reason=\"client\"} 5\n");
	proxy_board_counts(&board, 0, 0)->value[PROXY_CLIENT_CUT] = 1;
	proxy_metrics_add(all, &next);
	expect("\nktlsd_proxy_cut_total{route=\"web\",reason=\"client\"} 6\n");
}
