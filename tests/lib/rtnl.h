/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holds the kernel's lock of all network settings (RTNL), as an interface does
 * that is being deleted: a request about a tap, which takes the lock and then
 * reads its argument, is given one in a page that is not there yet
 * (userfaultfd(2)).
 *
 * Everybody on the machine who wants the lock waits meanwhile: be brief.
 */
#ifndef TESTS_LIB_RTNL_H
#define TESTS_LIB_RTNL_H

/* Ends the program with 77 and a sentence if it cannot be done here. */
void rtnl_start(void);
void rtnl_end(void);

/* When it returns, the lock is held, at most for 'seconds'. */
void rtnl_hold(double seconds);
/* ... and no longer when this returns. */
void rtnl_release(void);

#endif
