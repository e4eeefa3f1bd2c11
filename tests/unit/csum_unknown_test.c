/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of which nobody said whether their checksum is complete: what was
 * left undone is done, what is right stays as it is, and what is wrong stays
 * wrong.  Checked octet by octet against checksums made here, the slow way.
 */
#include "ports/offload.h"
#include "ports/settle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ROUNDS 20000

enum { TCP = 6, UDP = 17, SCTP = 132, ICMP = 1 };

static uint64_t seed;
static struct arena arena;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(seed >> 33) % below;
}

/* ---- frames ---- */

struct made {
    uint8_t at[FRAME_LEN_MAX + 256];
    uint32_t n;
    uint32_t trans, field, payload, end;
    uint8_t proto;
    bool ip6;
};

struct shape {
    unsigned tags, extra, payload, padding;
    uint8_t proto;
    bool ip6;
    uint16_t frag; /* IPv4: flags and offset */
};

static void be(struct made *m, uint32_t v, unsigned octets)
{
    while (octets--)
        m->at[m->n++] = (uint8_t)(v >> (8 * octets));
}

static uint32_t slow_sum(uint32_t sum, const uint8_t *at, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        sum += (uint32_t)at[i] << (i % 2 ? 0 : 8);
        if (sum > 0xffff)
            sum = (sum & 0xffff) + 1;
    }
    return sum;
}

static void network(struct made *m, const struct shape *s, uint32_t len)
{
    uint32_t left = s->extra;

    if (!s->ip6) {
        be(m, 0x45 + s->extra / 4, 1);
        be(m, 0, 1);
        be(m, 20 + s->extra + len, 2);
        be(m, 7, 2);
        be(m, s->frag, 2);
        be(m, 64 << 8 | s->proto, 2);
        be(m, 0x1234, 2);
        for (int i = 0; i < 8; i++)
            be(m, rnd(256), 1);
        for (unsigned i = 0; i < s->extra; i++)
            be(m, 1, 1);
        return;
    }
    be(m, 0x60000000, 4);
    be(m, s->extra + len, 2);
    be(m, left ? 60 : s->proto, 1);
    be(m, 64, 1);
    for (int i = 0; i < 32; i++)
        be(m, rnd(256), 1);
    for (; left; left -= 8) {
        be(m, left > 8 ? 0 : s->proto, 1);
        be(m, 0, 1);
        be(m, 0x01040000, 4);
        be(m, 0, 2);
    }
}

/* Headers and a payload of random octets; the checksum field is zero. */
static void make(struct made *m, const struct shape *s)
{
    static const unsigned hlen[] = {
        [TCP] = 20, [UDP] = 8, [SCTP] = 12, [ICMP] = 8};
    static const unsigned field[] = {
        [TCP] = 16, [UDP] = 6, [SCTP] = 8, [ICMP] = 2};
    unsigned h = hlen[s->proto];

    *m = (struct made){.proto = s->proto, .ip6 = s->ip6};
    for (int i = 0; i < 12; i++)
        be(m, 2, 1);
    for (unsigned i = 0; i < s->tags; i++)
        be(m, i ? 0x81000005 : 0x88a80007, 4);
    be(m, s->ip6 ? 0x86dd : 0x0800, 2);
    network(m, s, h + s->payload);
    m->trans = m->n;
    m->field = m->trans + field[s->proto];
    m->payload = m->trans + h;
    for (unsigned i = 0; i < h; i++)
        be(m, rnd(256), 1);
    if (s->proto == TCP)
        m->at[m->trans + 12] = 0x50;
    memset(m->at + m->field, 0, s->proto == SCTP ? 4 : 2);
    for (unsigned i = 0; i < s->payload; i++)
        be(m, rnd(256), 1);
    m->end = m->n;
    for (unsigned i = 0; i < s->padding; i++)
        be(m, 0, 1);
}

static uint32_t pseudo(const struct made *m)
{
    uint32_t len = m->end - m->trans;
    const uint8_t tail[] = {(uint8_t)(len >> 8), (uint8_t)len, 0, m->proto};
    uint32_t n = m->ip6 ? 32 : 8, net = 14, extra;

    while (m->at[net - 2] == 0x88 || m->at[net - 2] == 0x81)
        net += 4;
    extra = m->ip6 ? 8 : 12;
    return slow_sum(slow_sum(0, m->at + net + extra, n), tail, 4);
}

static void set_field(struct made *m, uint32_t v)
{
    m->at[m->field] = (uint8_t)(v >> 8);
    m->at[m->field + 1] = (uint8_t)v;
}

