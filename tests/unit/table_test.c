/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command table: complete, unambiguous, and brctl's help to the letter.
 */
#include "ctl/sockpath.h"
#include "ctl/table.h"
#include "switch/switch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void every_row_is_whole(void **state)
{
    (void)state;
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &command_table[i];
        const char *schema = c->params;
        struct command_param p;

        assert_true(c->name && *c->name && c->help && *c->help);
        assert_true(c->min >= 0 && (c->max == CMD_ANY || c->max >= c->min));
        while ((schema = command_param_next(schema, &p))) {
            assert_non_null(strchr("snibmvaw", p.type));
            assert_true(p.name[0]);
        }
        for (int k = 0; k < i; k++)
            assert_string_not_equal(command_table[k].name, c->name);
        if (c->flags & CMD_CLIENT)
            assert_null(command_by_method(c->name));
        /* what brctl has takes at least brctl's arguments */
        if (c->flags & CMD_BRCTL)
            assert_null(strchr(c->name, ' '));
    }
}

static void methods_have_dots(void **state)
{
    (void)state;
    assert_ptr_equal(command_by_method("fdb.show"),
                     &command_table[CMD_ID_fdb_show]);
    assert_ptr_equal(command_by_method("wait-forwarding"),
                     &command_table[CMD_ID_wait_forwarding]);
    assert_null(command_by_method("fdb show"));
    assert_null(command_by_method("fdb"));
    assert_null(command_by_method("fdb.show.x"));
    assert_null(command_by_method(""));
    for (int i = 0; i < COMMAND_COUNT; i++) {
        char method[40];
        char *blank;

        snprintf(method, sizeof(method), "%s", command_table[i].name);
        blank = strchr(method, ' ');
        if (blank)
            *blank = '.';
        if (!(command_table[i].flags & CMD_CLIENT))
            assert_ptr_equal(command_by_method(method), &command_table[i]);
    }
}

static void words_find_commands(void **state)
{
    char fdb[] = "fdb", show[] = "show", fd[] = "fd", nope[] = "nope";
    char *two[] = {fdb, show}, *one[] = {fdb}, *bad[] = {fdb, nope};
    char *brctl[] = {show, nope}, *begun[] = {fd, show}, *other[] = {nope};
    char stp[] = "stp", *stp_show[] = {stp, show}, *stp_br[] = {stp, nope};
    int used;

    (void)state;
    assert_ptr_equal(command_by_words(two, 2, &used),
                     &command_table[CMD_ID_fdb_show]);
    assert_int_equal(used, 2);
    assert_null(command_by_words(one, 1, &used));
    assert_int_equal(used, 1);
    assert_null(command_by_words(bad, 2, &used));
    assert_int_equal(used, 1);
    assert_ptr_equal(command_by_words(brctl, 2, &used),
                     &command_table[CMD_ID_show]);
    assert_int_equal(used, 1);
    assert_null(command_by_words(begun, 2, &used));
    assert_int_equal(used, 0);
    assert_null(command_by_words(other, 1, &used));
    assert_null(command_by_words(other, 0, &used));
    assert_ptr_equal(command_by_words(stp_show, 2, &used),
                     &command_table[CMD_ID_stp_show]);
    assert_int_equal(used, 2);
    assert_ptr_equal(command_by_words(stp_br, 2, &used),
                     &command_table[CMD_ID_stp]);
    assert_int_equal(used, 1);
    assert_ptr_equal(command_by_words(stp_show, 1, &used), /* brctl's */
                     &command_table[CMD_ID_stp]);
}

static char *printed(void (*print)(const struct command *c, FILE *out),
                     const struct command *c)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    print(c, f);
    fclose(f);
    return text;
}

static void all_help(const struct command *c, FILE *out)
{
    (void)c;
    command_brctl_help(out);
}

