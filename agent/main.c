/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "generation.h"
#include "handshake/info.h"
#include "handshake/memory.h"
#include "log.h"
#include "master.h"
#include "proxy/proxy.h"
#include "stapler/stapler.h"
#include "ticket_keys.h"
#include "version.h"
#include "watcher.h"

/* Exit status for a command line that makes no sense. */
#define EXIT_USAGE 100

/*
 * Without the standard descriptors sockets would take their numbers, and log
 * lines go to a client. Returns false when there is no /dev/null.
 */
static bool fill_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* In all processes, as proxies have secrets, too. */
static bool wipe_memory(void)
{
	if (hs_memory_wipe())
		return true;
	log_error("event=start_failed error=\"what OpenSSL frees cannot be "
		  "wiped, as something has used it before ktlsd began, "
		  "by LD_PRELOAD\"");
	return false;
}

static int usage(void)
{
	fputs("usage: ktlsd -c FILE [-t] [-v]\n"
	      "       ktlsd -V\n"
	      "  -c FILE  the configuration, see ktlsd.conf(5)\n"
	      "  -t       check the configuration and what it names, and exit\n"
	      "  -v       log every connection that fails\n"
	      "  -V       say which version this is, and exit\n", stderr);
	return EXIT_USAGE;
}

static int say_version(void)
{
	printf("ktlsd %s, OpenSSL %s\n", KTLSD_VERSION, hs_openssl());
	if (!fflush(stdout))
		return 0;
	fputs("ktlsd: cannot write\n", stderr);
	return 1;
}

static int run(const char *file, char *const *argv, bool test)
{
	struct config *config = config_load(file, stderr);
	struct ticket_keys *tickets = ticket_keys_new();
	struct watcher *watcher = watcher_new();
	struct generation *first = NULL;
	int status;

	if (!tickets)
		log_error("event=start_failed error=\"no keys for session "
			  "tickets can be made: out of memory, or openssl.cnf "
			  "leaves OpenSSL without AES or random numbers\"");
	else if (!watcher)
		log_error("event=start_failed error=\"out of memory\"");
	if (config && watcher && !test)
		watcher_use(watcher, config);
	if (config && tickets && watcher)
		first = generation_new(config, tickets, NULL);
	else
		config_free(config);
	status = first ? 0 : 1;
	if (first && !test)
		status = master_run(file, argv, first, tickets, watcher);
	else
		generation_free(first);
	watcher_free(watcher);
	ticket_keys_free(tickets);
	return status;
}

/* What master executes; of no use to anybody else. */
static int run_part(int argc, char **argv, int fd, int (*part)(int master))
{
	struct stat st;

	if (argc == 3 && !strcmp(argv[2], "-v"))
		log_level = LOG_L_DEBUG;
	else if (argc != 2)
		return usage();
	if (fstat(fd, &st) || !S_ISSOCK(st.st_mode))
		return usage();
	return part(fd);
}

int main(int argc, char **argv)
{
	const char *file = NULL;
	bool test = false;
	int c;

	if (!fill_standard() || !wipe_memory())
		return 1;
	/* A log or a folder that takes no more is no reason to end. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (argc > 1 && !strcmp(argv[1], "--stapler"))
		return run_part(argc, argv, STAPLER_FD, stapler_run);
	if (argc > 1 && !strcmp(argv[1], "--proxy"))
		return run_part(argc, argv, PROXY_FD, proxy_run);
	while ((c = getopt(argc, argv, "c:tvV")) != -1) {
		if (c == 'c')
			file = optarg;
		else if (c == 't')
			test = true;
		else if (c == 'v')
			log_level = LOG_L_DEBUG;
		else
			return c == 'V' ? say_version() : usage();
	}
	if (!file || optind != argc)
		return usage();
	return run(file, argv, test);
}