/* What the field should be when all is done. */
static uint32_t right_sum(const struct made *m)
{
    uint32_t v, sum = pseudo(m);
    uint8_t field[2];

    memcpy(field, m->at + m->field, 2);
    v = slow_sum(sum, m->at + m->trans, m->end - m->trans);
    v = slow_sum(v, (uint8_t[]){(uint8_t)~field[0], (uint8_t)~field[1]}, 2);
    v = ~v & 0xffff;
    return v == 0 && m->proto == UDP ? 0xffff : v;
}

static struct frame frame_of(struct made *m, unsigned segs)
{
    struct frame f = {.len = m->n, .nseg = 1, .csum = CSUM_UNKNOWN};
    uint32_t head = m->n;

    if (segs > 1 && m->n > 200)
        head = 128 + rnd(m->n - 130);
    f.seg[0] = (struct iovec){m->at, head};
    if (head < m->n)
        f.seg[f.nseg++] = (struct iovec){m->at + head, m->n - head};
    return f;
}

/* The frame as a port without offloads gets it; its octets in 'out'. */
static void as_sent(const struct frame *f, uint8_t *out)
{
    struct frame piece;
    enum port_reason why;
    size_t n = 0;

    arena.used = 0;
    assert_int_equal(offload_plain(f, false, &piece, 1, &arena, &why), 1);
    assert_int_equal(piece.csum, CSUM_COMPLETE);
    assert_int_equal(piece.len, f->len);
    for (unsigned i = 0; i < piece.nseg; i++) {
        memcpy(out + n, piece.seg[i].iov_base, piece.seg[i].iov_len);
        n += piece.seg[i].iov_len;
    }
    assert_int_equal(n, f->len);
}

static struct shape random_shape(void)
{
    static const uint8_t proto[] = {TCP, UDP, TCP, UDP, ICMP};
    struct shape s = {.tags = rnd(3),
                      .ip6 = rnd(2),
                      .proto = proto[rnd(5)],
                      .payload = rnd(4) ? rnd(1400) : rnd(4),
                      .padding = rnd(3) ? 0 : rnd(40)};

    s.extra = rnd(3) ? 0 : (s.ip6 ? 8 * (1 + rnd(3)) : 4 * (1 + rnd(10)));
    return s;
}

/* ---- tests ---- */

enum form { LEFT_UNDONE, DONE, WRONG, FORMS };

static bool has_checksum(const struct made *m)
{
    return m->proto == TCP || m->proto == UDP;
}

static void prepare(struct made *m, enum form form)
{
    uint32_t right = right_sum(m), half = pseudo(m), v;

    if (form == LEFT_UNDONE) {
        set_field(m, half);
    } else if (form == DONE) {
        set_field(m, right);
    } else {
        do
            v = rnd(0x10000);
        while (v == half || v == right);
        set_field(m, v);
    }
}

static void each_form_is_told(void **state)
{
    static struct made m;
    static uint8_t sent[sizeof(m.at)];

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct shape s = random_shape();
        enum form form = rnd(FORMS);
        struct frame f;
        uint32_t right;

        make(&m, &s);
        right = right_sum(&m);
        prepare(&m, form);
        f = frame_of(&m, 1 + rnd(2));
        as_sent(&f, sent);
        if (form == LEFT_UNDONE && has_checksum(&m)) {
            assert_int_equal(sent[m.field] << 8 | sent[m.field + 1], right);
            memcpy(sent + m.field, m.at + m.field, 2);
        }
        assert_memory_equal(sent, m.at, m.n); /* nothing else has changed */
    }
}

static void settling_says_what_it_found(void **state)
{
    static struct made m;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct shape s = random_shape();
        enum form form = rnd(FORMS);
        struct frame f;

        make(&m, &s);
        prepare(&m, form);
        f = frame_of(&m, 1 + rnd(2));
        settle(&f);
        if (form == WRONG || (form == LEFT_UNDONE && !has_checksum(&m)))
            assert_int_equal(f.csum, CSUM_COMPLETE);
        if (form == LEFT_UNDONE && has_checksum(&m)) {
            assert_int_equal(f.csum, CSUM_PARTIAL);
            assert_int_equal(f.vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
            assert_int_equal(f.vnet.csum_start, m.trans);
            assert_int_equal(f.vnet.csum_start + f.vnet.csum_offset, m.field);
        } else if (f.csum == CSUM_COMPLETE) {
            assert_int_equal(f.vnet.flags, 0);
            assert_int_equal(f.vnet.csum_start, 0);
        }
    }
}

