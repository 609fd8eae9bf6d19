// SPDX-License-Identifier: MIT
#include "agent/upgrade_state.h"

#include "agent_case.h"
#include "ocsp/ocsp.h"

TestSuite(upgrade_state, .timeout = 20);

static char *bytes;
static size_t len;
static struct upgrade_writer w;

static void start(void)
{
	w.file = open_memstream(&bytes, &len);
}

static void stop(void)
{
	free(bytes);
	free(w.fds);
}

static void put(struct upgrade_record record, int first_fd, const void *data)
{
	upgrade_write(&w, &record, (int[]){ first_fd, first_fd + 1 }, data);
}

static struct upgrade_reader reader(void)
{
	fflush(w.file);
	return (struct upgrade_reader){ (uint8_t *)bytes,
					(uint8_t *)bytes + len, w.n_fds,
					false };
}

/* The records of @r up to the first bad one; *@end gets 0 or its error. */
static unsigned int read_all(struct upgrade_reader r, int *end)
{
	struct upgrade_record record;
	const uint8_t *data;
	unsigned int n = 0;

	while ((*end = upgrade_read(&r, &record, &data)) == 1)
		n++;
	return n;
}

static const struct upgrade_record route = {
	.type = UPGRADE_ROUTE, .number = 1, .data_len = 6,
};
static const struct upgrade_record live = {
	.type = UPGRADE_REGISTRATION,
	.registration = { 4711, UPGRADE_LIVE, 42, 1000, 1001 },
};

static void put_all(void)
{
	put((struct upgrade_record){ .type = UPGRADE_LISTENER,
				     .flags = UPGRADE_V6ONLY,
				     .number = 2,
				     .data_len = 16 }, 10, "0123456789abcdef");
	put((struct upgrade_record){ .type = UPGRADE_CONTROL, .data_len = 5 },
	    20, "/ctl/");
	put(route, 30, "/run/x");
	put((struct upgrade_record){ .type = UPGRADE_QUEUE }, 40, "");
	put(live, 50, "");
	put((struct upgrade_record){ .type = UPGRADE_STAPLE, .data_len = 3,
				     .staple = { { 7 }, -1, 1234567890123 } },
	    0, "der");
	put((struct upgrade_record){ .type = UPGRADE_STAPLE }, 0, "");
}

Test(upgrade_state, reads_what_was_written, .init = start, .fini = stop)
{
	static const int fds[] = { 10, 20, 30, 40, 41, 50 };
	struct upgrade_record record;
	struct upgrade_reader r;
	const uint8_t *data;
	size_t i;

	put_all();
	cr_assert_eq(w.err, 0);
	cr_assert_eq(w.n_fds, COUNT(fds));
	for (i = 0; i < COUNT(fds); i++)
		cr_expect_eq(w.fds[i], fds[i]);
	r = reader();
	cr_assert_eq(upgrade_read(&r, &record, &data), 1);
	cr_expect_eq(record.type, UPGRADE_LISTENER);
	cr_expect_eq(record.flags, UPGRADE_V6ONLY);
	cr_expect_eq(record.number, 2);
	cr_expect_eq(memcmp(data, "0123456789abcdef", 16), 0);
	cr_assert_eq(upgrade_read(&r, &record, &data), 1);
	cr_expect_eq(record.type, UPGRADE_CONTROL);
	cr_assert_eq(upgrade_read(&r, &record, &data), 1);
	cr_expect_eq(record.type, UPGRADE_ROUTE);
	cr_expect_eq(memcmp(data, "/run/x", 6), 0);
	cr_assert_eq(upgrade_read(&r, &record, &data), 1);
	cr_expect_eq(record.type, UPGRADE_QUEUE);
	cr_assert_eq(upgrade_read(&r, &record, &data), 1);
	cr_expect_eq(memcmp(&record, &live, sizeof(live)), 0);
	cr_assert_eq(upgrade_read(&r, &record, &data), 1);
	cr_expect_eq(record.staple.fingerprint[0], 7);
	cr_expect_eq(record.staple.this_update, -1);
	cr_expect_eq(record.staple.next_update, 1234567890123);
	cr_expect_eq(memcmp(data, "der", record.data_len), 0);
	cr_assert_eq(upgrade_read(&r, &record, &data), 1);
	cr_expect_eq(record.data_len, 0);
	cr_expect_eq(upgrade_read(&r, &record, &data), 0);
	fclose(w.file);
}

