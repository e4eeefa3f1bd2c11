/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that are too long, too deep or too many, memory that runs out, and
 * how long what is allowed may take.
 */
#include "base/clock.h"
#include "ctl/config/equal.h"
#include "ctl/config/load.h"
#include "ctl/config/print.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW 20.0 /* with a sanitizer, and beside other work */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOW 20.0
#endif
#endif
#ifndef SLOW
#define SLOW 1.0
#define PLAIN_BUILD
#endif

/* ---- memory that runs out ---- */

#ifdef PLAIN_BUILD
/* The n-th allocation from now fails, and all that follow; 0: none does. */
static unsigned long countdown;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static bool starved(void)
{
    if (countdown == 0)
        return false;
    if (countdown > 1) {
        countdown--;
        return false;
    }
    return true;
}

void *malloc(size_t n)
{
    return starved() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return starved() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return starved() ? NULL : __libc_realloc(p, n);
}
#endif

static void out_of_memory(void **state)
{
#ifdef PLAIN_BUILD
    struct conf *whole;
    struct err e;
    unsigned long n;
    int rc = -ENOMEM;

    (void)state;
    assert_int_equal(
        conf_load(&whole, "tests/config/own.yaml", conf_open_file, NULL, &e),
        0);
    for (n = 1; rc; n++) {
        struct conf *c = (void *)&c;

        e.text[0] = '\0';
        countdown = n;
        rc = conf_load(&c, "tests/config/own.yaml", conf_open_file, NULL, &e);
        countdown = 0;
        if (rc == 0) {
            assert_true(conf_equal(c, whole));
            conf_free(c);
            continue;
        }
        if (rc != -ENOMEM || !strstr(e.text, "memory"))
            fail_msg("allocation %lu: %d %s", n, rc, e.text);
        assert_null(c);
    }
    assert_true(n > 20);
    for (n = 1;; n++) {
        char *text;

        countdown = n;
        text = conf_print(whole);
        countdown = 0;
        free(text);
        if (text)
            break;
    }
    assert_true(n > 5);
    conf_free(whole);
#else
    (void)state;
    skip();
#endif
}

/* ---- time ---- */

