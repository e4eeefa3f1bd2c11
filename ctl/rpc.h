/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON-RPC 2.0 messages, one object per line: reading requests, writing
 * answers.  No I/O; the bytes come from and go to the caller.
 *
 * Threads: control thread (jansson objects are not shared).
 */
#ifndef CTL_RPC_H
#define CTL_RPC_H

#include "ctl/code.h"
#include "ctl/table.h"
#include "ctl/text.h"

#include <jansson.h>
#include <stdint.h>

#define RPC_REQUEST_MAX (1024 * 1024) /* octets in a line */
/* Values in a request of any size: what a turn can afford to parse. */
#define RPC_VALUES_MAX 4096

struct rpc_error {
    enum rpc_code code;
    int err;          /* errno value > 0, or 0: no "data" */
    const char *what; /* what the errno is about: "bridge", "port", or NULL */
    char text[400];
};

struct rpc_request {
    const struct command *cmd;
    json_t *root;
    json_t *id;     /* borrowed from root; NULL: a notification */
    json_t *params; /* borrowed; never NULL: an empty object for none */
};

/*
 * Reads one line (without its newline).  0 and *r, to be given back with
 * rpc_request_free; or -1 with *e filled and r->id set if it could be read
 * (then, too, rpc_request_free).  Checks the method's name and the names and
 * types of its parameters.
 */
int rpc_parse(const char *line, size_t n, struct rpc_request *r,
              struct rpc_error *e);
void rpc_request_free(struct rpc_request *r);

/* Parameters that rpc_parse has checked; absent: the value given. */
const char *rpc_string(const json_t *params, const char *name);
uint64_t rpc_number(const json_t *params, const char *name, uint64_t absent);
bool rpc_bool(const json_t *params, const char *name, bool absent);
/* A number, or a boolean as 0 and 1. */
uint64_t rpc_value(const json_t *params, const char *name);

/*
 * Append one line to 'out'.  id NULL is written as null.  rpc_result does not
 * take 'result' over.  0 or -ENOMEM with 'out' as before.
 */
int rpc_write_result(struct text *out, const json_t *id, const json_t *result);
int rpc_write_error(struct text *out, const json_t *id,
                    const struct rpc_error *e);
/* The beginning of a result that is written piece by piece. */
int rpc_write_head(struct text *out, const json_t *id, const char *head);

#endif
