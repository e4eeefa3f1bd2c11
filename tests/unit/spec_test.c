/* SPDX-License-Identifier: BSD-2-Clause */
#include "ports/spec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void bare_name(void **state)
{
    struct port_spec s;
    struct err e;

    (void)state;
    assert_int_equal(port_spec_parse(&s, "eth0", &e), 0);
    assert_string_equal(s.kind, "packet");
    assert_string_equal(s.target, "eth0");
    assert_string_equal(s.name, "eth0");
    assert_null(s.netns);
    assert_int_equal(s.n_keys, 0);
    assert_int_equal(s.netns_fd, -1);
    assert_false(s.local);
    assert_int_equal(port_spec_parse(&s, "eth0,name=up,netns=/run/x:y", &e), 0);
    assert_string_equal(s.kind, "packet");
    assert_string_equal(s.name, "up");
    assert_string_equal(s.netns, "/run/x:y");
}

static void keys(void **state)
{
    struct port_spec s;
    struct err e;

    (void)state;
    assert_int_equal(
        port_spec_parse(&s, "tap:t0,b=2,name=port7,a=,netns=lab,c=x=y", &e), 0);
    assert_string_equal(s.kind, "tap");
    assert_string_equal(s.target, "t0");
    assert_string_equal(s.name, "port7");
    assert_string_equal(s.netns, "lab");
    assert_int_equal(s.n_keys, 3);
    assert_string_equal(s.key[0].key, "b");
    assert_string_equal(port_spec_get(&s, "b"), "2");
    assert_string_equal(port_spec_get(&s, "a"), "");
    assert_string_equal(port_spec_get(&s, "c"), "x=y");
    assert_null(port_spec_get(&s, "name"));
    assert_null(port_spec_get(&s, "d"));
}

static void quotes(void **state)
{
    struct port_spec s;
    struct err e;

    (void)state;
    assert_int_equal(
        port_spec_parse(&s, "pcapfile:\"/tmp/a,\"\"b\"\".pcap\",k=\"\",j=x\"y",
                        &e),
        0);
    assert_string_equal(s.target, "/tmp/a,\"b\".pcap");
    assert_string_equal(port_spec_get(&s, "k"), "");
    assert_string_equal(port_spec_get(&s, "j"), "x\"y");
}

/* A socket is numbered by its bridge; an interface is its own name. */
static void names(void **state)
{
    struct port_spec s;
    struct err e;

    (void)state;
    assert_int_equal(port_spec_parse(&s, "stream:localhost:1234", &e), 0);
    assert_string_equal(s.kind, "stream");
    assert_string_equal(s.target, "localhost:1234");
    assert_string_equal(s.name, "");
    assert_int_equal(port_spec_parse(&s, "stream:/tmp/s,name=vm1", &e), 0);
    assert_string_equal(s.name, "vm1");
    assert_int_equal(port_spec_parse(&s, "mem:a-name-too-long,name=m", &e), 0);
    assert_string_equal(s.name, "m");
    assert_int_equal(port_spec_parse(&s, "tap:fifteen-letters", &e), 0);
    assert_string_equal(s.name, "fifteen-letters");
}

