/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket on a real switch with mem ports a and b, driven in one
 * thread: requests go in at one end of a socket pair, answers are read there.
 * What does not come within ten seconds fails the test.
 */
#ifndef TESTS_LIB_SERVERRIG_H
#define TESTS_LIB_SERVERRIG_H

#include "ctl/server.h"
#include "tests/lib/rig.h"

#include <jansson.h>

struct serverrig {
    struct rig rig;
    struct server *server;
};
extern struct serverrig srig;

/* Set-up and teardown of a test. */
int srig_up(void **state);
int srig_down(void **state);

/* A client, and what it has received and not read. */
struct peer {
    int fd;
    char *buf;
    size_t n, cap;
};

void peer_open(struct peer *p, enum authority authority);
void peer_close(struct peer *p);
/* A turn of the loop. */
void peer_turn(void);
/* All of the text, whatever the daemon does meanwhile. */
void peer_say(struct peer *p, const char *text);
/* Takes what has arrived; false at the end of the stream. */
bool peer_receive(struct peer *p);
/* The next line, parsed, the caller's; NULL at the end of the stream. */
json_t *peer_line(struct peer *p);
/* A request and its answer. */
json_t *peer_ask(struct peer *p, const char *method, const char *params);

/* Both give the answer back: its error's code, or 0; is there a result? */
int answer_code(json_t *answer);
bool answer_ok(json_t *answer);

#endif
