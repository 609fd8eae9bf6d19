/* SPDX-License-Identifier: MIT */
#include "slot_store.h"

#include <errno.h>
#include <string.h>

#include "agent/log.h"

void slot_store_refuse(const struct slot *slot,
		       const struct slot_policy *policy, const char *error)
{
	char name[OCSP_STORE_NAME];

	ocsp_store_name(slot->fingerprint, name);
	log_warn("event=stored_staple_refused file=\"%s/%s\" certificate=\"%s\""
		 " error=\"%s\" effect=\"the responder is asked\"",
		 policy->folder, name, slot->name, error);
}

struct ocsp_bytes slot_store_read(const struct slot *slot,
				  const struct slot_policy *policy)
{
	static uint8_t buf[OCSP_MAX_LEN + 1];
	ssize_t n = -ENOENT;

	if (!policy->folder_error)
		n = ocsp_store_read(&policy->files, slot->fingerprint, buf);
	if (n >= 0)
		return (struct ocsp_bytes){ buf, (size_t)n };
	if (n != -ENOENT)
		slot_store_refuse(slot, policy, n == -EFBIG ?
				  "it is longer than any OCSP response" :
				  n == -EINVAL ? "it is not a regular file" :
				  strerror((int)-n));
	return (struct ocsp_bytes){ NULL, 0 };
}

/* Of this file alone; NULL: of the folder, and so of every slot. */
static const char *obstacle(int err)
{
	if (err == -EISDIR)
		return "a folder has its name";
	if (err == -EEXIST)
		return "all names for a temporary file are taken";
	return NULL;
}

static void log_file(const struct slot *slot, const struct slot_policy *policy,
		     const char *error)
{
	char name[OCSP_STORE_NAME];

	ocsp_store_name(slot->fingerprint, name);
	if (error)
		log_warn("event=staple_store_failed file=\"%s/%s\" "
			 "certificate=\"%s\" error=\"%s\" effect=\"its staples "
			 "are kept in memory alone\"", policy->folder, name,
			 slot->name, error);
	else
		log_info("event=staple_store_recovered file=\"%s/%s\"",
			 policy->folder, name);
}

static void log_folder(const struct slot *slot,
		       const struct slot_policy *policy, int err)
{
	if (err)
		log_warn("event=staple_store_failed folder=\"%s\" "
			 "certificate=\"%s\" error=\"%s\" effect=\"new staples "
			 "are kept in memory alone\"", policy->folder,
			 slot->name, strerror(-err));
	else
		log_info("event=staple_store_recovered folder=\"%s\"",
			 policy->folder);
}

void slot_store_write(struct slot *slot, struct slot_policy *policy,
		      struct ocsp_bytes der)
{
	int before = slot->store_error, err = policy->folder_error;

	if (!err)
		err = ocsp_store_write(&policy->files, slot->fingerprint, der);
	slot->store_error = err;
	if (err != before && (obstacle(err) || (!err && obstacle(before))))
		log_file(slot, policy, obstacle(err));
	if (obstacle(err) || err == policy->store_error)
		return;
	policy->store_error = err;
	log_folder(slot, policy, err);
}
