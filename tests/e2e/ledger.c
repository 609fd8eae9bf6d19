// SPDX-License-Identifier: MIT
/*
 * ledger - do the consumers' ledger and the client's list say the same?
 *
 *   ledger FILE FAILED KILLED N
 *
 * FILE is of tool/ledger.h, FAILED has the numbers of the connections that
 * failed, of N, and KILLED the pids of the processes that were killed, a line
 * each. A connection may have failed only if a killed process had it in hand,
 * and must have failed if that had not begun to answer. The last line has the
 * counts; exit 1, and a line for each connection, where the two differ.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool/ledger.h"
#include "tool/tool.h"

#define PID_MAX (1u << 22)

static bool failed[LEDGER_MAX], killed[PID_MAX];
static unsigned int in_hand, answering, served, differ;

static void read_list(const char *path, bool *set, unsigned long max)
{
	FILE *f = fopen(path, "r");
	char line[256];
	unsigned long n;

	if (!f)
		die("%s: %m", path);
	while (fgets(line, sizeof(line), f)) {
		n = strtoul(line, NULL, 10);
		if (n >= max)
			die("%s: %s", path, line);
		set[n] = true;
	}
	fclose(f);
}

static void complain(unsigned int n, const struct ledger_line *l,
		     const char *what)
{
	static const char *const states[] = {
		"never taken", "wanted", "held", "being answered", "answered",
		"ended",
	};

	if (differ++ < 20)
		printf("connection %u: %s, taken %u times, by %u: %s\n", n,
		       states[l->state], l->times, l->pid, what);
}

static void judge(unsigned int n, const struct ledger_line *l)
{
	const bool held = l->state == LEDGER_WANTED || l->state == LEDGER_HELD;

	in_hand += held;
	answering += l->state == LEDGER_ANSWERING;
	served += !failed[n];
	if (l->times > 1)
		complain(n, l, "more than once");
	else if ((held || l->state == LEDGER_ANSWERING) &&
		 !(l->pid < PID_MAX && killed[l->pid]))
		complain(n, l, "by one that was not killed");
	else if (held && !failed[n])
		complain(n, l, "and the client was served");
	else if (l->state == LEDGER_NONE && !failed[n])
		complain(n, l, "and the client was served");
	else if (failed[n] && !held && l->state != LEDGER_ANSWERING)
		complain(n, l, "and the client was not served");
}

int main(int argc, char **argv)
{
	unsigned int n, n_failed = 0, count;

	if (argc != 5)
		die("usage: see the head of ledger.c");
	count = atoi(argv[4]);
	if (count > LEDGER_MAX)
		die("the ledger has no room for %u", count);
	ledger_open(argv[1]);
	read_list(argv[2], failed, count);
	read_list(argv[3], killed, PID_MAX);
	for (n = 0; n < count; n++) {
		n_failed += failed[n];
		judge(n, &ledger_lines()[n]);
	}
	printf("connections=%u served=%u failed=%u in_hand=%u answering=%u "
	       "differ=%u\n", count, served, n_failed, in_hand, answering,
	       differ);
	return differ > 0;
}