/* A finished checksum that looks unfinished: completing it changes nothing. */
static void a_coincidence_does_no_harm(void **state)
{
    static struct made m;
    static uint8_t sent[sizeof(m.at)];
    unsigned seen = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct shape s = {
            .proto = i % 2 ? TCP : UDP, .payload = 100, .ip6 = rnd(2)};
        struct frame f;
        uint32_t want;

        make(&m, &s);
        /* choose the payload's last word so that right_sum() == pseudo() */
        memset(m.at + m.end - 2, 0, 2);
        want = pseudo(&m);
        set_field(&m, 0);
        want = slow_sum(right_sum(&m),
                        (uint8_t[]){(uint8_t) ~(want >> 8), (uint8_t)~want}, 2);
        m.at[m.end - 2] = (uint8_t)(want >> 8);
        m.at[m.end - 1] = (uint8_t)want;
        if (right_sum(&m) != pseudo(&m))
            continue; /* the two zeros of one's complement */
        seen++;
        set_field(&m, right_sum(&m));
        f = frame_of(&m, 1);
        as_sent(&f, sent);
        assert_memory_equal(sent, m.at, m.n);
    }
    assert_true(seen > 150);
}

static void fragments_and_torsos_are_left_alone(void **state)
{
    static const uint16_t frag[] = {0x2000, 0x0001, 0x20ff};
    static struct made m;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct shape s = {.proto = UDP, .payload = 64, .frag = frag[i]};
        struct frame f;

        make(&m, &s);
        set_field(&m, pseudo(&m));
        f = frame_of(&m, 1);
        settle(&f);
        assert_int_equal(f.csum, CSUM_COMPLETE);
    }
    for (int ip6 = 0; ip6 < 2; ip6++) {
        struct shape s = {.proto = TCP, .payload = 40, .ip6 = ip6, .tags = 1};

        make(&m, &s);
        set_field(&m, pseudo(&m));
        for (uint32_t n = m.n - 1; n >= FRAME_ETH_HLEN; n--) {
            uint8_t *exact = malloc(n);
            struct frame f = {
                .seg = {{exact, n}}, .nseg = 1, .len = n, .csum = CSUM_UNKNOWN};

            memcpy(exact, m.at, n);
            settle(&f); /* shorter than IP says */
            assert_int_equal(f.csum, CSUM_COMPLETE);
            free(exact);
        }
    }
}

static void padding_that_would_count_forbids_it(void **state)
{
    static struct made m;
    struct shape s = {.proto = TCP, .payload = 3, .padding = 10};
    struct frame f;

    (void)state;
    make(&m, &s);
    set_field(&m, pseudo(&m));
    f = frame_of(&m, 1);
    settle(&f);
    assert_int_equal(f.csum, CSUM_PARTIAL);
    m.at[m.n - 1] = 1;
    f = frame_of(&m, 1);
    settle(&f);
    assert_int_equal(f.csum, CSUM_COMPLETE);
    s = (struct shape){.proto = SCTP, .payload = 4, .padding = 6};
    make(&m, &s); /* a CRC sees zeros, too */
    f = frame_of(&m, 1);
    settle(&f);
    assert_int_equal(f.csum, CSUM_COMPLETE);
}

static uint32_t crc32c(const uint8_t *at, size_t n)
{
    uint32_t crc = ~0U;

    for (; n--; at++)
        for (int bit = 0; bit < 8; bit++)
            crc =
                crc >> 1 ^ ((crc ^ (uint32_t)*at >> bit) & 1 ? 0x82f63b78 : 0);
    return ~crc;
}

static void sctp_with_zero_gets_its_crc(void **state)
{
    static struct made m;
    static uint8_t sent[sizeof(m.at)];

    (void)state;
    for (int i = 0; i < 100; i++) {
        struct shape s = {.proto = SCTP,
                          .payload = 4 * (1 + rnd(50)),
                          .ip6 = rnd(2),
                          .tags = rnd(2)};
        struct frame f;
        uint32_t crc, got;

        make(&m, &s);
        crc = crc32c(m.at + m.trans, m.n - m.trans);
        f = frame_of(&m, 1);
        as_sent(&f, sent);
        memcpy(&got, sent + m.field, 4);
        assert_int_equal(got, crc);
        m.at[m.field + 3] = 9; /* wrong, but somebody's */
        f = frame_of(&m, 1);
        as_sent(&f, sent);
        assert_memory_equal(sent, m.at, m.n);
    }
}

/* ---- super-frames ---- */