static void refusals(void **state)
{
    /* text, part of the sentence, code */
    static const struct {
        const char *text, *says;
        int rc;
    } bad[] = {
        {"", "packet:", -EINVAL},
        {":eth0", "before ':'", -EINVAL},
        {"tap:", "tap:", -EINVAL},
        {"tap:,name=a", "no name after", -EINVAL},
        {"tap:sixteen-letters!", "sixteen-letters!", -ENAMETOOLONG},
        {"a/b", "a/b", -EINVAL},
        {"mem:..", "'..'", -EINVAL},
        {"mem:a b", "blanks", -EINVAL},
        {"a-kind-with-a-long-name:x", "a-kind-with", -ENAMETOOLONG},
        {"mem:a,name=", "empty", -EINVAL},
        {"mem:a,name=sixteen-letters!", "longer", -ENAMETOOLONG},
        {"mem:a,name=b,name=c", "name= is given twice", -EINVAL},
        {"mem:a,netns=b,netns=c", "netns= is given twice", -EINVAL},
        {"mem:a,netns=", "netns= has no value", -EINVAL},
        {"mem:a,k=1,k=1", "k= is given twice", -EINVAL},
        {"mem:a,", "key=value", -EINVAL},
        {"mem:a,k", "'k'", -EINVAL},
        {"mem:a,k,l=1", "'k'", -EINVAL},
        {"mem:a,=1", "'=1'", -EINVAL},
        {"mem:a,k=1,,l=2", "''", -EINVAL},
        {"mem:a,k=\"1", "not closed", -EINVAL},
        {"mem:a,k=\"1\"2", "closing quote", -EINVAL},
        {"mem:a\nb", "control character 0x0a", -EINVAL},
        {"mem:a,a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,"
         "p=1,q=1",
         "more than 16", -EINVAL},
    };
    char text[SPEC_TEXT_MAX + 10];
    struct port_spec s;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err e = {""};

        if (port_spec_parse(&s, bad[i].text, &e) != bad[i].rc ||
            !strstr(e.text, bad[i].says))
            fail_msg("'%s': %s", bad[i].text, e.text);
        assert_null(strchr(e.text, '\n'));
        assert_int_equal(s.kind[0], '\0');
        assert_null(s.target);
    }
    memset(text, 'x', sizeof(text));
    text[SPEC_TEXT_MAX] = '\0';
    assert_int_equal(port_spec_parse(&s, text, NULL), -ENAMETOOLONG);
}

static void reading(void **state)
{
    struct port_spec s;
    struct err e;
    bool v = true;
    uint32_t n = 77;

    (void)state;
    port_spec_parse(
        &s, "mem:a,y=yes,n=0,b=perhaps,u=10,m=-1,w=1x,h=99999999999", &e);
    assert_int_equal(port_spec_bool(&s, "none", &v, &e), 0);
    assert_true(v);
    assert_int_equal(port_spec_bool(&s, "n", &v, &e), 0);
    assert_false(v);
    assert_int_equal(port_spec_bool(&s, "y", &v, &e), 0);
    assert_true(v);
    assert_int_equal(port_spec_bool(&s, "b", &v, &e), -EINVAL);
    assert_non_null(strstr(e.text, "b=perhaps"));
    assert_int_equal(port_spec_uint(&s, "none", 1, 10, &n, &e), 0);
    assert_int_equal(n, 77);
    assert_int_equal(port_spec_uint(&s, "u", 1, 9, &n, &e), -EINVAL);
    assert_non_null(strstr(e.text, "from 1 to 9"));
    assert_int_equal(port_spec_uint(&s, "u", 11, 90, &n, &e), -EINVAL);
    assert_int_equal(port_spec_uint(&s, "m", 0, UINT32_MAX, &n, &e), -EINVAL);
    assert_int_equal(port_spec_uint(&s, "w", 0, 9, &n, &e), -EINVAL);
    assert_int_equal(port_spec_uint(&s, "h", 0, UINT32_MAX, &n, &e), -EINVAL);
    assert_int_equal(n, 77);
    assert_int_equal(port_spec_uint(&s, "u", 1, 10, &n, &e), 0);
    assert_int_equal(n, 10);
}

static void known(void **state)
{
    static const char *const some[] = {"queues", "mtu", NULL};
    static const char *const none[] = {NULL};
    struct port_spec s;
    struct err e;

    (void)state;
    port_spec_parse(&s, "tap:a,mtu=1,name=b,netns=c", &e);
    assert_int_equal(port_spec_known(&s, some, &e), 0);
    assert_int_equal(port_spec_known(&s, none, &e), -EINVAL);
    assert_non_null(strstr(e.text, "'mtu'"));
    port_spec_parse(&s, "tap:a,mtu=1,colour=2", &e);
    assert_int_equal(port_spec_known(&s, some, &e), -EINVAL);
    assert_non_null(strstr(e.text, "'colour'"));
    assert_non_null(strstr(e.text, "queues, mtu"));
}

static void same(const struct port_spec *a, const struct port_spec *b)
{
    assert_string_equal(a->kind, b->kind);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->target, b->target);
    assert_int_equal(a->netns != NULL, b->netns != NULL);
    if (a->netns)
        assert_string_equal(a->netns, b->netns);
    assert_int_equal(a->n_keys, b->n_keys);
    for (unsigned i = 0; i < a->n_keys; i++) {
        assert_string_equal(a->key[i].key, b->key[i].key);
        assert_string_equal(a->key[i].value, b->key[i].value);
    }
}

