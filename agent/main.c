/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs.h"
#include "config.h"
#include "ktls/install.h"
#include "log.h"
#include "master.h"
#include "stapler.h"
#include "staples.h"

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

static int usage(void)
{
	fputs("usage: ktlsd -c FILE [-t] [-v]\n"
	      "  -c FILE  the configuration, see ktlsd.conf(5)\n"
	      "  -t       check the configuration and what it names, and exit\n"
	      "  -v       log every connection that fails\n", stderr);
	return EXIT_USAGE;
}

static const char *why_unsupported(int error)
{
	if (error == -ENOENT)
		return "the kernel has no tls module loaded: modprobe tls";
	return error ? strerror(-error) :
	       "it has the tls module, but none of its ciphers";
}

/*
 * What to offload. Returns false when the configuration asks for more than
 * the kernel can.
 */
static bool find_support(const struct config *config,
			 struct ktls_support *support)
{
	int err;

	*support = (struct ktls_support){ 0 };
	if (config->ktls == CONFIG_KTLS_OFF)
		return true;
	err = ktls_probe(support);
	if (err)
		support->error = err;
	if (support->pairs)
		return true;
	log_line(config->ktls == CONFIG_KTLS_REQUIRE ? LOG_L_ERROR :
		 LOG_L_WARN, "event=ktls_unavailable error=\"%s\"%s",
		 why_unsupported(support->error),
		 config->ktls == CONFIG_KTLS_REQUIRE ? " ktls=require" :
		 " effect=\"every connection is relayed in user space\"");
	return config->ktls != CONFIG_KTLS_REQUIRE;
}

static int run(const struct config *config, bool test)
{
	struct ktls_support support;
	struct certs *certs;
	int status = 1;

	if (!find_support(config, &support))
		return 1;
	certs = certs_load(config, support.pairs ? support.pairs :
			   KTLS_ALL_PAIRS);
	if (certs && staples_check(config, certs))
		status = test ? 0 : master_run(config, certs, &support);
	certs_free(certs);
	return status;
}

/* What master executes; of no use to anybody else. */
static int run_stapler(int argc, char **argv)
{
	struct stat st;

	if (argc == 3 && !strcmp(argv[2], "-v"))
		log_level = LOG_L_DEBUG;
	else if (argc != 2)
		return usage();
	if (fstat(STAPLER_FD, &st) || !S_ISSOCK(st.st_mode))
		return usage();
	return stapler_run(STAPLER_FD);
}

int main(int argc, char **argv)
{
	const char *file = NULL;
	struct config *config;
	bool test = false;
	int c, status;

	if (!fill_standard())
		return 1;
	/* A log or a folder that takes no more is no reason to end. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (argc > 1 && !strcmp(argv[1], "--stapler"))
		return run_stapler(argc, argv);
	while ((c = getopt(argc, argv, "c:tv")) != -1) {
		if (c == 'c')
			file = optarg;
		else if (c == 't')
			test = true;
		else if (c == 'v')
			log_level = LOG_L_DEBUG;
		else
			return usage();
	}
	if (!file || optind != argc)
		return usage();
	config = config_load(file, stderr);
	if (!config)
		return 1;
	status = run(config, test);
	config_free(config);
	return status;
}
