/* SPDX-License-Identifier: MIT */
#include "ocsp/ocsp.h"

const struct ocsp_limits ocsp_default_limits = {
	.skew = 300,
	.max_age = 366 * 86400,
	.max_age_open = 86400,
};

enum ocsp_verdict ocsp_compare(const struct ocsp_times *held,
			       const struct ocsp_times *fresh, bool *same)
{
	*same = false;
	if (fresh->this_update < held->this_update)
		return OCSP_OLDER;
	if (fresh->this_update == held->this_update)
		*same = fresh->next_update <= held->next_update;
	return OCSP_OK;
}
