/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/rpc.h"

#include "base/mac.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static int fail(struct rpc_error *e, enum rpc_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct rpc_error *e, enum rpc_code code, const char *fmt, ...)
{
    va_list ap;

    *e = (struct rpc_error){.code = code};
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    return -1;
}

/*
 * How many values may be in there?  Parsing costs by the value, so a line
 * that is within the limit by length can still be beyond what a turn has
 * time for; it is turned away before jansson sees it.
 */
static unsigned count_values(const char *p, size_t n)
{
    unsigned count = 1;
    bool string = false;

    for (size_t i = 0; i < n && count <= RPC_VALUES_MAX; i++) {
        if (string) {
            if (p[i] == '\\')
                i++;
            else if (p[i] == '"')
                string = false;
        } else if (p[i] == '"') {
            string = true;
        } else if (p[i] == ',' || p[i] == '[' || p[i] == '{') {
            count++;
        }
    }
    return count;
}

static bool type_fits(char type, const json_t *v)
{
    struct mac mac;

    switch (type) {
    case 's': /* names end at the first NUL: none may hide behind one */
        return json_is_string(v) &&
               strlen(json_string_value(v)) == json_string_length(v);
    case 'n':
        return json_is_integer(v) && json_integer_value(v) >= 0;
    case 'i':
        return json_is_integer(v);
    case 'b':
        return json_is_boolean(v);
    case 'a':
        return json_is_array(v);
    case 'm':
        return json_is_string(v) && mac_parse(json_string_value(v), &mac);
    case 'w':
        return json_is_string(v) || type_fits('v', v);
    case 'v':
        return json_is_boolean(v) ||
               (json_is_integer(v) && json_integer_value(v) >= 0);
    default:
        return false;
    }
}

static const char *type_words(char type)
{
    switch (type) {
    case 's':
        return "a string";
    case 'n':
        return "a number, 0 or more";
    case 'i':
        return "a whole number";
    case 'b':
        return "true or false";
    case 'a':
        return "an array";
    case 'm':
        return "a MAC address";
    case 'w':
        return "a word, a number, or true or false";
    default:
        return "a number or true or false";
    }
}

static int check_params(const struct rpc_request *r, struct rpc_error *e)
{
    const char *schema = r->cmd->params;
    struct command_param p;
    size_t known = 0;
    const char *key;
    json_t *v;

    while ((schema = command_param_next(schema, &p))) {
        v = json_object_get(r->params, p.name);
        if (!v && !p.optional)
            return fail(e, RPC_BAD_PARAMS, "%s: parameter \"%s\" is missing",
                        r->cmd->name, p.name);
        if (p.type == 'm' && json_is_string(v) && !type_fits('m', v))
            return fail(e, RPC_BAD_PARAMS, "%s: \"%.40s\" is no MAC address",
                        r->cmd->name, json_string_value(v));
        if (v && !type_fits(p.type, v))
            return fail(e, RPC_BAD_PARAMS, "%s: parameter \"%s\" must be %s",
                        r->cmd->name, p.name, type_words(p.type));
        known += v != NULL;
    }
    if (known == json_object_size(r->params))
        return 0;
    json_object_foreach(r->params, key, v)
    {
        bool found = false;

        schema = r->cmd->params;
        while ((schema = command_param_next(schema, &p)))
            found |= strcmp(p.name, key) == 0;
        if (!found)
            return fail(e, RPC_BAD_PARAMS,
                        "%s: there is no parameter \"%.40s\"", r->cmd->name,
                        key);
    }
    return 0;
}

static int check_request(struct rpc_request *r, struct rpc_error *e)
{
    const json_t *method = json_object_get(r->root, "method");
    const char *version =
        json_string_value(json_object_get(r->root, "jsonrpc"));
    json_t *id = json_object_get(r->root, "id");

    if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
        return fail(e, RPC_INVALID_REQUEST,
                    "\"id\" must be a string, a number or null");
    r->id = id;
    if (!version || strcmp(version, "2.0") != 0)
        return fail(e, RPC_INVALID_REQUEST, "\"jsonrpc\" must be \"2.0\"");
    if (!json_is_string(method))
        return fail(e, RPC_INVALID_REQUEST, "\"method\" must be a string");
    r->cmd = command_by_method(json_string_value(method));
    if (!r->cmd)
        return fail(e, RPC_NO_METHOD, "there is no method \"%.40s\"",
                    json_string_value(method));
    r->params = json_object_get(r->root, "params");
    if (!r->params) {
        json_object_set_new(r->root, "params", json_object());
        r->params = json_object_get(r->root, "params");
    }
    if (!json_is_object(r->params))
        return fail(e, RPC_BAD_PARAMS,
                    "%s: \"params\" must be an object of named parameters",
                    r->cmd->name);
    return check_params(r, e);
}

