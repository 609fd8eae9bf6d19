/* SPDX-License-Identifier: MIT */
/*
 * What the configuration's tests share: a made-up system, and files as text.
 * The system has 3 CPUs, root is (0, 0), ktlsd (990, 991), ktlsd-ocsp (992,
 * 993), www (33, 34).
 */
#ifndef TESTS_CONFIG_CASE_H
#define TESTS_CONFIG_CASE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/schema.h"

#define CERTIFICATES "certificates: [{chain: a.pem, key: a.key}]\n"
#define ROUTES "routes: [{name: web, handoff: web.sock}]\n"
#define LISTENERS "listeners: [{bind: '*:443', route: web}]\n"
/* A good file of three lines, to be put behind the line that is tested. */
#define REST CERTIFICATES ROUTES LISTENERS

static uid_t case_euid;		/* who the process is: root */

static inline uid_t case_geteuid(void)
{
	return case_euid;
}

static inline gid_t case_getegid(void)
{
	return case_euid ? 1001 : 0;
}

static inline int case_find_user(const char *name, uid_t *uid, gid_t *gid)
{
	static const struct {
		const char *name;
		uid_t uid;
		gid_t gid;
	} accounts[] = {
		{ "root", 0, 0 }, { "ktlsd", 990, 991 },
		{ "ktlsd-ocsp", 992, 993 }, { "www", 33, 34 },
	};
	size_t i;

	if (!strcmp(name, "broken"))
		return -EIO;
	for (i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++) {
		if (strcmp(accounts[i].name, name))
			continue;
		*uid = accounts[i].uid;
		*gid = accounts[i].gid;
		return 0;
	}
	return -ENOENT;
}

static inline int case_find_group(const char *name, gid_t *gid)
{
	uid_t uid;

	return case_find_user(name, &uid, gid);
}

static inline unsigned int case_cpus(void)
{
	return 3;
}

static const struct config_env case_env = {
	case_geteuid, case_getegid, case_find_user, case_find_group, case_cpus,
};

/* Read @text as the file etc/f; *@errors gets what was printed, to be freed. */
static inline struct config *case_parse(const char *text, size_t len,
					char **errors)
{
	size_t size;
	FILE *out = open_memstream(errors, &size);
	struct config *config;

	config = config_parse("etc/f", text, len, &case_env, out);
	fclose(out);
	return config;
}

/* Read a file that has no error. */
static inline struct config *case_good(const char *text)
{
	char *errors;
	struct config *config = case_parse(text, strlen(text), &errors);

	cr_assert(config, "refused:\n%s\n%s", text, errors);
	cr_expect_str_empty(errors);
	free(errors);
	return config;
}

/* A file with errors, and all that is said about it. */
struct config_case {
	const char *text;
	const char *errors;
};

static inline void case_bad(const struct config_case *c)
{
	char *errors;
	struct config *config = case_parse(c->text, strlen(c->text), &errors);

	cr_expect(!config, "accepted:\n%s", c->text);
	cr_expect_str_eq(errors, c->errors, "file:\n%s\nexpected:\n%s\nfound:\n"
			 "%s", c->text, c->errors, errors);
	config_free(config);
	free(errors);
}

#define CASE_ALL_BAD(cases)						\
	do {								\
		for (size_t i_ = 0; i_ < sizeof(cases) / sizeof((cases)[0]); \
		     i_++)						\
			case_bad(&(cases)[i_]);				\
	} while (0)

#endif
