/* SPDX-License-Identifier: MIT */
#include "agent/proxy_board.h"

#include "agent_case.h"

TestSuite(agent_proxy_board, .timeout = 10);

#define SIZES { .n_processes = 3, .n_routes = 2, .n_backends = 5 }

Test(agent_proxy_board, is_the_same_memory_on_both_sides)
{
	struct proxy_board a = SIZES, b = SIZES;
	int fd = proxy_board_new(&a);

	cr_assert_geq(fd, 0);
	cr_assert_eq(proxy_board_map(&b, fd), 0);
	close(fd);
	proxy_board_health(&a, 4)->fails = 9;
	proxy_board_counts(&a, 2, 1)->value[PROXY_BYTES_DOWN] = 8;
	*proxy_board_active(&a, 2, 4) = 7;
	cr_expect_eq(proxy_board_health(&b, 4)->fails, 9);
	cr_expect_eq(proxy_board_counts(&b, 2, 1)->value[PROXY_BYTES_DOWN], 8);
	cr_expect_eq(*proxy_board_active(&b, 2, 4), 7);
	proxy_board_free(&a);
	proxy_board_free(&b);
}

Test(agent_proxy_board, gives_each_number_a_place_of_its_own)
{
	struct proxy_board b = SIZES;
	uint32_t i, j;
	uint8_t *end;

	close(proxy_board_new(&b));
	end = b.map + b.size;
	for (i = 0; i < 3; i++)
		for (j = 0; j < 2; j++)
			memset(proxy_board_counts(&b, i, j), 1,
			       sizeof(struct proxy_counts));
	for (i = 0; i < 5; i++)
		cr_expect_eq(proxy_board_health(&b, i)->fails, 0);
	for (i = 0; i < 3; i++)
		for (j = 0; j < 5; j++) {
			cr_expect_eq(*proxy_board_active(&b, i, j), 0);
			cr_expect_leq((uint8_t *)proxy_board_active(&b, i, j) +
				      4, end);
		}
	proxy_board_free(&b);
}

Test(agent_proxy_board, sums_the_connections_of_all_processes)
{
	struct proxy_board b = SIZES;

	close(proxy_board_new(&b));
	*proxy_board_active(&b, 0, 1) = 4;
	*proxy_board_active(&b, 2, 1) = 3;
	*proxy_board_active(&b, 2, 2) = 1;
	cr_expect_eq(proxy_board_load(&b, 1), 7);
	proxy_board_ended(&b, 2);
	cr_expect_eq(proxy_board_load(&b, 1), 4);
	cr_expect_eq(proxy_board_load(&b, 2), 0);
	proxy_board_free(&b);
}

Test(agent_proxy_board, takes_no_memory_of_another_size)
{
	struct proxy_board a = SIZES, b = SIZES;
	int fd = proxy_board_new(&a);

	b.n_backends++;
	cr_expect_eq(proxy_board_map(&b, fd), -EINVAL);
	cr_expect_null(b.map);
	/* Nor can whoever has it make it smaller under us. */
	cr_expect_lt(ftruncate(fd, 1), 0);
	close(fd);
	proxy_board_free(&a);
}
