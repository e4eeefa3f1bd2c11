/* SPDX-License-Identifier: BSD-2-Clause */
/* switch/stp/bpdu: octets to BPDUs and back, and what is none. */
#include "switch/stp/bpdu.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pcap/pcap.h>

static const struct mac src = {{0x02, 0, 0, 0, 0, 7}};

static const struct bpdu sample = {
    .version = 2,
    .type = BPDU_RST,
    .flags = BPDU_TC | BPDU_PROPOSAL | BPDU_ROLE_DESIGNATED << BPDU_ROLE_SHIFT |
             BPDU_LEARNING,
    .vector = {.root = 0x1122334455667788,
               .cost = 0x99aabbcc,
               .bridge = 0xddeeff0011223344,
               .port = 0x5566},
    .times = {.message_age = 0x0102,
              .max_age = 0x1403,
              .hello = 0x0204,
              .forward_delay = 0x0f05}};

/* ---- round trips ---- */

static void assert_same(const struct bpdu *a, const struct bpdu *b)
{
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(stp_vector_compare(&a->vector, &b->vector), 0);
    assert_true(stp_times_same(&a->times, &b->times));
}

static void round_trip(const struct bpdu *b)
{
    uint8_t frame[BPDU_FRAME_LEN];
    struct bpdu back;

    bpdu_encode(b, &src, frame);
    assert_int_equal(bpdu_decode(&back, frame, sizeof(frame)), BPDU_OK);
    assert_same(b, &back);
}

static void all_kinds_return(void **state)
{
    struct bpdu tcn = {.type = BPDU_TCN}, config = sample;

    (void)state;
    round_trip(&sample);
    round_trip(&tcn);
    config.type = BPDU_CONFIG;
    config.version = 0;
    for (unsigned flags = 0; flags < 256; flags++) {
        config.flags = (uint8_t)flags;
        round_trip(&config);
    }
}

/* Every field stands where the standard has it (9.3.3). */
static void octets_of_an_rst(void **state)
{
    static const uint8_t want[BPDU_FRAME_LEN] = {
        0x01, 0x80, 0xc2, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00,
        0x07, 0x00, 0x27, 0x42, 0x42, 0x03, 0x00, 0x00, 0x02, 0x02, 0x1f,
        0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
        0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
        0x01, 0x02, 0x14, 0x03, 0x02, 0x04, 0x0f, 0x05, 0x00};
    uint8_t frame[BPDU_FRAME_LEN];

    (void)state;
    memset(frame, 0xff, sizeof(frame));
    bpdu_encode(&sample, &src, frame);
    assert_memory_equal(frame, want, sizeof(frame));
}