Test(upgrade_state, refuses_what_was_cut_short, .init = start, .fini = stop)
{
	struct upgrade_reader r, whole;
	size_t cut;
	int end;

	put_all();
	whole = reader();
	for (cut = 1; cut <= len; cut++) {
		r = whole;
		r.end -= cut;
		cr_expect_lt(read_all(r, &end), 7);
		/* Only the last two have no descriptor that would be missed. */
		if (cut != sizeof(struct upgrade_record) &&
		    cut != 2 * sizeof(struct upgrade_record) + 3)
			cr_expect_eq(end, -EBADMSG, "cut by %zu", cut);
	}
	fclose(w.file);
}

Test(upgrade_state, refuses_more_or_fewer_descriptors, .init = start,
     .fini = stop)
{
	struct upgrade_reader r;
	int end;

	put_all();
	r = reader();
	r.n_fds++;
	cr_expect_eq(read_all(r, &end), 7);
	cr_expect_eq(end, -EBADMSG);
	r.n_fds -= 2;
	cr_expect_eq(read_all(r, &end), 4);
	cr_expect_eq(end, -EBADMSG);
	fclose(w.file);
}

static char long_text[2 * OCSP_MAX_LEN];

/* Each is bad where it stands, behind a route if so. */
static const struct bad {
	const char *what;
	bool behind_route;
	struct upgrade_record record;
	const char *data;
} bads[] = {
	{ "no type", false, { .type = 0 }, "" },
	{ "no known type", false, { .type = UPGRADE_STAPLE + 1 }, "" },
	{ "a listener without an address", false,
	  { .type = UPGRADE_LISTENER }, "" },
	{ "an address that is too long", false,
	  { .type = UPGRADE_LISTENER, .data_len = 129 }, long_text },
	{ "no path", false, { .type = UPGRADE_CONTROL }, "" },
	{ "a path with a NUL", false,
	  { .type = UPGRADE_ROUTE, .data_len = 3 }, "/\0x" },
	{ "a path that is too long", false,
	  { .type = UPGRADE_ROUTE, .data_len = 108 }, long_text },
	{ "a queue of no route", false, { .type = UPGRADE_QUEUE }, "" },
	{ "a queue with data", true,
	  { .type = UPGRADE_QUEUE, .data_len = 1 }, "x" },
	{ "a registration of no route", false,
	  { .type = UPGRADE_REGISTRATION }, "" },
	{ "a registration with data", true,
	  { .type = UPGRADE_REGISTRATION, .data_len = 1 }, "x" },
	{ "a registration at no stage", true,
	  { .type = UPGRADE_REGISTRATION,
	    .registration.stage = UPGRADE_STAGES }, "" },
	{ "a response that is too long", false,
	  { .type = UPGRADE_STAPLE, .data_len = OCSP_MAX_LEN + 1 }, long_text },
};

Test(upgrade_state, refuses_what_makes_no_sense)
{
	size_t i;
	int end;

	memset(long_text, 'x', sizeof(long_text));
	for (i = 0; i < COUNT(bads); i++) {
		bool behind = bads[i].behind_route;

		w = (struct upgrade_writer){ 0 };
		start();
		if (behind)
			put(route, 3, "/run/x");
		put(bads[i].record, 4, bads[i].data);
		cr_expect_eq(read_all(reader(), &end), behind, "%s",
			     bads[i].what);
		cr_expect_eq(end, -EBADMSG, "%s", bads[i].what);
		fclose(w.file);
		stop();
	}
}

Test(upgrade_state, ends_a_route_with_the_next_socket_of_another_kind,
     .init = start, .fini = stop)
{
	int end;

	put(route, 3, "/run/x");
	put((struct upgrade_record){ .type = UPGRADE_CONTROL, .data_len = 1 },
	    4, "/");
	put((struct upgrade_record){ .type = UPGRADE_QUEUE }, 5, "");
	cr_expect_eq(read_all(reader(), &end), 2);
	cr_expect_eq(end, -EBADMSG);
	fclose(w.file);
}

Test(upgrade_state, has_routes_of_proxies_without_a_socket, .init = start,
     .fini = stop)
{
	struct upgrade_record record;
	struct upgrade_reader r;
	const uint8_t *data;
	int end;

	put((struct upgrade_record){ .type = UPGRADE_PROXY, .data_len = 3 }, 0,
	    "web");
	put((struct upgrade_record){ .type = UPGRADE_QUEUE }, 40, "");
	put(live, 50, "");
	cr_expect_eq(w.n_fds, 3);
	r = reader();
	cr_expect_eq(read_all(r, &end), 3);
	cr_expect_eq(end, 0);
	cr_expect_eq(upgrade_read(&r, &record, &data), 1);
	cr_expect_eq(record.type, UPGRADE_PROXY);
	cr_expect_eq(memcmp(data, "web", 3), 0);
	fclose(w.file);
}
