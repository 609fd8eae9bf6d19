// SPDX-License-Identifier: MIT
#include "probe/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* The first line of a file, or NULL. */
static char *first_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	char *got;

	if (!f)
		return NULL;
	got = fgets(line, (int)size, f);
	fclose(f);
	return got;
}

/* Returns how many of its three numbers @text begins with. */
static int parse_version(const char *text, unsigned int *version)
{
	unsigned int major = 0, minor = 0, patch = 0;
	int n = sscanf(text, "%3u.%3u.%3u", &major, &minor, &patch);

	*version = n < 2 ? 0 : PROBE_VERSION(major, minor, patch);
	return n;
}

static bool same_series(unsigned int a, unsigned int b)
{
	return a / 1000 == b / 1000;
}

/* Debian's version of a package may have a number and a colon before it. */
static const char *skip_epoch(const char *text)
{
	const size_t digits = strspn(text, "0123456789");

	return digits && text[digits] == ':' ? text + digits + 1 : text;
}

/* What stands behind @word, or behind the last space, may say more. */
static void look_for_patch(const char *text, const char *word,
			   struct probe_kernel *kernel)
{
	const char *at = text && word ? strstr(text, word) :
			 text ? strrchr(text, ' ') : NULL;
	unsigned int version;

	if (!at)
		return;
	at = skip_epoch(at + (word ? strlen(word) : 1));
	if (parse_version(at, &version) < 3 ||
	    !same_series(version, kernel->version))
		return;
	kernel->version = version;
	kernel->exact = true;
}

void probe_kernel_parse(const char *release, const char *version,
			const char *signature, struct probe_kernel *kernel)
{
	const char *suffix;
	int n;

	*kernel = (struct probe_kernel){ .version = 0 };
	snprintf(kernel->release, sizeof(kernel->release), "%s", release);
	n = parse_version(release, &kernel->version);
	suffix = release + strspn(release, "0123456789.");
	/* x.y.0 with a distribution's number behind it stands for any x.y.z. */
	kernel->exact = n == 3 && (kernel->version % 1000 || !*suffix ||
				   !strncmp(suffix, "-rc", 3));
	if (kernel->exact || !kernel->version)
		return;
	look_for_patch(version, "Debian ", kernel);
	look_for_patch(signature, NULL, kernel);
}

void probe_kernel(struct probe_kernel *kernel)
{
	char line[256];
	struct utsname name;

	if (uname(&name))
		name.release[0] = name.version[0] = '\0';
	probe_kernel_parse(name.release, name.version,
			   first_line("/proc/version_signature", line,
				      sizeof(line)), kernel);
}

long probe_number(const char *path, const char *key)
{
	FILE *f = fopen(path, "re");
	char line[256], *end;
	long value = -1;

	if (!f)
		return -1;
	while (value < 0 && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)))
			continue;
		value = strtol(line + strlen(key), &end, 10);
		if (end == line + strlen(key) || value < 0)
			value = -1;
	}
	fclose(f);
	return value;
}

int probe_has_tls(void)
{
	char line[256], *word, *rest = NULL;

	if (!first_line("/proc/sys/net/ipv4/tcp_available_ulp", line,
			sizeof(line)))
		return -1;
	for (word = strtok_r(line, " \n", &rest); word;
	     word = strtok_r(NULL, " \n", &rest))
		if (!strcmp(word, "tls"))
			return 1;
	return 0;
}