/* Each bit of a frame's BPDU part is some field's, and no two share one. */
static void every_bit_counts(void **state)
{
    uint8_t frame[BPDU_FRAME_LEN];
    struct bpdu first, other;

    (void)state;
    bpdu_encode(&sample, &src, frame);
    assert_int_equal(bpdu_decode(&first, frame, sizeof(frame)), BPDU_OK);
    for (unsigned bit = 21 * 8; bit < 52 * 8; bit++) {
        uint8_t again[BPDU_FRAME_LEN];

        frame[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        assert_int_equal(bpdu_decode(&other, frame, sizeof(frame)), BPDU_OK);
        assert_false(first.flags == other.flags &&
                     stp_times_same(&first.times, &other.times) &&
                     stp_vector_compare(&first.vector, &other.vector) == 0);
        bpdu_encode(&other, &src, again);
        assert_memory_equal(frame, again, sizeof(frame));
        frame[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
    }
}

static void mst_begins_as_rst(void **state)
{
    uint8_t frame[200] = {0};
    struct bpdu b, mst = sample;

    (void)state;
    mst.version = 3;
    bpdu_encode(&mst, &src, frame);
    frame[13] = 3 + 102; /* version 3 length and one region's part */
    assert_int_equal(bpdu_decode(&b, frame, 14 + 3 + 102), BPDU_OK);
    assert_same(&b, &mst);
}

/* ---- what is no BPDU ---- */

/* The first n octets, with a length field that is right or left as it was. */
static enum bpdu_bad cut(const struct bpdu *b, size_t n, bool right)
{
    uint8_t frame[BPDU_FRAME_LEN], *exact = malloc(n ? n : 1);
    enum bpdu_bad bad;
    struct bpdu back;

    assert_non_null(exact);
    bpdu_encode(b, &src, frame);
    if (right && n >= 14)
        frame[13] = (uint8_t)(n - 14);
    memcpy(exact, frame, n);
    bad = bpdu_decode(&back, exact, n);
    free(exact);
    return bad;
}

static void too_short(void **state)
{
    static const struct bpdu tcn = {.type = BPDU_TCN};
    struct bpdu config = sample;

    (void)state;
    config.type = BPDU_CONFIG;
    config.version = 0;
    for (size_t n = 0; n <= BPDU_FRAME_LEN; n++) {
        assert_int_equal(cut(&sample, n, true),
                         n < 14 + 3 + 36 ? BPDU_BAD_SHORT : BPDU_OK);
        assert_int_equal(cut(&config, n, true),
                         n < 14 + 3 + 35 ? BPDU_BAD_SHORT : BPDU_OK);
        assert_int_equal(cut(&tcn, n, true),
                         n < 14 + 3 + 4 ? BPDU_BAD_SHORT : BPDU_OK);
        assert_int_equal(cut(&sample, n, false), n < 14        ? BPDU_BAD_SHORT
                                                 : n < 14 + 39 ? BPDU_BAD_LENGTH
                                                               : BPDU_OK);
    }
}

/* One octet is another, and so it is bad. */
static enum bpdu_bad with(unsigned at, uint8_t octet)
{
    uint8_t frame[BPDU_FRAME_LEN];
    struct bpdu b;

    bpdu_encode(&sample, &src, frame);
    frame[at] = octet;
    return bpdu_decode(&b, frame, sizeof(frame));
}

static void wrong_octets(void **state)
{
    (void)state;
    assert_int_equal(with(14, 0xaa), BPDU_BAD_LLC);
    assert_int_equal(with(15, 0x43), BPDU_BAD_LLC);
    assert_int_equal(with(16, 0x13), BPDU_BAD_LLC);
    assert_int_equal(with(17, 1), BPDU_BAD_PROTOCOL);
    assert_int_equal(with(18, 1), BPDU_BAD_PROTOCOL);
    assert_int_equal(with(19, 0), BPDU_BAD_TYPE); /* version 0 has no RST */
    assert_int_equal(with(19, 1), BPDU_BAD_TYPE);
    assert_int_equal(with(19, 4), BPDU_OK); /* SPT BPDUs begin so, too */
    for (unsigned type = 0; type < 256; type++)
        assert_int_equal(
            with(20, (uint8_t)type),
            type == 0 || type == 2 || type == 0x80 ? BPDU_OK : BPDU_BAD_TYPE);
    assert_int_equal(with(12, 0x08), BPDU_BAD_LLC); /* an EtherType */
    assert_int_equal(with(13, 47), BPDU_BAD_LENGTH);
    assert_int_equal(with(13, 46), BPDU_OK);
    assert_int_equal(with(13, 38), BPDU_BAD_SHORT);
    assert_int_equal(with(13, 2), BPDU_BAD_SHORT);
    assert_int_equal(with(13, 0), BPDU_BAD_SHORT);
}

static void bad_has_names(void **state)
{
    (void)state;
    for (int i = 0; i < BPDU_BAD_COUNT; i++) {
        assert_true(strlen(bpdu_bad_name((enum bpdu_bad)i)) > 1);
        assert_true(strlen(bpdu_bad_text((enum bpdu_bad)i)) > 5);
    }
    assert_string_equal(bpdu_bad_name(BPDU_OK), "ok");
    assert_string_equal(bpdu_bad_name(BPDU_BAD_LLC), "llc");
    assert_string_equal(bpdu_bad_name(BPDU_BAD_COUNT), "?");
    assert_string_equal(bpdu_bad_text(BPDU_BAD_COUNT), "?");
}

/* ---- order, times ---- */

static void vectors_compare(void **state)
{
    struct stp_vector a = {.root = 2, .cost = 2, .bridge = 2, .port = 2}, b = a;

    (void)state;
    assert_int_equal(stp_vector_compare(&a, &b), 0);
    b.port = 0xffff;
    assert_true(stp_vector_compare(&a, &b) < 0);
    assert_true(stp_vector_compare(&b, &a) > 0);
    b.bridge = 1;
    assert_true(stp_vector_compare(&b, &a) < 0);
    b.cost = UINT32_MAX;
    assert_true(stp_vector_compare(&b, &a) > 0);
    b.root = 1;
    assert_true(stp_vector_compare(&b, &a) < 0);
    b.root = UINT64_MAX;
    assert_true(stp_vector_compare(&b, &a) > 0);
}

static void times_convert(void **state)
{
    (void)state;
    assert_int_equal(stp_time_from_cs(200), 512);
    assert_int_equal(stp_time_from_cs(1), 3);
    assert_int_equal(stp_time_from_cs(100000), UINT16_MAX);
    for (uint32_t cs = 0; cs <= 25599; cs++)
        assert_int_equal(stp_time_to_cs(stp_time_from_cs(cs)), cs);
}

/* ---- words ---- */

static void said_in_words(void **state)
{
    struct bpdu tcn = {.type = BPDU_TCN}, b = sample;
    char text[BPDU_TEXT_MAX], id[STP_ID_TEXT_MAX];

    (void)state;
    assert_string_equal(stp_id_format(0x80000200deadbeefULL, id),
                        "8000.0200deadbeef");
    assert_string_equal(bpdu_format(&tcn, text), "TCN");
    b.flags |= BPDU_FORWARDING | BPDU_AGREEMENT | BPDU_TC_ACK;
    b.times = (struct stp_times){256, 5120, 512, 3840};
    assert_string_equal(
        bpdu_format(&b, text),
        "RST, designated, proposal, agreement, learning, forwarding, topology "
        "change, acknowledgment: root 1122.334455667788 cost 2578103244, from "
        "ddee.ff0011223344 port 5566; age 1.00 of 20.00 s, hello 2.00, delay "
        "15.00");
    b.version = 3;
    b.flags = 0;
    assert_memory_equal(bpdu_format(&b, text), "MST, unknown role: root ", 24);
    b.type = BPDU_CONFIG;
    assert_memory_equal(bpdu_format(&b, text), "Config: root ", 13);
    /* The longest there is. */
    b = (struct bpdu){.version = 255, .type = BPDU_RST, .flags = 0xf7};
    memset(&b.vector, 0xff, sizeof(b.vector));
    memset(&b.times, 0xff, sizeof(b.times));
    assert_true(strlen(bpdu_format(&b, text)) < BPDU_TEXT_MAX - 1);
    assert_non_null(strstr(text, "delay 256.00"));
}

/* ---- from the wire ---- */

/*
 * What two others send: the Linux bridge's STP (a root's Configuration BPDU,
 * 38 octets behind the length field), and Open vSwitch's RSTP.
 */
static void known_frames(void **state)
{
    static const uint8_t linux_config[] = {
        0x01, 0x80, 0xc2, 0x00, 0x00, 0x00, 0x52, 0x54, 0x00, 0x12, 0x34,
        0x56, 0x00, 0x26, 0x42, 0x42, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x80, 0x00, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x00, 0x00, 0x00,
        0x00, 0x80, 0x00, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x80, 0x01,
        0x00, 0x00, 0x14, 0x00, 0x02, 0x00, 0x0f, 0x00};
    static const uint8_t linux_tcn[] = {
        0x01, 0x80, 0xc2, 0x00, 0x00, 0x00, 0x52, 0x54, 0x00, 0x12, 0x34,
        0x56, 0x00, 0x07, 0x42, 0x42, 0x03, 0x00, 0x00, 0x00, 0x80};
    struct bpdu b;

    (void)state;
    assert_int_equal(bpdu_decode(&b, linux_config, sizeof(linux_config)),
                     BPDU_OK);
    assert_int_equal(b.type, BPDU_CONFIG);
    assert_true(b.vector.root == 0x8000525400123456ULL);
    assert_int_equal(b.vector.port, 0x8001);
    assert_int_equal(b.times.hello, 2 * STP_SECOND);
    assert_int_equal(bpdu_decode(&b, linux_tcn, sizeof(linux_tcn)), BPDU_OK);
    assert_int_equal(b.type, BPDU_TCN);
}

/* As captured: good, and the same when we write them. */
static void check_captured(const char *path)
{
    char why[PCAP_ERRBUF_SIZE];
    pcap_t *in = pcap_open_offline(path, why);
    struct pcap_pkthdr *h;
    const uint8_t *frame;
    unsigned good = 0;

    if (!in)
        fail_msg("%s: %s", path, why);
    while (pcap_next_ex(in, &h, &frame) == 1) {
        uint8_t again[BPDU_FRAME_LEN] = {0};
        struct bpdu b;
        struct mac from;
        enum bpdu_bad bad;

        if (h->caplen < 14 || memcmp(frame, "\x01\x80\xc2\0\0\0", 6) != 0)
            continue;
        bad = bpdu_decode(&b, frame, h->caplen);
        if (bad != BPDU_OK)
            fail_msg("%s: %s", path, bpdu_bad_text(bad));
        good++;
        memcpy(&from, frame + 6, sizeof(from));
        bpdu_encode(&b, &from, again);
        /* Open vSwitch's Configuration BPDUs are an octet too long. */
        assert_true(again[13] <= frame[13]);
        assert_memory_equal(again, frame, 12);
        assert_memory_equal(again + 14, frame + 14, again[13]);
    }
    pcap_close(in);
    if (!good)
        fail_msg("%s: no BPDU in it", path);
}

static void captured_frames(void **state)
{
    static const char dir[] = "tests/fixtures/bpdu";
    DIR *d = opendir(dir);
    unsigned files = 0;

    (void)state;
    for (const struct dirent *e; d && (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        char path[512];

        if (n < 6 || strcmp(e->d_name + n - 5, ".pcap") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        check_captured(path);
        files++;
    }
    if (d)
        closedir(d);
    if (!files)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds_return),  cmocka_unit_test(octets_of_an_rst),
        cmocka_unit_test(every_bit_counts),  cmocka_unit_test(too_short),
        cmocka_unit_test(mst_begins_as_rst), cmocka_unit_test(wrong_octets),
        cmocka_unit_test(bad_has_names),     cmocka_unit_test(vectors_compare),
        cmocka_unit_test(times_convert),     cmocka_unit_test(said_in_words),
        cmocka_unit_test(known_frames),      cmocka_unit_test(captured_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
