/* SPDX-License-Identifier: BSD-2-Clause */
/* The mem kind through the port contract and from its other end. */
#include "ports/mem.h"

#include <ev.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FRAMES 64

/* ---- a port, its loop and a batch to receive into ---- */

struct rig {
    struct port *port;
    struct ev_loop *loop;
    struct port_queue q[PORT_QUEUES_MAX + 1];
    unsigned ready[PORT_QUEUES_MAX + 1];
    struct arena arena;
    struct frame frame[FRAMES];
    struct batch b;
    unsigned events[PORT_EVENT_READY + 1];
    char last[160];
};

static void on_event(struct port *p, enum port_event ev, const char *reason)
{
    struct rig *r = p->owner;

    r->events[ev]++;
    snprintf(r->last, sizeof(r->last), "%s", reason);
}

static void on_ready(struct port_queue *q)
{
    struct rig *r = q->port->owner;

    r->ready[q->index]++;
    ev_break(r->loop, EVBREAK_ONE);
}

static struct port *try_new(const char *text, int *rc, struct err *e)
{
    struct port_spec s;

    *rc = port_spec_parse(&s, text, e);
    return *rc ? NULL : port_new(&s, rc, e);
}

/* Opens mem:a with 'keys' (",mtu=..."), all queues attached. */
static struct rig *rig_new(const char *keys)
{
    struct rig *r = calloc(1, sizeof(*r));
    char text[200];
    struct err e;
    int rc;

    snprintf(text, sizeof(text), "mem:a%s", keys);
    r->loop = ev_loop_new(EVBACKEND_EPOLL);
    r->port = try_new(text, &rc, &e);
    assert_non_null(r->port);
    r->port->owner = r;
    r->port->event = on_event;
    r->port->n_txctx = PORT_TXCTX_MAX;
    assert_int_equal(r->port->ops->open(r->port, &e), 0);
    assert_int_equal(arena_init(&r->arena, 8U << 20), 0);
    r->b = (struct batch){.frame = r->frame, .max = FRAMES, .arena = &r->arena};
    for (unsigned i = 0; i <= PORT_QUEUES_MAX; i++) {
        r->q[i] = (struct port_queue){r->port, i, on_ready};
        if (i < r->port->n_queues || i == PORT_QUEUE_PROTO)
            r->port->ops->attach(r->port, &r->q[i], r->loop);
    }
    return r;
}

static void detach_all(struct rig *r)
{
    for (unsigned i = 0; i <= PORT_QUEUES_MAX; i++)
        r->port->ops->detach(r->port, &r->q[i], r->loop);
}

static void rig_free(struct rig *r)
{
    detach_all(r);
    r->port->ops->close(r->port);
    port_free(r->port);
    ev_loop_destroy(r->loop);
    arena_destroy(&r->arena);
    free(r);
}

static int rx(struct rig *r, unsigned queue, unsigned budget)
{
    r->b.n = 0;
    r->arena.used = 0;
    return r->port->ops->rx(r->port, queue, &r->b, budget);
}

/* A frame to 02:00:..:'to', its number in octets 14 .. 17. */
static void number_frame(uint8_t *at, uint32_t len, uint8_t to, uint32_t no)
{
    memset(at, 0x5a, len);
    memset(at, 0, 14);
    at[0] = 2;
    at[5] = to;
    at[6] = 2;
    if (len >= 18)
        memcpy(at + 14, &no, 4);
}

static int inject(struct rig *r, uint32_t len, uint32_t no, unsigned copies)
{
    uint8_t bytes[FRAME_LEN_MAX];

    number_frame(bytes, len < 14 ? 14 : len, 1, no);
    return mem_inject(r->port, bytes, len, NULL, copies);
}

static uint32_t number_of(const struct frame *f)
{
    uint32_t no;

    memcpy(&no, (uint8_t *)f->seg[0].iov_base + 14, 4);
    return no;
}

static void send_one(struct rig *r, const struct frame *f, struct tx_result *t)
{
    struct frame copy = *f;
    struct frame *list[] = {&copy};

    r->port->ops->tx(r->port, 0, list, 1, t);
}

static struct frame plain_frame(uint8_t *bytes, uint32_t len)
{
    struct frame f = {.nseg = 1, .len = len};

