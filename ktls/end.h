/* SPDX-License-Identifier: MIT */
/*
 * How the two sides of a relay tell a clean end from a truncation. A stream
 * socket has no word for it, and a killed process ends its streams as a polite
 * one does. But each side can see the other's name: so who means to end (the
 * client's close_notify, ktls_shutdown()) first gives its end one, any one.
 */
#ifndef KTLS_END_H
#define KTLS_END_H

#include <stdbool.h>

/*
 * ktls_end_cleanly - name this end of a socketpair, and end its direction
 * Returns 0 or -errno of shutdown(2); where it can get no name, the other side
 * sees a truncation.
 */
int ktls_end_cleanly(int fd);

/* ktls_ended_cleanly - asked after the end of file: did the other side? */
bool ktls_ended_cleanly(int fd);

#endif
