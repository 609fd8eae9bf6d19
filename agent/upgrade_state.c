/* SPDX-License-Identifier: MIT */
#include "upgrade_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ocsp/ocsp.h"

size_t upgrade_fds(uint32_t type)
{
	if (type == UPGRADE_STAPLE || type == UPGRADE_PROXY)
		return 0;
	return type == UPGRADE_QUEUE ? 2 : 1;
}

void upgrade_write(struct upgrade_writer *w,
		   const struct upgrade_record *record, const int *fds,
		   const void *data)
{
	size_t n = upgrade_fds(record->type), i;
	int *more = realloc(w->fds, (w->n_fds + n + 1) * sizeof(*more));

	if (more)
		w->fds = more;
	if (!more || fwrite(record, sizeof(*record), 1, w->file) != 1 ||
	    fwrite(data, 1, record->data_len, w->file) != record->data_len) {
		w->err = -ENOMEM;
		return;
	}
	for (i = 0; i < n; i++)
		w->fds[w->n_fds++] = fds[i];
}

static bool is_path(const uint8_t *data, size_t len)
{
	return len > 0 && len < sizeof(((struct sockaddr_un *)0)->sun_path) &&
	       !memchr(data, '\0', len);
}

static bool is_address(size_t len)
{
	return len >= sizeof(sa_family_t) &&
	       len <= sizeof(struct sockaddr_storage);
}

static bool is_registration(const struct upgrade_record *record)
{
	return !record->data_len && record->registration.stage < UPGRADE_STAGES;
}

/* Is it what a record of this type can be, where it stands? */
static bool is_good(const struct upgrade_reader *r,
		    const struct upgrade_record *record, const uint8_t *data)
{
	switch (record->type) {
	case UPGRADE_LISTENER:
		return is_address(record->data_len);
	case UPGRADE_CONTROL:
	case UPGRADE_ROUTE:
	case UPGRADE_PROXY:
		return is_path(data, record->data_len);
	case UPGRADE_QUEUE:
		return r->in_route && !record->data_len;
	case UPGRADE_REGISTRATION:
		return r->in_route && is_registration(record);
	case UPGRADE_STAPLE:
		return record->data_len <= OCSP_MAX_LEN;
	default:
		return false;
	}
}

int upgrade_read(struct upgrade_reader *r, struct upgrade_record *record,
		 const uint8_t **data)
{
	size_t left = (size_t)(r->end - r->at);

	if (!left)
		return r->n_fds ? -EBADMSG : 0;
	if (left < sizeof(*record))
		return -EBADMSG;
	memcpy(record, r->at, sizeof(*record));
	*data = r->at + sizeof(*record);
	if (record->data_len > left - sizeof(*record) ||
	    upgrade_fds(record->type) > r->n_fds || !is_good(r, record, *data))
		return -EBADMSG;
	r->at = *data + record->data_len;
	r->n_fds -= upgrade_fds(record->type);
	if (record->type == UPGRADE_LISTENER || record->type == UPGRADE_CONTROL)
		r->in_route = false;
	else if (record->type == UPGRADE_ROUTE ||
		 record->type == UPGRADE_PROXY)
		r->in_route = true;
	return 1;
}