    f.seg[0] = (struct iovec){bytes, len};
    return f;
}

/* ---- tests ---- */

static void opening(void **state)
{
    static const char *const bad[][2] = {
        {"mem:a,mtu=67", "mtu=67"},
        {"mem:a,mac=01:00:00:00:00:00", "group"},
        {"mem:a,mac=what", "mac=what"},
        {"mem:a,queues=9", "queues=9"},
        {"mem:a,vnet=maybe", "vnet=maybe"},
        {"mem:a,vnet=off,uso=on", "vnet=off"},
        {"mem:a,csum=off", "csum=off"},
        {"mem:a,head=100", "head=100"},
        {"mem:a,fail-open=on", "fail-open"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err e = {""};
        int rc;
        struct port *p = try_new(bad[i][0], &rc, &e);

        assert_non_null(p);
        assert_true(p->ops->open(p, &e) < 0);
        assert_non_null(strstr(e.text, bad[i][1]));
        p->ops->close(p);
        port_free(p);
    }
}

static void making(void **state)
{
    struct err e = {""};
    int rc;

    (void)state;
    assert_null(try_new("mem:a,color=red", &rc, &e));
    assert_int_equal(rc, -EINVAL);
    assert_non_null(strstr(e.text, "color"));
    assert_non_null(strstr(e.text, "fail-open"));
    assert_null(try_new("carrier-pigeon:a", &rc, &e));
    assert_int_equal(rc, -EINVAL);
    assert_non_null(strstr(e.text, "carrier-pigeon"));
    assert_non_null(strstr(e.text, "mem"));
    port_free(NULL);
}

static void capabilities(void **state)
{
    struct rig *r = rig_new(",tso6=off,mtu=9000,speed=100,proto=on,queues=2,"
                            "mac=02:11:22:33:44:55,edge=off");
    const struct port_caps *c = &r->port->caps;
    char mac[MAC_TEXT_MAX];

    (void)state;
    assert_true(c->vnet && c->tx_csum && c->tx_tso4 && !c->tx_tso6);
    assert_true(c->tx_uso && c->proto_queue && c->link && !c->edge);
    assert_true(c->serial);
    assert_int_equal(c->mtu, 9000);
    assert_int_equal(c->speed, 100);
    assert_int_equal(r->port->n_queues, 2);
    assert_string_equal(mac_format(&c->mac, mac), "02:11:22:33:44:55");
    rig_free(r);
    r = rig_new(",vnet=off,discard=on");
    c = &r->port->caps;
    assert_false(c->vnet || c->tx_csum || c->tx_tso4 || c->tx_uso || c->serial);
    rig_free(r);
}

static void receiving_in_order(void **state)
{
    struct rig *r = rig_new("");

    (void)state;
    assert_int_equal(rx(r, 0, FRAMES), 0);
    for (uint32_t no = 0; no < 100; no++)
        assert_int_equal(inject(r, 60 + no, no, 1), 0);
    assert_int_equal(mem_pending(r->port), 100);
    ev_run(r->loop, 0);
    assert_int_equal(r->ready[0], 1);
    assert_int_equal(rx(r, 0, 40), 40); /* full budget: there may be more */
    assert_int_equal(number_of(&r->frame[39]), 39);
    assert_int_equal(rx(r, 0, FRAMES), 60);
    for (uint32_t i = 0; i < 60; i++) {
        assert_int_equal(number_of(&r->frame[i]), 40 + i);
        assert_int_equal(r->frame[i].len, 100 + i);
        assert_int_equal(frame_iov_len(&r->frame[i]), 100 + i);
        assert_int_equal(r->frame[i].csum, CSUM_COMPLETE);
    }
    assert_int_equal(mem_pending(r->port), 0);
    assert_int_equal(rx(r, 0, FRAMES), 0);
    rig_free(r);
}

static void copies(void **state)
{
    struct rig *r = rig_new("");
    unsigned got = 0;
    int n;

    (void)state;
    assert_int_equal(inject(r, 60, 7, 1000), 0);
    assert_int_equal(inject(r, 60, 8, 1), 0);
    assert_int_equal(inject(r, 60, 9, 0), 0);
    while ((n = rx(r, 0, 50)) > 0) {
        for (int i = 0; i < n; i++)
            assert_int_equal(number_of(&r->frame[i]), got + i == 1000 ? 8 : 7);
        got += (unsigned)n;
    }
    assert_int_equal(got, 1001);
    assert_int_equal(inject(r, 60, 7, MEM_PENDING_MAX), 0);
    assert_int_equal(inject(r, 60, 7, 1), -ENOBUFS);
    assert_int_equal(inject(r, FRAME_LEN_MAX, 7, 0), 0);
    assert_int_equal(mem_inject(r->port, "", FRAME_LEN_MAX + 1, NULL, 1),
                     -EMSGSIZE);
    rig_free(r);
}

/*
 * A turn that ends early (full batch or arena, or nothing but refused frames)
 * must not leave frames behind that nobody is told of.
 */
static void told_again(void **state)
{
    struct rig *r = rig_new("");

    (void)state;
    assert_int_equal(inject(r, 60, 1, 20), 0);
    ev_run(r->loop, 0);
    r->b.max = 5;
    assert_int_equal(rx(r, 0, FRAMES), 5);
    r->b.max = FRAMES;
    ev_run(r->loop, 0);
    assert_int_equal(r->ready[0], 2);
    r->arena.size = 64 * 4;
    assert_int_equal(rx(r, 0, FRAMES), 4);
    ev_run(r->loop, 0);
    assert_int_equal(r->ready[0], 3);
    r->arena.size = 32;
    assert_int_equal(rx(r, 0, 1), 0);
    assert_int_equal(r->b.lost[PORT_REASON_RX_NO_MEMORY], 1);
    r->arena.size = 8U << 20;
    ev_run(r->loop, 0);
    assert_int_equal(rx(r, 0, FRAMES), 10);
    assert_int_equal(inject(r, 13, 1, 100), 0);
    ev_run(r->loop, 0);
    assert_int_equal(rx(r, 0, FRAMES), 0);
    assert_int_equal(r->b.lost[PORT_REASON_RX_RUNT], FRAMES);
    ev_run(r->loop, 0);
    assert_int_equal(rx(r, 0, FRAMES), 0);
    assert_int_equal(r->b.lost[PORT_REASON_RX_RUNT], 100);
    rig_free(r);
}

/* Frames that wait when a queue is attached are told of. */
static void attaching_late(void **state)
{
    struct rig *r = rig_new("");

    (void)state;
    detach_all(r);
    detach_all(r); /* idempotent */
    assert_int_equal(inject(r, 60, 1, 1), 0);
    ev_run(r->loop, EVRUN_NOWAIT);
    assert_int_equal(r->ready[0], 0);
    r->port->ops->attach(r->port, &r->q[0], r->loop);
    ev_run(r->loop, 0);
    assert_int_equal(r->ready[0], 1);
    assert_int_equal(rx(r, 0, FRAMES), 1);
    rig_free(r);
}

/* What has been received is given back, not kept until the end. */
static void memory_is_bounded(void **state)
{
    struct rig *r = rig_new("");
    size_t before;

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(inject(r, 60000, 1, 1), 0);
        assert_int_equal(rx(r, 0, FRAMES), 1);
    }
    before = mallinfo2().uordblks;
    for (int i = 0; i < 500; i++) {
        assert_int_equal(inject(r, 60000, 1, 1), 0);
        assert_int_equal(rx(r, 0, FRAMES), 1);
    }
    assert_true(mallinfo2().uordblks < before + 1000000);
    rig_free(r);
}

