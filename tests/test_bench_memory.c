// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include "tools/bench/memory.h"
#include "tools/bench/scratch.h"
#include "tools/bench/util.h"

TestSuite(bench_memory, .timeout = 60);

static struct memory_outcome run(int version, bool resume)
{
	const struct talk_plan plan = {.version = version, .resume = resume};
	struct memory_outcome out;

	scratch_init();
	scratch_certificate(KEY_P256);
	memory_run(&plan, KEY_P256, 3, &out);
	scratch_remove();
	cr_assert_eq(out.done, 3);
	cr_assert_gt(out.server_ns, 0);
	return out;
}

Test(bench_memory, tls13_in_full)
{
	struct memory_outcome out = run(TLS1_3_VERSION, false);

	cr_assert_eq(out.tickets, 6, "two for each");
	cr_assert_eq(out.flights.n, 4, "the tickets are the last one");
	cr_assert_eq(out.flights.complete, 2);
	cr_assert_gt(out.flights.len[1], 500, "there is no certificate in it");
}

Test(bench_memory, tls13_resumed)
{
	struct memory_outcome out = run(TLS1_3_VERSION, true);

	cr_assert_eq(out.tickets, 3, "one for each");
	cr_assert_lt(out.flights.len[1], 500, "there is a certificate in it");
}

Test(bench_memory, tls12_in_full)
{
	struct memory_outcome out = run(TLS1_2_VERSION, false);

	cr_assert_eq(out.flights.n, 4);
	cr_assert_eq(out.flights.complete, 4);
}

Test(bench_memory, tls12_resumed)
{
	struct memory_outcome out = run(TLS1_2_VERSION, true);

	cr_assert_eq(out.flights.n, 3);
	cr_assert_eq(out.flights.complete, 2);
}

#define LAPS 3
static struct memory_lap laps[LAPS];

static void run_laps(int version, bool resume)
{
	const struct talk_plan plan = {.version = version, .resume = resume};
	unsigned int i;

	scratch_init();
	scratch_certificate(KEY_P256);
	memory_laps(&plan, KEY_P256, LAPS, 0, laps);
	scratch_remove();
	for (i = 0; i < LAPS; i++) {
		cr_assert(laps[i].taken_ns && laps[i].shaken_ns);
		cr_assert_lt(laps[i].taken_ns, UINT64_C(10000000000));
	}
}

static bool client_is_first(void)
{
	unsigned int i, first = 0;

	for (i = 0; i < LAPS; i++)
		first += laps[i].shaken_ns < laps[i].taken_ns;
	cr_assert(!first || first == LAPS, "it is the same each time");
	return first;
}

Test(bench_memory, whoever_says_finished_last_has_it_first)
{
	run_laps(TLS1_3_VERSION, false);
	cr_assert(client_is_first());
	run_laps(TLS1_2_VERSION, true);
	cr_assert(client_is_first());
	run_laps(TLS1_2_VERSION, false);
	cr_assert_not(client_is_first());
}

Test(bench_memory, a_pause_is_no_part_of_a_lap)
{
	const struct talk_plan plan = {.version = TLS1_2_VERSION,
				       .resume = true};
	const uint64_t since = now_ns();
	uint64_t fastest = UINT64_MAX;
	unsigned int i;

	scratch_init();
	scratch_certificate(KEY_P256);
	memory_laps(&plan, KEY_P256, LAPS, 50, laps);
	scratch_remove();
	cr_assert_geq(now_ns() - since, LAPS * UINT64_C(50000000));
	for (i = 0; i < LAPS; i++)
		if (laps[i].taken_ns < fastest)
			fastest = laps[i].taken_ns;
	cr_assert_lt(fastest, UINT64_C(50000000));
}

/* Without TLS and without a script; the head's end comes in pieces. */
Test(bench_memory, in_the_clear_an_answer_is_counted)
{
	const struct talk_plan plan = {.version = 0};
	struct talker talker;
	struct talk t;
	char buf[100];

	talker_init(&talker, &plan);
	talk_open(&t, &talker);
	talk_take(&t, NULL, 0);
	cr_assert(t.done, "there is no handshake to wait for");
	talk_say(&t, "GET", 3);
	cr_assert_eq(talk_give(&t, buf, sizeof(buf)), 3);
	cr_assert_arr_eq(buf, "GET", 3);
	talk_take(&t, "HTTP/1.1 200 OK\r\nA: b\r\n\r", 24);
	cr_assert_not(t.head_done);
	talk_take(&t, "\nbody", 5);
	cr_assert(t.head_done);
	cr_assert_eq(t.body, 4);
	talk_take(&t, "\r\n\r\n", 4);
	cr_assert_eq(t.body, 8);
	talk_close(&t);
	talker_fini(&talker);
}

/* How the client's side of it goes when bytes come in pieces. */
Test(bench_memory, a_script_says_its_flights_in_turn)
{
	const struct talk_plan plan = {
		.script = {.n = 4, .complete = 2, .len = {517, 900, 80, 500}},
	};
	struct talker talker;
	struct talk t;
	char buf[1000];

	talker_init(&talker, &plan);
	talk_open(&t, &talker);
	cr_assert_eq(talk_take(&t, buf, 0), 0);
	cr_assert_eq(talk_give(&t, buf, sizeof(buf)), 517);
	cr_assert_eq(talk_give(&t, buf, sizeof(buf)), 0);
	talk_take(&t, buf, 899);
	cr_assert_not(t.done);
	cr_assert_eq(talk_give(&t, buf, sizeof(buf)), 0);
	talk_take(&t, buf, 101);
	cr_assert(t.done);
	cr_assert_eq(talk_give(&t, buf, 50), 50);
	cr_assert_eq(talk_give(&t, buf, 50), 30);
	talk_take(&t, buf, 400);
	cr_assert_eq(talk_give(&t, buf, 50), 0);
	talk_close(&t);
	talker_fini(&talker);
}