int rpc_parse(const char *line, size_t n, struct rpc_request *r,
              struct rpc_error *e)
{
    json_error_t je;

    memset(r, 0, sizeof(*r));
    if (n > RPC_REQUEST_MAX)
        return fail(e, RPC_LIMIT, "request is longer than %d octets",
                    RPC_REQUEST_MAX);
    if (count_values(line, n) > RPC_VALUES_MAX)
        return fail(e, RPC_LIMIT, "request has more than %d values",
                    RPC_VALUES_MAX);
    r->root = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &je);
    if (!r->root)
        return fail(e, RPC_PARSE_ERROR, "not JSON: %.100s (column %d)", je.text,
                    je.column);
    if (json_is_array(r->root))
        return fail(e, RPC_INVALID_REQUEST,
                    "batches are not taken: send one request per line");
    if (!json_is_object(r->root))
        return fail(e, RPC_INVALID_REQUEST, "a request must be an object");
    return check_request(r, e);
}

void rpc_request_free(struct rpc_request *r)
{
    json_decref(r->root);
    memset(r, 0, sizeof(*r));
}

const char *rpc_string(const json_t *params, const char *name)
{
    return json_string_value(json_object_get(params, name));
}

uint64_t rpc_number(const json_t *params, const char *name, uint64_t absent)
{
    const json_t *v = json_object_get(params, name);

    return v ? (uint64_t)json_integer_value(v) : absent;
}

bool rpc_bool(const json_t *params, const char *name, bool absent)
{
    const json_t *v = json_object_get(params, name);

    return v ? json_is_true(v) : absent;
}

uint64_t rpc_value(const json_t *params, const char *name)
{
    const json_t *v = json_object_get(params, name);

    if (json_is_boolean(v))
        return json_is_true(v);
    return (uint64_t)json_integer_value(v);
}

/* ---- answers ---- */

int rpc_write_head(struct text *out, const json_t *id, const char *head)
{
    size_t before = text_size(out);
    static const char start[] = "{\"jsonrpc\":\"2.0\",\"id\":";

    if (text_add(out, start, sizeof(start) - 1) == 0 &&
        (id ? text_json(out, id) : text_add(out, "null", 4)) == 0 &&
        text_add(out, head, strlen(head)) == 0)
        return 0;
    text_cut(out, before);
    return -ENOMEM;
}

int rpc_write_result(struct text *out, const json_t *id, const json_t *result)
{
    size_t before = text_size(out);

    if (rpc_write_head(out, id, ",\"result\":") == 0 &&
        text_json(out, result) == 0 && text_add(out, "}\n", 2) == 0)
        return 0;
    text_cut(out, before);
    return -ENOMEM;
}

int rpc_write_error(struct text *out, const json_t *id,
                    const struct rpc_error *e)
{
    size_t before = text_size(out);
    const char *name = e->err ? strerrorname_np(e->err) : NULL;
    int rc;

    rc = rpc_write_head(out, id, ",\"error\":{\"code\":");
    if (rc == 0)
        rc = text_addf(out, "%d,\"message\":", (int)e->code);
    if (rc == 0)
        rc = text_json_string(out, e->text);
    if (rc == 0 && e->err)
        rc = text_addf(out, ",\"data\":{\"errno\":\"%s\",\"number\":%d",
                       name ? name : "?", e->err);
    if (rc == 0 && e->err && e->what)
        rc = text_addf(out, ",\"what\":\"%s\"", e->what);
    if (rc == 0)
        rc = text_addf(out, "%s}}\n", e->err ? "}" : "");
    if (rc < 0)
        text_cut(out, before);
    return rc;
}
