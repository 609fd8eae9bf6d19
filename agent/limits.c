/* SPDX-License-Identifier: MIT */
#include "limits.h"

/* What one connection takes, and a rate of one adds in a second. */
#define CREDIT 1000

static unsigned int share(unsigned int limit, unsigned int workers)
{
	return limit / workers + (limit % workers != 0);
}

int limits_init(struct limits *l, const struct config_limits *config,
		unsigned int workers, unsigned int slots)
{
	*l = (struct limits){
		.handshakes = share(config->handshakes, workers),
		.per_client = share(config->handshakes_per_client, workers),
		.client_v4 = config->client_v4,
		.client_v6 = config->client_v6,
		.rate = share(config->accept_rate, workers),
	};
	l->credit = (int64_t)l->rate * CREDIT;
	return l->per_client ? clients_init(&l->clients, slots) : 0;
}

void limits_fini(struct limits *l)
{
	clients_fini(&l->clients);
}

bool limits_begin(struct limits *l)
{
	l->in_flight++;
	return l->handshakes && l->in_flight > l->handshakes;
}

void limits_end(struct limits *l)
{
	l->in_flight--;
}

/* Returns false where there is nobody to count. */
static bool client_prefix(const struct limits *l,
			  const struct sockaddr_storage *client,
			  uint8_t prefix[static PREFIX_LEN])
{
	if (!l->per_client || !prefix_address(client, prefix))
		return false;
	prefix_mask(prefix, prefix_is_v4(prefix) ?
			    PREFIX_V4_BITS + l->client_v4 : l->client_v6);
	return true;
}

bool limits_join(struct limits *l, const struct sockaddr_storage *client)
{
	uint8_t prefix[PREFIX_LEN];

	if (!client_prefix(l, client, prefix))
		return true;
	if (clients_count(&l->clients, prefix) >= l->per_client)
		return false;
	clients_add(&l->clients, prefix);
	return true;
}

void limits_leave(struct limits *l, const struct sockaddr_storage *client)
{
	uint8_t prefix[PREFIX_LEN];

	if (client_prefix(l, client, prefix))
		clients_remove(&l->clients, prefix);
}

static void fill(struct limits *l, uint64_t now_ms)
{
	uint64_t ms = now_ms - l->filled_ms;
	int64_t most = (int64_t)l->rate * CREDIT;

	/* In a minute, whatever was lacking is there. */
	l->credit += (int64_t)(ms < 60000 ? ms : 60000) * l->rate;
	if (l->credit > most)
		l->credit = most;
	l->filled_ms = now_ms;
}

uint64_t limits_accept_at(struct limits *l, uint64_t now_ms)
{
	if (!l->rate)
		return 0;
	fill(l, now_ms);
	if (l->credit >= CREDIT)
		return 0;
	return now_ms + (uint64_t)(CREDIT - l->credit + l->rate - 1) / l->rate;
}

void limits_accepted(struct limits *l)
{
	if (l->rate)
		l->credit -= CREDIT;
}
