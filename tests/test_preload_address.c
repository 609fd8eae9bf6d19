// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "ktls/preload/preload.h"

TestSuite(preload_address, .timeout = 10);

static struct sockaddr_storage of(int family, const char *ip, int port)
{
	struct sockaddr_storage a = {.ss_family = family};
	struct sockaddr_in6 *v6 = (void *)&a;
	struct sockaddr_in *v4 = (void *)&a;

	v4->sin_port = htons(port);
	inet_pton(family, ip,
		  family == AF_INET ? (void *)&v4->sin_addr :
				      (void *)&v6->sin6_addr);
	return a;
}

static const char *text(const union address *a)
{
	static char buf[INET6_ADDRSTRLEN];

	inet_ntop(a->any.sa_family,
		  a->any.sa_family == AF_INET ? (void *)&a->v4.sin_addr :
						(void *)&a->v6.sin6_addr,
		  buf, sizeof(buf));
	return buf;
}

Test(preload_address, ipv4_is_mapped_in_ipv6_and_back)
{
	const struct sockaddr_storage v4 = of(AF_INET, "192.0.2.1", 99);
	const struct sockaddr_storage mapped =
		of(AF_INET6, "::ffff:192.0.2.1", 99);
	union address a;

	cr_assert_eq(address_as(&v4, AF_INET6, &a), 0);
	cr_assert_str_eq(text(&a), "::ffff:192.0.2.1");
	cr_assert_eq(a.v6.sin6_port, htons(99));
	cr_assert_eq(address_as(&mapped, AF_INET, &a), 0);
	cr_assert_str_eq(text(&a), "192.0.2.1");
	cr_assert_eq(a.v4.sin_port, htons(99));
}

Test(preload_address, stays_what_it_is_in_its_own_family)
{
	const struct sockaddr_storage v4 = of(AF_INET, "192.0.2.1", 1);
	const struct sockaddr_storage v6 = of(AF_INET6, "2001:db8::1", 2);
	union address a;

	cr_assert_eq(address_as(&v4, AF_INET, &a), 0);
	cr_assert_str_eq(text(&a), "192.0.2.1");
	cr_assert_eq(address_as(&v6, AF_INET6, &a), 0);
	cr_assert_str_eq(text(&a), "2001:db8::1");
}

Test(preload_address, ipv6_has_no_place_in_ipv4)
{
	const struct sockaddr_storage v6 = of(AF_INET6, "2001:db8::1", 2);
	union address a;

	cr_assert_eq(address_as(&v6, AF_INET, &a), -EAFNOSUPPORT);
}

Test(preload_address, no_address_is_the_unspecified_one)
{
	const struct sockaddr_storage none = {.ss_family = AF_UNSPEC};
	union address a;

	cr_assert_eq(address_as(&none, AF_INET6, &a), 0);
	cr_assert_str_eq(text(&a), "::");
	cr_assert_eq(address_as(&none, AF_INET, &a), 0);
	cr_assert_str_eq(text(&a), "0.0.0.0");
}

Test(preload_address, is_cut_where_there_is_no_room_and_says_its_length)
{
	const struct sockaddr_storage v4 = of(AF_INET, "192.0.2.1", 1);
	struct sockaddr_storage out;
	socklen_t len = 4;
	union address a;

	address_as(&v4, AF_INET, &a);
	memset(&out, 0x55, sizeof(out));
	address_out(&a, (struct sockaddr *)&out, &len);
	cr_assert_eq(len, sizeof(struct sockaddr_in));
	cr_assert_eq(((uint8_t *)&out)[4], 0x55);
	address_out(&a, NULL, &len);
}
