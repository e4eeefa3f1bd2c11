/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a person may type as a port: it is refused with a sentence, or it
 * prints as something that parses to the same, and its copy prints alike.
 */
#include "ports/spec.h"
#include "tests/fuzz/check.h"

#include <string.h>

/* Quotes may double in print, and name= may appear. */
#define PRINTED_MAX (2 * SPEC_TEXT_MAX + 64)

static void check_refusal(const struct port_spec *s, int rc,
                          const struct err *e)
{
    CHECK(rc < 0 && e->text[0] && !strchr(e->text, '\n'));
    CHECK(s->kind[0] == '\0' && s->n_keys == 0 && s->netns_fd == -1);
}

static void check_strings(const struct port_spec *s)
{
    CHECK(strlen(s->kind) < sizeof(s->kind) && s->kind[0]);
    CHECK(strlen(s->name) < sizeof(s->name));
    CHECK(s->target && s->target[0] && s->n_keys <= SPEC_KEYS_MAX);
    for (unsigned i = 0; i < s->n_keys; i++)
        CHECK(port_spec_get(s, s->key[i].key) == s->key[i].value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char printed[PRINTED_MAX], again[PRINTED_MAX];
    struct port_spec s, t;
    struct err e = {""};
    char *text = malloc(size + 1);
    uint32_t n = 5;
    bool b = true;
    int rc;

    memcpy(text, data, size);
    text[size] = '\0';
    rc = port_spec_parse(&s, text, &e);
    free(text);
    if (rc) {
        check_refusal(&s, rc, &e);
        return 0;
    }
    check_strings(&s);
    port_spec_format(&s, printed, sizeof(printed));
    CHECK(port_spec_copy(&t, &s) == 0);
    CHECK(strcmp(port_spec_format(&t, again, sizeof(again)), printed) == 0);
    rc = port_spec_parse(&t, printed, &e);
    CHECK(rc == 0 || strlen(printed) >= SPEC_TEXT_MAX);
    if (rc == 0)
        CHECK(strcmp(port_spec_format(&t, again, sizeof(again)), printed) == 0);
    for (unsigned i = 0; i < s.n_keys; i++) {
        (void)port_spec_uint(&s, s.key[i].key, 5, 9, &n, &e);
        CHECK(n >= 5 && n <= 9);
        (void)port_spec_bool(&s, s.key[i].key, &b, &e);
    }
    return 0;
}