static void brctl_help_to_the_letter(void **state)
{
    static const char want[] =
        "Usage: brctl [commands]\n"
        "commands:\n"
        "\taddbr     \t<bridge>\t\tadd bridge\n"
        "\tdelbr     \t<bridge>\t\tdelete bridge\n"
        "\taddif     \t<bridge> <device>\tadd interface to bridge\n"
        "\tdelif     \t<bridge> <device>\tdelete interface from bridge\n"
        "\thairpin   \t<bridge> <port> {on|off}\tturn hairpin on/off\n"
        "\tsetageing \t<bridge> <time>\t\tset ageing time\n"
        "\tsetbridgeprio\t<bridge> <prio>\t\tset bridge priority\n"
        "\tsetfd     \t<bridge> <time>\t\tset bridge forward delay\n"
        "\tsethello  \t<bridge> <time>\t\tset hello time\n"
        "\tsetmaxage \t<bridge> <time>\t\tset max message age\n"
        "\tsetpathcost\t<bridge> <port> <cost>\tset path cost\n"
        "\tsetportprio\t<bridge> <port> <prio>\tset port priority\n"
        "\tshow      \t[ <bridge> ]\t\tshow a list of bridges\n"
        "\tshowmacs  \t<bridge>\t\tshow a list of mac addrs\n"
        "\tshowstp   \t<bridge>\t\tshow bridge stp info\n"
        "\tstp       \t<bridge> {on|off}\tturn stp on/off\n";
    char *text = printed(all_help, NULL);

    (void)state;
    assert_string_equal(text, want);
    free(text);
    text = printed(command_brctl_usage, &command_table[CMD_ID_setpathcost]);
    assert_string_equal(text,
                        "Incorrect number of arguments for command\n"
                        "Usage: brctl setpathcost <bridge> <port> <cost>\t"
                        "set path cost\n");
    free(text);
}

static void parameters_by_name(void **state)
{
    (void)state;
    assert_int_equal(param_find(bridge_param_names, "ageing"), 0);
    assert_int_equal(param_find(bridge_param_names, "group-fwd-mask"), 6);
    assert_int_equal(param_find(port_param_names, "hairpin"), 2);
    assert_int_equal(param_find(port_param_names, ""), -1);
    assert_int_equal(param_find(port_param_names, "ageing"), -1);
    assert_int_equal(param_find(bridge_param_names, "recovery"),
                     BRIDGE_RECOVERY);
    assert_null(bridge_param_names[BRIDGE_PARAMS].name);
    assert_int_equal(param_find(port_param_names, "assurance"),
                     BPORT_ASSURANCE);
    assert_null(port_param_names[BPORT_PARAMS].name);
}

static void parameters_that_are_words(void **state)
{
    const struct param_name *version =
        &bridge_param_names[BRIDGE_FORCE_VERSION];
    uint32_t v = 7;

    (void)state;
    assert_string_equal(param_word(version, 2), "rstp");
    assert_string_equal(param_word(version, 1), "?");
    assert_true(param_word_value(version, "stp", &v) && v == 0);
    assert_false(param_word_value(version, "st", &v));
    assert_true(param_word_value(&port_param_names[BPORT_P2P], "auto", &v));
    assert_int_equal(v, 2);
    for (int i = 0; i < (int)BRIDGE_PARAMS; i++)
        if (bridge_param_names[i].unit == UNIT_WORD)
            assert_string_not_equal(
                param_word(&bridge_param_names[i], bridge_default(i)), "?");
}

static void socket_path_by_rule(void **state)
{
    struct sockaddr_un a;
    struct err e = {""};
    char longest[200];

    (void)state;
    unsetenv("BASCULE_SOCKET");
    assert_int_equal(sockpath_resolve("/x/y", &a, &e), 0);
    assert_string_equal(a.sun_path, "/x/y");
    setenv("BASCULE_SOCKET", "/e", 1);
    assert_int_equal(sockpath_resolve(NULL, &a, &e), 0);
    assert_string_equal(a.sun_path, "/e");
    assert_int_equal(sockpath_resolve("/x", &a, &e), 0);
    assert_string_equal(a.sun_path, "/x");
    unsetenv("BASCULE_SOCKET");
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(sockpath_resolve(longest, &a, &e), -ENAMETOOLONG);
    assert_non_null(strstr(e.text, "characters"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(methods_have_dots),
        cmocka_unit_test(words_find_commands),
        cmocka_unit_test(brctl_help_to_the_letter),
        cmocka_unit_test(parameters_that_are_words),
        cmocka_unit_test(parameters_by_name),
        cmocka_unit_test(socket_path_by_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