static void check_pieces(const struct made *m, const struct frame *f,
                         uint32_t mtu, uint32_t most)
{
    static struct frame piece[OFFLOAD_PIECES_MAX];
    enum port_reason why;
    uint32_t hlen = m->payload, total = 0;
    unsigned n;

    arena.used = 0;
    n = offload_plain(f, false, piece, OFFLOAD_PIECES_MAX, &arena, &why);
    assert_true(n > 1);
    for (unsigned i = 0; i < n; i++) {
        uint32_t len = piece[i].len - hlen;

        assert_true(len <= most);
        assert_true(offload_mtu_ok(&piece[i], mtu));
        if (i + 1 < n)
            assert_int_equal(len, most);
        total += len;
    }
    assert_int_equal(total, m->end - m->payload);
}

static void long_tcp_is_cut_by_the_mtu(void **state)
{
    static struct made m;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct shape s = {.proto = TCP, .ip6 = rnd(2), .tags = rnd(3)};
        uint32_t mtu = 576 + rnd(9000), mss = rnd(2) ? 0 : 500 + rnd(2000);
        uint32_t headers = (s.ip6 ? 40 : 20) + 20, most = mtu - headers;
        enum port_reason why = PORT_REASON_COUNT;
        struct frame f;

        s.payload = most + 1 + rnd(65000 - mtu);
        if (mss && mss < most)
            most = mss;
        if (s.payload > most * OFFLOAD_PIECES_MAX)
            s.payload = most * OFFLOAD_PIECES_MAX;
        make(&m, &s);
        if (m.n <= mtu + 14 + 4 * s.tags)
            continue; /* cut down for the mss: it fits */
        set_field(&m, pseudo(&m));
        f = frame_of(&m, 1 + rnd(2));
        assert_true(settle_super(&f, mtu, mss, &why));
        assert_int_equal(f.csum, CSUM_PARTIAL);
        assert_int_equal(f.vnet.gso_size, most);
        assert_true(offload_describes(&f));
        assert_true(frame_vnet_check(&f, &why));
        check_pieces(&m, &f, mtu, most);
    }
}

static void what_cannot_be_cut_is_refused(void **state)
{
    static struct made m;
    static const struct {
        struct shape s;
        bool done; /* the checksum */
    } bad[] = {
        {{.proto = UDP, .payload = 3000}, false},
        {{.proto = UDP, .payload = 3000}, true},
        {{.proto = ICMP, .payload = 3000}, true},
        {{.proto = SCTP, .payload = 3000}, false},
        {{.proto = TCP, .payload = 3000}, true},
        {{.proto = TCP, .payload = 3000, .frag = 0x2000}, false},
        {{.proto = TCP, .payload = 3000, .padding = 4}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        enum port_reason why = PORT_REASON_COUNT;
        struct frame f;

        make(&m, &bad[i].s);
        set_field(&m, bad[i].done ? right_sum(&m) : pseudo(&m));
        f = frame_of(&m, 1);
        assert_false(settle_super(&f, 1500, 0, &why));
        assert_int_equal(why, PORT_REASON_RX_UNDESCRIBED);
    }
}

static void what_fits_waits_for_its_time(void **state)
{
    static struct made m;
    struct shape s = {.proto = UDP, .payload = 1472, .tags = 2};
    enum port_reason why;
    struct frame f;

    (void)state;
    make(&m, &s);
    f = frame_of(&m, 1);
    assert_int_equal(f.len, 1500 + 14 + 8);
    assert_true(settle_super(&f, 1500, 0, &why));
    assert_int_equal(f.csum, CSUM_UNKNOWN);
    f.csum = CSUM_COMPLETE; /* somebody knew: it stays so */
    set_field(&m, pseudo(&m));
    settle(&f);
    assert_int_equal(f.csum, CSUM_COMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_told),
        cmocka_unit_test(settling_says_what_it_found),
        cmocka_unit_test(a_coincidence_does_no_harm),
        cmocka_unit_test(fragments_and_torsos_are_left_alone),
        cmocka_unit_test(padding_that_would_count_forbids_it),
        cmocka_unit_test(sctp_with_zero_gets_its_crc),
        cmocka_unit_test(long_tcp_is_cut_by_the_mtu),
        cmocka_unit_test(what_cannot_be_cut_is_refused),
        cmocka_unit_test(what_fits_waits_for_its_time),
    };

    const char *given = getenv("SEED");

    alarm(230); /* tests/run ends it at 240 */
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%llu\n", (unsigned long long)seed);
    if (arena_init(&arena, 4U << 20))
        return 1;
    return cmocka_run_group_tests_name("csum_unknown", tests, NULL, NULL);
}
