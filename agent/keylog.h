/* SPDX-License-Identifier: MIT */
/*
 * The file that every TLS secret is written to, where the configuration says so
 * (the NSS key log format, which Wireshark reads): for debugging.
 */
#ifndef AGENT_KEYLOG_H
#define AGENT_KEYLOG_H

#include "config/config.h"

struct keylog;

/*
 * keylog_open - open the configuration's keylog, or make it, to append to it
 * @log: gets NULL when there is none in the configuration
 * By master, whose privileges it may need: workers inherit it. A new one is for
 * its owner alone; refused are symbolic links, what is no ordinary file, and one
 * that is somebody else's or that somebody else may access. Warns in the log
 * while there is one, and logs an error. Returns 0 or -errno.
 */
int keylog_open(const struct config *config, struct keylog **log);
void keylog_close(struct keylog *log);	/* takes NULL */

/* keylog_fd - the descriptor that a worker has to keep; -1 for NULL */
int keylog_fd(const struct keylog *log);

/*
 * keylog_use - keylog_write() means @log in this process from now on
 * @log: NULL: none. Stays open as long
 */
void keylog_use(const struct keylog *log);

/* keylog_write - for hs_config's keylog: a line, with one write(2) */
void keylog_write(const char *line);

#endif