/*
 * Whatever parses prints as something that parses to the same, and a copy
 * does not need its original.
 */
static void round_trip(void **state)
{
    static const char alphabet[] = "ab,:=\"name netnstapmempackt/.";
    unsigned seed = (unsigned)time(NULL), good = 0;
    const char *given = getenv("SEED");

    (void)state;
    if (given)
        seed = (unsigned)strtoul(given, NULL, 0);
    printf("SEED=%u\n", seed);
    for (int i = 0; i < 200000; i++) {
        static const char *const start[] = {"mem:a,k=", "tap:\"", "", "x:"};
        char text[64], printed[SPEC_TEXT_MAX + 64], again[SPEC_TEXT_MAX + 64];
        struct port_spec s, t, copy;
        struct err e;
        size_t n;

        snprintf(text, sizeof(text), "%s", start[rand_r(&seed) % 4]);
        n = strlen(text);
        for (int k = rand_r(&seed) % 30; k > 0; k--)
            text[n++] =
                alphabet[(size_t)rand_r(&seed) % (sizeof(alphabet) - 1)];
        text[n] = '\0';
        if (port_spec_parse(&s, text, &e))
            continue;
        good++;
        port_spec_format(&s, printed, sizeof(printed));
        if (port_spec_parse(&t, printed, &e))
            fail_msg("'%s' printed as '%s': %s", text, printed, e.text);
        same(&s, &t);
        assert_string_equal(port_spec_format(&t, again, sizeof(again)),
                            printed);
        assert_int_equal(port_spec_copy(&copy, &s), 0);
        memset(&s, 0x55, sizeof(s));
        same(&copy, &t);
    }
    assert_true(good > 1000);
}

static void printing(void **state)
{
    struct port_spec s;
    char out[SPEC_TEXT_MAX], small[8];
    struct err e;

    (void)state;
    port_spec_parse(&s, "eth0,name=eth0", &e);
    assert_string_equal(port_spec_format(&s, out, sizeof(out)), "packet:eth0");
    port_spec_parse(&s, "mem:a,k=\"1,2\",name=b,netns=c", &e);
    assert_string_equal(port_spec_format(&s, out, sizeof(out)),
                        "mem:a,name=b,netns=c,k=\"1,2\"");
    assert_string_equal(port_spec_format(&s, small, sizeof(small)), "mem:a,n");
    assert_string_equal(port_spec_format(&s, small, 1), "");
}

/* Sentences that are not UTF-8 are told in another coding, all of them. */
static void whole_characters(void **state)
{
    char name[201] = "";
    struct port_spec s;
    struct err e = {""};

    (void)state;
    for (int i = 0; i < 50; i++)
        strcat(name, "\xc3\xbc"); /* u umlaut */
    assert_int_equal(bridge_name_check(name, &e), -ENAMETOOLONG);
    assert_non_null(strstr(e.text, "\xc3\xbc' cannot be a bridge's name"));
    for (int odd = 0; odd < 2; odd++) {
        char spec[256];

        snprintf(spec, sizeof(spec), "mem:%s%s", odd ? "a" : "", name);
        assert_true(port_spec_parse(&s, spec, &e) < 0);
        assert_null(strstr(e.text, "\xc3'"));
    }
}

static void copy_too_long(void **state)
{
    char big[SPEC_TEXT_MAX];
    struct port_spec s = {.kind = "tap", .name = "a"}, to;

    (void)state;
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    s.target = big;
    assert_int_equal(port_spec_copy(&to, &s), 0);
    s.netns = "y";
    assert_int_equal(port_spec_copy(&to, &s), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bare_name),
        cmocka_unit_test(keys),
        cmocka_unit_test(quotes),
        cmocka_unit_test(names),
        cmocka_unit_test(refusals),
        cmocka_unit_test(reading),
        cmocka_unit_test(known),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(printing),
        cmocka_unit_test(copy_too_long),
        cmocka_unit_test(whole_characters),
    };

    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