static void judged_when_received(void **state)
{
    struct virtio_net_hdr v = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                               .csum_start = 34,
                               .csum_offset = 16};
    struct rig *r = rig_new("");
    uint8_t bytes[60] = {2};

    (void)state;
    assert_int_equal(inject(r, 0, 0, 1), 0);
    assert_int_equal(inject(r, FRAME_LEN_MAX, 0, 1), 0);
    assert_int_equal(mem_inject(r->port, bytes, 60, &v, 1), 0);
    v.csum_offset = 30;
    assert_int_equal(mem_inject(r->port, bytes, 60, &v, 1), 0);
    assert_int_equal(rx(r, 0, FRAMES), 2);
    assert_int_equal(r->frame[0].len, FRAME_LEN_MAX);
    assert_int_equal(r->frame[1].csum, CSUM_PARTIAL);
    assert_int_equal(r->b.lost[PORT_REASON_RX_RUNT], 1);
    assert_int_equal(r->b.lost[PORT_REASON_RX_BAD_VNET], 1);
    rig_free(r);
}

static void segments(void **state)
{
    struct rig *r = rig_new(",head=128");
    static const uint32_t len[] = {60, 128, 129, 130, 131, 132, 1514, 65000};
    uint8_t *want = malloc(65000), *got = malloc(65000);

    (void)state;
    for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
        const struct frame *f = &r->frame[0];
        size_t at = 0;

        for (uint32_t k = 0; k < len[i]; k++)
            want[k] = (uint8_t)(k * 31 + i);
        assert_int_equal(mem_inject(r->port, want, len[i], NULL, 1), 0);
        assert_int_equal(rx(r, 0, 1), 1);
        assert_int_equal(f->seg[0].iov_len, len[i] < 128 ? len[i] : 128);
        assert_int_equal(frame_iov_len(f), len[i]);
        if (len[i] > 132)
            assert_int_equal(f->nseg, 4);
        for (unsigned k = 0; k < f->nseg; k++) {
            memcpy(got + at, f->seg[k].iov_base, f->seg[k].iov_len);
            at += f->seg[k].iov_len;
        }
        assert_memory_equal(got, want, len[i]);
    }
    /* no room for the second segment: the first is given back */
    r->arena.size = 160;
    assert_int_equal(mem_inject(r->port, want, 300, NULL, 1), 0);
    assert_int_equal(rx(r, 0, 1), 0);
    assert_int_equal(r->b.lost[PORT_REASON_RX_NO_MEMORY], 1);
    assert_int_equal(r->arena.used, 0);
    r->arena.size = 8U << 20;
    free(want);
    free(got);
    rig_free(r);
}

