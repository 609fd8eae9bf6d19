/* SPDX-License-Identifier: MIT */
/*
 * Which way a listener's clients go: by the server's name that they ask for, by
 * protocol, and by where they come from. The first rule that fits counts; how
 * many there are costs next to nothing.
 */
#ifndef AGENT_RULES_H
#define AGENT_RULES_H

#include "config/config.h"
#include "ocsp/ocsp.h"

struct rules;

/*
 * struct rules_client - borrowed
 * @server_name: in any case, without a dot at its end, which is not looked at
 *               again: what certificates are chosen by must lead to the same
 *               rules; "": none
 * @offered:     protocols in wire format (RFC 7301 3.1)
 * @protocol:    the name of the one that will be agreed on; none
 * @peer:        one that is neither IPv4 nor IPv6 comes from nowhere
 */
struct rules_client {
	const char *server_name;
	struct ocsp_bytes offered, protocol;
	const struct sockaddr_storage *peer;
};

/*
 * rules_new - prepare a listener's rules
 * @listener, @routes: the configuration's; outlive it
 * Returns NULL when out of memory.
 */
struct rules *rules_new(const struct config_listener *listener,
			const struct config_route *routes);
void rules_free(struct rules *rules);	/* takes NULL */

/*
 * rules_choose - the route's index, or CONFIG_DENY
 * A rule's name stands for itself, and "*.example.com" for a.example.com, but
 * for neither example.com nor a.b.example.com (RFC 6125 6.4.3). Its protocols
 * are compared with the one agreed on, but where it leads to a passthrough route
 * or denies, and no protocol is agreed on, with those offered.
 */
unsigned int rules_choose(const struct rules *rules,
			  const struct rules_client *client);

/*
 * rules_choose_early - the same, before the client has said anything
 * Returns whether that was possible: what it will say cannot change @route.
 */
bool rules_choose_early(const struct rules *rules,
			const struct sockaddr_storage *peer,
			unsigned int *route);

/* rules_may_pass - does one of them lead to a passthrough route? */
bool rules_may_pass(const struct rules *rules);

#endif