static double cpu(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long memory_kb(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

/* A text in pieces. */
struct big {
    char *text;
    size_t len;
};

static void add(struct big *b, const char *what, unsigned times)
{
    size_t n = strlen(what);

    b->text = realloc(b->text, b->len + n * times + 1);
    assert_non_null(b->text);
    for (; times; times--, b->len += n)
        memcpy(b->text + b->len, what, n);
    b->text[b->len] = '\0';
}

/* Refused with such words, soon and in little memory.  Frees it. */
static void refused_soon(struct big *b, const char *words)
{
    struct conf *c;
    struct err e;
    double t = cpu();
    long kb = memory_kb();

    assert_int_equal(conf_load_text(&c, b->text, b->len, &e), -EINVAL);
    assert_null(c);
    t = cpu() - t;
    if (strncmp(e.text, "text:", 5) != 0 || !strstr(e.text, words))
        fail_msg("expected %s, found %s", words, e.text);
    if (t > 0.5 * SLOW)
        fail_msg("%s: took %.3f s", words, t);
#ifdef PLAIN_BUILD
    if (memory_kb() - kb > 64L << 10)
        fail_msg("%s: took %ld kB", words, memory_kb() - kb);
#else
    (void)kb;
#endif
    free(b->text);
    *b = (struct big){NULL, 0};
}

static void many_lines(void **state)
{
    struct big b = {NULL, 0};

    (void)state;
    add(&b, "- a\n", 100000);
    refused_soon(&b, "expected a map");
    add(&b, "a: b\n", 100000);
    refused_soon(&b, "written twice");
    add(&b, "network:\n  bridges:\n    br0:\n      interfaces:\n", 1);
    add(&b, "      - e\n", 70000);
    refused_soon(&b, "70000 ports; a bridge has at most 1023");
    add(&b, "network:\n  ethernets:\n    e0: [\n", 1);
    add(&b, "a,\n", 250000);
    refused_soon(&b, "more than 200000 values");
    add(&b, "network: {bridges: {br0: {}}} # \n", 100000);
    refused_soon(&b, "octets long; at most 786432");
    add(&b, "network: [\n", 1);
    add(&b, "{},\n", 190000);
    refused_soon(&b, "not YAML");
}

/* All keys differ, and none of them is known. */
static void many_keys(void **state)
{
    struct big b = {NULL, 0};
    char key[32];

    (void)state;
    b.text = malloc(2UL << 20);
    for (unsigned i = 0; i < 90000; i++)
        b.len += (size_t)sprintf(b.text + b.len, "%x:\n", i);
    refused_soon(&b, "no such key");
    b.text = malloc(2UL << 20);
    b.len = (size_t)sprintf(b.text, "network:\n  wifis:\n");
    for (unsigned i = 0; i < 60000; i++) {
        snprintf(key, sizeof(key), "   w%x: {}\n", i);
        b.len += (size_t)sprintf(b.text + b.len, "%s", key);
    }
    b.len += (size_t)sprintf(b.text + b.len, "  xyz:\n");
    refused_soon(&b, "no such key");
    b.text = malloc(2UL << 20);
    b.len = (size_t)sprintf(b.text, "network:\n  bridges:\n");
    for (unsigned i = 0; i < 40000; i++)
        b.len += (size_t)sprintf(b.text + b.len, "   b%x: {}\n", i);
    b.len += (size_t)sprintf(b.text + b.len, "   c: {mtu: 1}\n");
    refused_soon(&b, "from 68 to");
}

static void deep(void **state)
{
    static const char *const nests[] = {"[",    "{a: ",    "- ", "? ",
                                        "{? [", "!!seq [", "[\n"};
    struct big b = {NULL, 0};

    (void)state;
    for (size_t i = 0; i < sizeof(nests) / sizeof(nests[0]); i++) {
        add(&b, nests[i], 10000);
        refused_soon(&b, nests[i][0] == '?' || nests[i][1] == '?'
                             ? "a key must be a word"
                             : "nested more than 32 deep");
    }
    for (int i = 0; i < 800; i++) {
        add(&b, " ", (unsigned)i);
        add(&b, "k:\n", 1);
    }
    refused_soon(&b, "nested more than 32 deep");
    add(&b, "[", 33);
    refused_soon(&b, "1:33: nested more than 32 deep");
    add(&b, "[", 32);
    refused_soon(&b, "not YAML");
}

static void long_words(void **state)
{
    struct big b = {NULL, 0};

    (void)state;
    add(&b, "\"", 1);
    add(&b, "\\u00e9", 100000);
    add(&b, "\": 1\n", 1);
    refused_soon(&b, "not YAML"); /* a key has 1024 characters at most */
    add(&b, "? \"", 1);
    add(&b, "\\u00e9", 100000);
    add(&b, "\"\n: 1\n", 1);
    refused_soon(&b, "no such key");
    add(&b, "network: {bridges: {br0: {dhcp4: ", 1);
    add(&b, "yes", 100000);
    add(&b, "}}}", 1);
    refused_soon(&b, "found yesyes");
    add(&b, "# comment\n", 70000);
    refused_soon(&b, "empty");
    add(&b, "a: |\n", 1);
    add(&b, "  b\n", 180000);
    refused_soon(&b, "no such key");
}

/* ---- what is allowed is quick ---- */

static void thousand_ports(void **state)
{
    struct big b = {NULL, 0};
    struct conf *c, *d;
    struct err e = {""};
    char line[160], *text;
    double best = 1e9, print = 1e9;

    (void)state;
    add(&b, "network:\n  version: 2\n  bridges:\n    br0:\n      interfaces:\n",
        1);
    for (int i = 0; i < 500; i++) {
        snprintf(line, sizeof(line), "        - e%d\n", i);
        add(&b, line, 1);
    }
    add(&b, "  ethernets:\n", 1);
    for (int i = 0; i < 500; i++) {
        snprintf(line, sizeof(line), "    e%d: {dhcp4: no, mtu: 9000}\n", i);
        add(&b, line, 1);
    }
    add(&b, "bascule:\n  bridges:\n    br0:\n      ports:\n", 1);
    for (int i = 0; i < 500; i++) {
        snprintf(line, sizeof(line),
                 "        - spec: \"tap:t%d,mtu=9000\"\n"
                 "          isolated: yes\n          path-cost: %d\n",
                 i, i + 1);
        add(&b, line, 1);
    }
    for (int i = 0; i < 5; i++) {
        double t = cpu();

        if (conf_load_text(&c, b.text, b.len, &e))
            fail_msg("%s", e.text);
        t = cpu() - t;
        best = t < best ? t : best;
        assert_int_equal(c->bridge->n_ports, 1000);
        t = cpu();
        text = conf_print(c);
        t = cpu() - t;
        print = t < print ? t : print;
        assert_int_equal(conf_load_text(&d, text, strlen(text), &e), 0);
        assert_true(conf_equal(c, d));
        free(text);
        conf_free(c);
        conf_free(d);
    }
    printf("1000 ports: %.1f ms to read, %.1f ms to print\n", best * 1e3,
           print * 1e3);
    assert_true(best < 0.05 * SLOW);
    assert_true(print < 0.05 * SLOW);
    free(b.text);
}

/* ---- files ---- */

struct folder {
    char path[64];
};

static int folder_up(void **state)
{
    struct folder *f = malloc(sizeof(*f));

    if (!f)
        return -1;
    strcpy(f->path, "/tmp/config_bounds.XXXXXX");
    *state = f;
    return mkdtemp(f->path) ? 0 : -1;
}

static int folder_down(void **state)
{
    struct folder *f = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", f->path);
    free(f);
    return system(command) == -1 ? -1 : 0;
}

static const char *path(const struct folder *f, const char *name)
{
    static char p[2][160];
    static unsigned turn;

    turn ^= 1;
    snprintf(p[turn], sizeof(p[turn]), "%s/%s", f->path, name);
    return p[turn];
}

static void put(const struct folder *f, const char *name, const char *text)
{
    FILE *out = fopen(path(f, name), "w");

    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

/* 'name' is not loaded, for such a reason. */
static void file_refused(const struct folder *f, const char *name, int want,
                         const char *words)
{
    struct conf *c = (void *)&c;
    struct err e = {""};
    int rc = conf_load(&c, path(f, name), conf_open_file, NULL, &e);

    if (rc != want || !strstr(e.text, words))
        fail_msg("%s: expected %d %s, found %d %s", name, want, words, rc,
                 e.text);
    assert_null(c);
}

static void includes(void **state)
{
    const struct folder *f = *state;

    put(f, "self", "bascule: {include: [self]}");
    file_refused(f, "self", -EINVAL, "includes itself");
    put(f, "dot", "bascule: {include: ./dot}");
    file_refused(f, "dot", -EINVAL, "includes itself");
    put(f, "one", "bascule: {include: two}");
    put(f, "two", "bascule: {include: one}");
    file_refused(f, "one", -EINVAL, "includes itself by way of other files");
    assert_int_equal(mkdir(path(f, "sub"), 0700), 0);
    put(f, "up", "bascule: {include: sub/../up}");
    file_refused(f, "up", -EINVAL, "includes itself");
    put(f, "plain", "network: {version: 2}");
    put(f, "twice", "bascule: {include: [plain, sub/../plain]}");
    file_refused(f, "twice", -EINVAL, "is included already");
    put(f, "gone", "bascule:\n  include: [not-there]");
    file_refused(f, "gone", -ENOENT, "gone:2:13: include: ");
    file_refused(f, "nothing", -ENOENT, "No such file");
    file_refused(f, "sub", -EISDIR, "is a folder");
    put(f, "bad", "network: {version: 3}");
    put(f, "outer", "bascule: {include: bad}");
    file_refused(f, "outer", -EINVAL, "bad:1:20: version: ");
}

static void too_many_files(void **state)
{
    const struct folder *f = *state;
    char name[32], text[64];

    for (int i = 0; i < CONF_FILES_MAX + 1; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        snprintf(text, sizeof(text), "bascule: {include: c%d}", i + 1);
        put(f, name, text);
    }
    file_refused(f, "c0", -EINVAL, "more than 16 files");
}

static void depth_of_files(void **state)
{
    const struct folder *f = *state;
    struct conf *c;
    struct err e = {""};
    char name[32], text[64];

    for (int i = 0; i < CONF_FILES_MAX - 1; i++) {
        snprintf(name, sizeof(name), "d%d", i);
        snprintf(text, sizeof(text), "bascule: {include: d%d}", i + 1);
        put(f, name, text);
    }
    put(f, "d15", "network: {bridges: {br0: {}}}");
    if (conf_load(&c, path(f, "d0"), conf_open_file, NULL, &e))
        fail_msg("%s", e.text);
    assert_int_equal(c->n_bridges, 1);
    assert_string_equal(c->bridge->pos.file, path(f, "d15"));
    conf_free(c);
}

/* Bytes are counted over all files. */
static void too_much_in_all(void **state)
{
    const struct folder *f = *state;
    struct big b = {NULL, 0};

    add(&b, "# a line of a comment\n", 20000); /* 440 000 octets */
    add(&b, "network: {version: 2}\n", 1);
    put(f, "half1", b.text);
    put(f, "half2", b.text);
    put(f, "both", "bascule: {include: [half1, half2]}");
    file_refused(f, "both", -EINVAL, "half2:1:1: with this file more than");
    add(&b, "# a line of a comment\n", 20000);
    put(f, "large", b.text);
    file_refused(f, "large", -EINVAL, "large:1:1: ");
    free(b.text);
}

/* A pipe is read to its end; a device that never ends is not read. */
static void pipes(void **state)
{
    struct conf *c;
    struct err e = {""};
    char name[64];
    int p[2];

    (void)state;
    assert_int_equal(pipe(p), 0);
    assert_int_equal(write(p[1], "network: {bridges: {br0: {}}}", 29), 29);
    close(p[1]);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", p[0]);
    if (conf_load(&c, name, conf_open_file, NULL, &e))
        fail_msg("%s", e.text);
    assert_int_equal(c->n_bridges, 1);
    conf_free(c);
    close(p[0]);
    assert_int_equal(conf_load(&c, "/dev/zero", conf_open_file, NULL, &e),
                     -EINVAL);
    assert_non_null(strstr(e.text, "neither a file nor a pipe"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(many_lines),
        cmocka_unit_test(many_keys),
        cmocka_unit_test(deep),
        cmocka_unit_test(long_words),
        cmocka_unit_test(thousand_ports),
        cmocka_unit_test_setup_teardown(includes, folder_up, folder_down),
        cmocka_unit_test_setup_teardown(too_many_files, folder_up, folder_down),
        cmocka_unit_test_setup_teardown(depth_of_files, folder_up, folder_down),
        cmocka_unit_test_setup_teardown(too_much_in_all, folder_up,
                                        folder_down),
        cmocka_unit_test(pipes),
    };

    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