static void queues(void **state)
{
    struct rig *r = rig_new(",queues=4,proto=on");
    uint8_t bpdu[60] = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x0f};
    uint8_t bytes[60];
    unsigned used = 0;

    (void)state;
    assert_int_equal(mem_inject(r->port, bpdu, 60, NULL, 1), 0);
    bpdu[5] = 0x10; /* not one of the sixteen */
    assert_int_equal(mem_inject(r->port, bpdu, 60, NULL, 1), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_true(rx(r, i, FRAMES) <= 1);
    assert_int_equal(mem_pending(r->port), 1);
    assert_int_equal(rx(r, PORT_QUEUE_PROTO, FRAMES), 1);
    for (unsigned to = 0; to < 40; to++) {
        number_frame(bytes, 60, (uint8_t)to, 0);
        assert_int_equal(mem_inject(r->port, bytes, 60, NULL, 1), 0);
        number_frame(bytes, 60, (uint8_t)to, 1);
        assert_int_equal(mem_inject(r->port, bytes, 60, NULL, 1), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        int n = rx(r, i, FRAMES);

        used += n > 0;
        for (int k = 0; k < n; k += 2) {
            /* both frames of a pair on one queue, in order */
            assert_int_equal(number_of(&r->frame[k]), 0);
            assert_int_equal(number_of(&r->frame[k + 1]), 1);
            assert_memory_equal(r->frame[k].seg[0].iov_base,
                                r->frame[k + 1].seg[0].iov_base, 14);
        }
    }
    assert_int_equal(mem_pending(r->port), 0);
    assert_true(used > 1);
    rig_free(r);
}

#define BACKLOG 20

static void collecting(void **state)
{
    struct rig *r = rig_new(",collect=100");
    struct virtio_net_hdr v;
    struct tx_result t = {0};
    uint8_t bytes[2000], got[2000];

    (void)state;
    assert_int_equal(mem_collect(r->port, got, sizeof(got), &v), -EAGAIN);
    /* Several times around the ring, which is never empty. */
    for (uint32_t no = 0; no < 2000; no++) {
        uint32_t len = 18 + no % 1497;
        struct frame f = plain_frame(bytes, len);

        number_frame(bytes, len, 1, no);
        f.vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
        if (len > 30) {
            f.nseg = 2;
            f.seg[0].iov_len = 20;
            f.seg[1] = (struct iovec){bytes + 20, len - 20};
        }
        send_one(r, &f, &t);
        if (no < BACKLOG)
            continue;
        memset(&v, 0, sizeof(v));
        memset(got, 0, sizeof(got));
        len = 18 + (no - BACKLOG) % 1497;
        number_frame(bytes, len, 1, no - BACKLOG);
        assert_int_equal(mem_collect(r->port, got, sizeof(got), &v), len);
        assert_memory_equal(got, bytes, len);
        assert_int_equal(v.flags, VIRTIO_NET_HDR_F_DATA_VALID);
    }
    /* too small a buffer gets what fits */
    got[1] = 0x77;
    assert_int_equal(mem_collect(r->port, got, 1, NULL),
                     18 + (2000 - BACKLOG) % 1497);
    assert_int_equal(got[1], 0x77);
    assert_int_equal(t.sent, 2000);
    assert_int_equal(mem_taken(r->port), 2000);
    rig_free(r);
}

static void oldest_are_kept(void **state)
{
    struct rig *r = rig_new(",collect=3,mtu=65535");
    struct tx_result t = {0};
    uint8_t bytes[65549], got[65549];

    (void)state;
    for (uint32_t no = 0; no < 5; no++) {
        struct frame f = plain_frame(bytes, 60);

        number_frame(bytes, 60, 1, no);
        send_one(r, &f, &t);
    }
    assert_int_equal(t.sent, 3);
    assert_int_equal(t.bytes, 180);
    assert_int_equal(t.refused[PORT_REASON_TX_QUEUE_FULL], 2);
    for (uint32_t no = 0; no < 3; no++) {
        assert_int_equal(mem_collect(r->port, got, sizeof(got), NULL), 60);
        assert_memory_equal(got + 14, &no, 4);
    }
    /* and by octets */
    for (int i = 0; i < 3; i++) {
        struct frame f = plain_frame(bytes, 65549);

        send_one(r, &f, &t);
    }
    assert_int_equal(t.sent, 5);
    assert_int_equal(t.refused[PORT_REASON_TX_QUEUE_FULL], 3);
    rig_free(r);
}

static void strict_about_caps(void **state)
{
    struct rig *r = rig_new(",vnet=off,mtu=1000");
    struct port_caps caps = r->port->caps;
    struct tx_result t = {0};
    uint8_t bytes[4000] = {0};
    struct frame f = plain_frame(bytes, 1014);

    (void)state;
    send_one(r, &f, &t);
    assert_int_equal(t.sent, 1);
    f = plain_frame(bytes, 1015);
    send_one(r, &f, &t);
    assert_int_equal(t.refused[PORT_REASON_TX_TOO_BIG], 1);
    bytes[12] = 0x81; /* a tag does not count */
    f = plain_frame(bytes, 1018);
    send_one(r, &f, &t);
    assert_int_equal(t.sent, 2);
    f = plain_frame(bytes, 100);
    f.csum = CSUM_PARTIAL;
    send_one(r, &f, &t);
    assert_int_equal(t.refused[PORT_REASON_TX_CSUM_BAD], 1);
    f.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    send_one(r, &f, &t);
    assert_int_equal(t.refused[PORT_REASON_TX_GSO_BAD], 1);
    caps.vnet = caps.tx_csum = caps.tx_tso4 = true;
    caps.mtu = 2000;
    assert_int_equal(mem_set_caps(r->port, &caps), 0);
    assert_int_equal(r->events[PORT_EVENT_CAPS], 1);
    assert_int_equal(r->port->caps.mtu, 2000);
    send_one(r, &f, &t);
    assert_int_equal(t.sent, 3);
    rig_free(r);
}

static void failing(void **state)
{
    struct rig *r = rig_new("");
    uint8_t bytes[60] = {0};
    struct frame f = plain_frame(bytes, 60);
    struct frame *list[] = {&f, &f, &f, &f};
    struct tx_result t = {0};
    struct err e;

    (void)state;
    assert_int_equal(mem_fail_after(r->port, 3), 0);
    r->port->ops->tx(r->port, 0, list, 2, &t);
    assert_false(t.failed);
    r->port->ops->tx(r->port, 0, list, 4, &t);
    assert_true(t.failed);
    assert_int_equal(t.sent, 3);
    assert_int_equal(t.refused[PORT_REASON_TX_FAILED], 3);
    r->port->ops->tx(r->port, 0, list, 1, &t);
    assert_int_equal(t.refused[PORT_REASON_TX_FAILED], 4);
    assert_true(rx(r, 0, 1) < 0);
    assert_int_equal(r->events[PORT_EVENT_FAILED], 1); /* once per open */
    assert_true(r->port->failed);
    assert_int_equal(inject(r, 60, 0, 1), -ENETDOWN);
    detach_all(r);
    r->port->ops->close(r->port);
    assert_int_equal(r->port->ops->open(r->port, &e), -EIO);
    assert_int_equal(mem_fail_after(r->port, -1), 0);
    assert_int_equal(r->events[PORT_EVENT_READY], 1);
    assert_int_equal(r->port->ops->open(r->port, &e), 0);
    assert_false(r->port->failed);
    for (int i = 0; i < 3; i++) /* what was sent before is not lost */
        assert_int_equal(mem_collect(r->port, bytes, 60, NULL), 60);
    r->port->ops->attach(r->port, &r->q[0], r->loop);
    assert_int_equal(inject(r, 60, 0, 1), 0);
    assert_int_equal(rx(r, 0, 1), 1);
    assert_int_equal(mem_fail_after(r->port, 0), 0);
    assert_int_equal(r->events[PORT_EVENT_FAILED], 2);
    rig_free(r);
}

static void link_changes(void **state)
{
    struct rig *r = rig_new("");
    uint8_t bytes[60] = {0};
    struct frame f = plain_frame(bytes, 60);
    struct tx_result t = {0};

    (void)state;
    assert_int_equal(mem_set_link(r->port, true), 0);
    assert_int_equal(r->events[PORT_EVENT_UP], 0);
    assert_int_equal(mem_set_link(r->port, false), 0);
    assert_int_equal(r->events[PORT_EVENT_DOWN], 1);
    assert_false(r->port->caps.link);
    send_one(r, &f, &t);
    assert_int_equal(t.refused[PORT_REASON_TX_DOWN], 1);
    assert_int_equal(inject(r, 60, 0, 1), -ENETDOWN);
    assert_int_equal(mem_set_link(r->port, true), 0);
    assert_int_equal(r->events[PORT_EVENT_UP], 1);
    send_one(r, &f, &t);
    assert_int_equal(t.sent, 1);
    assert_int_equal(inject(r, 60, 0, 1), 0);
    rig_free(r);
}

static void slow_and_discarding(void **state)
{
    struct rig *r = rig_new(",slow=2");
    uint8_t bytes[60] = {0};
    struct frame f = plain_frame(bytes, 60);
    struct frame *list[] = {&f, &f, &f, &f, &f};
    struct tx_result t = {0};
    struct port_desc d = {0};

    (void)state;
    r->port->ops->tx(r->port, 3, list, 5, &t);
    assert_int_equal(t.sent, 2);
    assert_int_equal(t.refused[PORT_REASON_TX_PEER_SLOW], 3);
    r->port->ops->describe(r->port, &d);
    assert_non_null(strstr(d.detail, "2 of 4096"));
    rig_free(r);

    r = rig_new(",discard=on");
    memset(&t, 0, sizeof(t));
    r->port->ops->tx(r->port, 3, list, 5, &t);
    assert_int_equal(t.sent, 5);
    assert_int_equal(t.bytes, 300);
    assert_int_equal(mem_taken(r->port), 5);
    assert_int_equal(mem_collect(r->port, bytes, 60, NULL), -EAGAIN);
    assert_int_equal(mem_fail_after(r->port, 1), 0);
    r->port->ops->tx(r->port, 3, list, 5, &t);
    assert_int_equal(t.sent, 6);
    assert_true(t.failed);
    rig_free(r);
}

static void replaying(void **state)
{
    struct rig *r = rig_new("");
    uint8_t a[60], b[61];
    struct mem_frame set[] = {{a, 60, {0}}, {b, 61, {0}}};
    struct mem_frame runt = {a, 13, {0}};
    const void *first;

    (void)state;
    number_frame(a, 60, 1, 0);
    number_frame(b, 61, 1, 1);
    assert_int_equal(mem_replay(r->port, &runt, 1, 1), -EINVAL);
    assert_int_equal(mem_replay(r->port, set, 2, 50), 0);
    assert_int_equal(mem_pending(r->port), 100);
    assert_int_equal(mem_replay(r->port, set, 2, 50), -EBUSY);
    ev_run(r->loop, 0);
    assert_int_equal(rx(r, 0, 33), 33);
    first = r->frame[0].seg[0].iov_base;
    assert_ptr_equal(r->frame[2].seg[0].iov_base, first);
    assert_int_equal(r->arena.used, 0);
    assert_int_equal(rx(r, 0, 33), 33);
    for (uint32_t i = 0; i < 33; i++) {
        assert_int_equal(number_of(&r->frame[i]), (i + 33) % 2);
        assert_int_equal(r->frame[i].len, 60 + (i + 33) % 2);
    }
    assert_int_equal(inject(r, 60, 99, 1), 0);
    assert_int_equal(rx(r, 0, 60), 35);
    assert_int_equal(number_of(&r->frame[34]), 99);
    assert_int_equal(mem_replay(r->port, set, 1, 1), 0);
    assert_int_equal(rx(r, 0, 60), 1);
    rig_free(r);
}

/* ---- threads: some inject and collect while others receive and send ---- */

#define STORM 20000

struct storm {
    struct rig *r;
    unsigned ctx;
};

static void *storm_inject(void *arg)
{
    struct rig *r = ((struct storm *)arg)->r;
    uint32_t no = 0;

    while (no < STORM) {
        if (mem_pending(r->port) < 5000 && inject(r, 60, no, 1) == 0)
            no++;
        else
            sched_yield();
    }
    return NULL;
}

static void *storm_send(void *arg)
{
    struct storm *s = arg;
    uint8_t bytes[60] = {0};
    struct frame f = plain_frame(bytes, 60);
    struct frame *list[] = {&f, &f, &f, &f};
    struct tx_result t = {0};

    bytes[0] = (uint8_t)s->ctx;
    while (t.sent < STORM) {
        uint32_t before = t.sent;

        s->r->port->ops->tx(s->r->port, s->ctx, list, 4, &t);
        if (t.sent == before)
            sched_yield();
    }
    return NULL;
}

static void storm(void **state)
{
    struct rig *r = rig_new(",collect=64");
    struct storm s[] = {{r, 0}, {r, 1}, {r, 2}};
    pthread_t t[3];
    uint32_t next = 0, collected = 0;
    uint8_t got[60];

    (void)state;
    pthread_create(&t[0], NULL, storm_inject, &s[0]);
    pthread_create(&t[1], NULL, storm_send, &s[1]);
    pthread_create(&t[2], NULL, storm_send, &s[2]);
    while (next < STORM || collected < 2 * STORM) {
        int n;

        if (next < STORM)
            ev_run(r->loop, collected < 2 * STORM ? EVRUN_NOWAIT : EVRUN_ONCE);
        do {
            n = rx(r, 0, 32);
            assert_true(n >= 0);
            for (int i = 0; i < n; i++)
                assert_int_equal(number_of(&r->frame[i]), next++);
        } while (n == 32);
        while (mem_collect(r->port, got, 60, NULL) == 60)
            collected++;
    }
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    while (mem_collect(r->port, got, 60, NULL) == 60)
        collected++;
    assert_int_equal(next, STORM);
    assert_int_equal(collected, mem_taken(r->port));
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening),
        cmocka_unit_test(making),
        cmocka_unit_test(capabilities),
        cmocka_unit_test(receiving_in_order),
        cmocka_unit_test(copies),
        cmocka_unit_test(told_again),
        cmocka_unit_test(attaching_late),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(judged_when_received),
        cmocka_unit_test(segments),
        cmocka_unit_test(queues),
        cmocka_unit_test(collecting),
        cmocka_unit_test(oldest_are_kept),
        cmocka_unit_test(strict_about_caps),
        cmocka_unit_test(failing),
        cmocka_unit_test(link_changes),
        cmocka_unit_test(slow_and_discarding),
        cmocka_unit_test(replaying),
        cmocka_unit_test(storm),
    };

    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
