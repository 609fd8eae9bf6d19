/* SPDX-License-Identifier: MIT */
/*
 * What master knows of every certificate's staple, and its stapler process, that
 * finds them. master takes a response's verdict from it, and never looks into
 * one.
 */
#ifndef AGENT_STAPLES_H
#define AGENT_STAPLES_H

#include <stdio.h>
#include <sys/types.h>

#include "certs.h"
#include "delivery.h"
#include "metrics.h"
#include "upgrade_state.h"

struct staples;

/*
 * struct staples_setup - all borrowed for the life of the staples
 * @metrics:    master's slot
 * @changed:    a slot has another staple, which its certificate has here
 *              already: the workers need it
 * @everywhere: has every worker what the slot has?
 * @socket:     for tests: talk to this instead of a process; else -1
 */
struct staples_setup {
	const struct config *config;
	const struct certs *certs;
	struct metrics *metrics;
	int loop;
	void (*changed)(void *arg, size_t slot);
	bool (*everywhere)(void *arg, size_t slot);
	void *arg;
	int socket;
};

/*
 * staples_check - is there all that a stapler needs? Logs what is missing, and
 * warns of an account that is not the stapler's alone.
 */
bool staples_check(const struct config *config, const struct certs *certs);

/*
 * staples_new - NULL when out of memory
 * @previous: whose place it is to take later, or NULL. Of certificates that are
 *            there, too, it has what that one knows; they are not waited for.
 *            Where slots and options are the same it waits for that one's
 *            stapler, else it will start one of its own.
 * Nothing runs before the first staples_tick().
 */
struct staples *staples_new(const struct staples_setup *setup,
			    const struct staples *previous);
void staples_free(struct staples *staples);	/* takes NULL */

/*
 * staples_take_over - take @previous' place, that of staples_new(), or NULL
 * With its stapler, and what that found since, which is said with
 * setup->changed; or else that stapler is stopped. @previous counts no more.
 */
void staples_take_over(struct staples *staples, struct staples *previous);

/*
 * When another process takes this one's place: staples_give() writes what is
 * known; there staples_take() is told each record of it, before the first tick,
 * and then staples_taken(): where all is known now, the stapler waits for
 * staples_take_over(), whose @previous is NULL. Returns -ENOMEM, or 0, also for a
 * certificate that is not there.
 */
void staples_give(const struct staples *staples, struct upgrade_writer *w);
int staples_take(struct staples *staples, const struct upgrade_record *record,
		 const uint8_t *der);
void staples_taken(struct staples *staples);

/* What workers are to have, by slot; lives as long as @staples. */
const struct delivery_list *staples_list(const struct staples *staples);

/*
 * staples_settled - may ktlsd begin to listen?
 * Once what was stored is here, and each slot has a staple, or (unless it must
 * have one) its first attempt is over. In any case after ocsp.start_wait, unless
 * what was stored is still coming, and then after a minute. Logs, once, when
 * that was too short.
 */
bool staples_settled(struct staples *staples, uint64_t now_ms);

/*
 * staples_tick - start the stapler, or kill it at the end of its time to stop
 * Returns when to be called again, in loop_now_ms() terms, or UINT64_MAX.
 */
uint64_t staples_tick(struct staples *staples, uint64_t now_ms);

/* staples_ended - was waited for. Returns false when it is not the stapler. */
bool staples_ended(struct staples *staples, pid_t pid, int status);

/* staples_stop - let the stapler end; what there is stays */
void staples_stop(struct staples *staples);
bool staples_running(const struct staples *staples);

/*
 * For control.h: staples_print - a line for each certificate, and for each slot
 * of an intermediate one; staples_refresh - ask now for those of the chain file
 * or certificate @name, NULL: all
 */
void staples_print(const struct staples *staples, FILE *out);
void staples_refresh(struct staples *staples, const char *name, FILE *out);
/* staples_print_metrics - gauges for each slot, and why fetches failed */
void staples_print_metrics(const struct staples *staples, FILE *out);

#endif
