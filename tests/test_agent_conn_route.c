// SPDX-License-Identifier: MIT
#include "agent_rig.h"

TestSuite(conn_route, .timeout = 20);

static char *names[] = { (char *)"denied.example", (char *)"*.pass.example" };
static struct config_prefix here = {
	.addr = { [10] = 0xff, 0xff, 127, 0, 0, 1 }, .bits = 128,
};
static struct config_rule rules[2];

static void start(void)
{
	start_worker();
	consumer = -1;
}

static void stop(void)
{
	ring_fini(&w.ring);
	conn_slab_fini(&w.slab);
	rules_free(listener.rules);
	duo_fini(&duo);
}

/* One rule, and the route for everybody else. */
static void rule(char **name, struct config_prefix *from, unsigned int route,
		 unsigned int otherwise)
{
	rules[0] = (struct config_rule){
		.sni = { name, name ? 1 : 0 },
		.from = { from, from ? 1 : 0 },
		.route = route,
	};
	listener_config.rules = rules;
	listener_config.n_rules = 1;
	listener_config.route = otherwise;
	rules_free(listener.rules);
	listener.rules = rules_new(&listener_config, route_config);
}

/* The client's end, and that it was told nothing but @alert; 0: nothing. */
static void is_closed(int alert)
{
	int error;

	turn_until_gone();
	ERR_clear_error();
	cr_expect_str_eq(client_hears(&error), "");
	if (alert)
		cr_expect_eq(ERR_GET_REASON(ERR_peek_last_error()), alert);
	else
		cr_expect(error == SSL_ERROR_SYSCALL ||
			  ERR_GET_REASON(ERR_peek_last_error()) ==
				  SSL_R_UNEXPECTED_EOF_WHILE_READING);
	hang_up_client();
	cr_expect_eq(case_fds(), before);
	cr_expect_not(case_readable(queue_end, 0));
}

/* Of what is counted when somebody is turned away, @id once, or nothing. */
static void only_refused(enum metric id)
{
	unsigned int i;

	for (i = METRIC_FAILED_PROBE; i <= METRIC_REFUSED_NO_CONSUMER; i++)
		cr_expect_eq(metrics.value[i], i == id ? 1 : 0, "metric %u", i);
	cr_expect_eq(metrics.value[METRIC_PASSED], 0);
	memset(&metrics, 0, sizeof(metrics));
}

static void is_served(void)
{
	shake_hands();
	cr_expect_eq(take().mode, KTLS_RELAY);
	relay_cut(w.slab.conns[0].relay);
	turn_until_gone();
	hang_up_client();
	close(consumer);
	cr_expect_eq(case_fds(), before);
}

static void dial_as(const char *name)
{
	dial(0);
	SSL_set_tlsext_host_name(client, name);
	SSL_do_handshake(client);
}

Test(conn_route, closes_on_a_name_that_is_denied_without_a_word, .init = start,
     .fini = stop)
{
	rule(&names[0], NULL, CONFIG_DENY, 0);
	dial_as("denied.example");
	is_closed(0);
	only_refused(METRIC_REFUSED_DENIED);

	/* Likewise where the hello was only looked at. */
	rule(&names[0], NULL, CONFIG_DENY, 1);
	dial_as("denied.example");
	is_closed(0);
	only_refused(METRIC_REFUSED_DENIED);
}

Test(conn_route, closes_on_a_source_that_is_denied_before_it_says_anything,
     .init = start, .fini = stop)
{
	rule(NULL, &here, CONFIG_DENY, 0);
	dial(0);
	cr_expect_eq(w.slab.used, 0);
	is_closed(0);
	only_refused(METRIC_REFUSED_DENIED);
}

Test(conn_route, serves_others_than_those_denied, .init = start, .fini = stop)
{
	rule(&names[0], NULL, CONFIG_DENY, 0);
	dial_as("fine.example");
	is_served();
	only_refused(METRIC_COUNT);
}

Test(conn_route, with_nobody_to_serve_it_gets_an_alert_where_it_is_not_to_wait,
     .init = start, .fini = stop)
{
	worker_routes[0].down = true;
	route_config[0].refuse = true;
	dial_as("fine.example");
	is_closed(SSL_R_TLSV1_ALERT_INTERNAL_ERROR);
	only_refused(METRIC_REFUSED_NO_CONSUMER);

	/* It is back. */
	worker_routes[0].down = false;
	dial_as("fine.example");
	is_served();

	/* It is not, but clients are to wait. */
	worker_routes[0].down = true;
	route_config[0].refuse = false;
	dial_as("fine.example");
	is_served();
	only_refused(METRIC_COUNT);
}

Test(conn_route, with_nobody_to_pass_it_to_is_closed, .init = start,
     .fini = stop)
{
	worker_routes[1].down = true;
	route_config[1].refuse = true;
	rule(&names[1], NULL, 1, 0);
	dial_as("x.pass.example");
	is_closed(0);
	only_refused(METRIC_REFUSED_NO_CONSUMER);

	/* Even without a word, if it can go nowhere else. */
	rule(NULL, &here, 1, 0);
	dial(0);
	cr_expect_eq(w.slab.used, 0);
	is_closed(0);
	only_refused(METRIC_REFUSED_NO_CONSUMER);
}
