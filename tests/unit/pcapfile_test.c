/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures replayed and recorded by a pcapfile port, without a switch.  Files
 * are written here octet by octet, so that all that libpcap may meet is met;
 * what was recorded is read back by libpcap.
 */
#include "base/clock.h"
#include "tests/lib/netrig.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MICRO 0xa1b2c3d4
#define NANO  0xa1b23c4d

static struct netrig port;
static char dir[64], path[96];
static FILE *file;
static struct rlimit file_limit;
static bool swapped; /* files are big-endian */

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/pcapfile_test.XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.pcap", dir);
    swapped = false;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    setrlimit(RLIMIT_FSIZE, &file_limit);
    netrig_close(&port);
    if (file)
        fclose(file);
    file = NULL;
    unlink(path);
    rmdir(dir);
    return 0;
}

/* ---- making captures ---- */

static void put32(uint32_t v)
{
    if (swapped)
        v = __builtin_bswap32(v);
    assert_int_equal(fwrite(&v, 4, 1, file), 1);
}

static void put16(uint16_t v)
{
    if (swapped)
        v = __builtin_bswap16(v);
    assert_int_equal(fwrite(&v, 2, 1, file), 1);
}

static void begin(uint32_t magic, uint32_t link)
{
    file = fopen(path, "wb");
    assert_non_null(file);
    put32(magic);
    put16(2);
    put16(4);
    put32(0);
    put32(0);
    put32(262144);
    put32(link);
}

static void finish(void)
{
    assert_int_equal(fclose(file), 0);
    file = NULL;
}

static void record(uint32_t sec, uint32_t frac, const void *octets,
                   uint32_t cap, uint32_t len)
{
    put32(sec);
    put32(frac);
    put32(cap);
    put32(len);
    assert_int_equal(fwrite(octets, 1, cap, file), cap);
}

/* The i-th test frame; returns its length. */
static uint32_t test_frame(uint8_t *out, uint32_t i)
{
    uint32_t n = 60 + i * 7 % 1000;

    netrig_frame(out, n, NULL, NULL, 0);
    memcpy(out + 14, &i, 4);
    for (uint32_t k = 18; k < n; k++)
        out[k] = (uint8_t)(k * 3 + i);
    return n;
}

/* n frames, 'gap' microseconds between them. */
static void make(uint32_t magic, uint32_t n, uint32_t gap)
{
    static uint8_t f[2048];

    begin(magic, DLT_EN10MB);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t us = (uint64_t)i * gap;
        uint32_t frac = (uint32_t)(us % 1000000);

        record(5000 + (uint32_t)(us / 1000000),
               magic == NANO ? frac * 1000 : frac, f, test_frame(f, i),
               test_frame(f, i));
    }
    finish();
}

/* ---- replaying ---- */

static const char *spec(const char *keys)
{
    static char text[256];

    snprintf(text, sizeof(text), "pcapfile:%s%s", path, keys);
    return text;
}

static void open_port(const char *keys)
{
    netrig_open(&port, spec(keys), -1);
    atomic_store(&port.port->forwarding, true);
}

static uint64_t lost[PORT_REASON_COUNT];

/*
 * Receives until 'most' frames came or the port ended or failed, at most for
 * 'seconds'; each goes to 'each', if there is one.
 */
static uint32_t receive(uint32_t most, double seconds,
                        void (*each)(const struct frame *f, uint32_t i))
{
    uint64_t until = clock_now() + (uint64_t)(seconds * 1e9);
    uint32_t n = 0;

    memset(lost, 0, sizeof(lost));
    while (n < most && clock_now() < until) {
        int rc;

        ev_run(port.loop, EVRUN_NOWAIT);
        if (!port.ready) {
            if (port.events[PORT_EVENT_DOWN] || port.events[PORT_EVENT_FAILED])
                return n;
            usleep(100);
            continue;
        }
        port.ready = 0;
        port.arena.used = 0;
        port.b = (struct batch){
            .frame = port.frame, .max = NETRIG_MAX, .arena = &port.arena};
        rc = port.port->ops->rx(port.port, 0, &port.b, 64);
        port.ready = rc == 64;
        for (unsigned i = 0; i < port.b.n; i++, n++)
            if (each)
                each(&port.frame[i], n);
        for (unsigned i = 0; i < PORT_REASON_COUNT; i++)
            lost[i] += port.b.lost[i];
    }
    return n;
}

static uint32_t period; /* frames of the capture */

static void expect_test_frame(const struct frame *f, uint32_t i)
{
    uint8_t want[2048];
    uint32_t n = test_frame(want, i % period);

    assert_int_equal(f->len, n);
    assert_int_equal(f->nseg, 1);
    assert_int_equal(f->csum, CSUM_COMPLETE);
    assert_memory_equal(f->seg[0].iov_base, want, n);
}

static void expect_all(uint32_t n)
{
    assert_int_equal(receive(n + 1, 60, expect_test_frame), n);
    assert_int_equal(port.events[PORT_EVENT_DOWN], 1);
    assert_string_equal(port.last, "end of file");
    assert_false(port_caps_now(port.port).link);
    assert_int_equal(port.events[PORT_EVENT_FAILED], 0);
}

static void octets_come_as_they_are(void **state)
{
    static const uint32_t magic[] = {MICRO, NANO};

    (void)state;
    period = 300;
    for (int i = 0; i < 4; i++) {
        swapped = i & 1;
        make(magic[i / 2], period, 10);
        open_port(",speed=full");
        assert_true(port_caps_now(port.port).link);
        expect_all(period);
        netrig_close(&port);
    }
}

static void block(uint32_t type, const void *body, uint32_t n)
{
    static const uint8_t zero[4];
    uint32_t padded = (n + 3) & ~3U;

    put32(type);
    put32(padded + 12);
    assert_int_equal(fwrite(body, 1, n, file), n);
    assert_int_equal(fwrite(zero, 1, padded - n, file), padded - n);
    put32(padded + 12);
}

static void pcapng_is_read(void **state)
{
    const uint32_t section[] = {0x1a2b3c4d, 0x00000001, ~0U, ~0U};
    const uint32_t interface[] = {1, 262144};
    struct {
        uint32_t fixed[5];
        uint8_t octets[2048];
    } packet;

    (void)state;
    period = 20;
    file = fopen(path, "wb");
    block(0x0a0d0d0a, section, sizeof(section));
    block(1, interface, sizeof(interface));
    for (uint32_t i = 0; i < period; i++) {
        uint32_t n = test_frame(packet.octets, i);

        memcpy(packet.fixed, ((uint32_t[]){0, 0, i * 100, n, n}), 20);
        block(6, &packet, 20 + n);
    }
    finish();
    open_port("");
    expect_all(period);
}

static void nothing_comes_before_it_can_go_on(void **state)
{
    (void)state;
    period = 10;
    make(MICRO, period, 0);
    open_port(",speed=full");
    atomic_store(&port.port->forwarding, false);
    assert_int_equal(receive(1, 0.2, NULL), 0);
    atomic_store(&port.port->forwarding, true);
    expect_all(period);
}

/* ---- time ---- */

static uint64_t came[64];

static void note_time(const struct frame *f, uint32_t i)
{
    expect_test_frame(f, i);
    came[i] = clock_now();
}

/* Never early; late only as a busy machine may be. */
static void check_times(uint64_t from, uint32_t n, double gap)
{
    for (uint32_t i = 0; i < n; i++) {
        double at = (double)(came[i] - from) / 1e9;

        if (at < i * gap - 0.0005 || at > i * gap + 1)
            fail_msg("frame %u came after %f s, not %f", i, at, i * gap);
    }
}

static void frames_keep_their_distance(void **state)
{
    static const struct {
        const char *keys;
        double gap, start;
    } how[] = {
        {"", 0.010, 0},
        {",speed=recorded,start=0.1", 0.010, 0.1},
        {",speed=4", 0.0025, 0},
        {",speed=0.5", 0.020, 0},
    };

    (void)state;
    period = 20;
    make(NANO, period, 10000);
    for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
        uint64_t from;

        open_port(how[i].keys);
        from = clock_now();
        assert_int_equal(receive(period, 10, note_time), period);
        check_times(from + (uint64_t)(how[i].start * 1e9), period, how[i].gap);
        netrig_close(&port);
    }
}

/* Time that goes back stands still; a stamp out of range is the last one. */
static void odd_stamps(void **state)
{
    static const uint32_t stamp[][2] = {
        {100, 0}, {90, 0}, {100, 5000}, {100, 2000000000}, {100, 10000}};
    static uint8_t f[2048];
    uint64_t from;

    (void)state;
    period = 5;
    begin(MICRO, DLT_EN10MB);
    for (uint32_t i = 0; i < period; i++)
        record(stamp[i][0], stamp[i][1], f, test_frame(f, i), test_frame(f, i));
    finish();
    open_port("");
    from = clock_now();
    assert_int_equal(receive(period, 5, note_time), period);
    assert_true(came[2] - from >= 4500000);
    assert_true(came[4] - from >= 9500000 && came[4] - from < 4 * NSEC_PER_SEC);
}

static void passes_are_counted(void **state)
{
    struct port_desc d;

    (void)state;
    period = 100;
    make(MICRO, period, 10);
    open_port(",speed=full,loop=7");
    expect_all(7 * period);
    port.port->ops->describe(port.port, &d);
    assert_non_null(strstr(d.detail, "700 frames so far"));
    assert_non_null(strstr(d.detail, "end of file after pass 7 of 7"));
    netrig_close(&port);
    open_port(",speed=full,loop=on");
    assert_int_equal(receive(5000, 10, expect_test_frame) >= 5000, 1);
    assert_int_equal(port.events[PORT_EVENT_DOWN], 0);
}

/* The next pass begins a mean distance after the last frame. */
static void passes_keep_their_distance(void **state)
{
    uint64_t from;

    (void)state;
    period = 5;
    make(MICRO, period, 10000);
    open_port(",loop=3");
    from = clock_now();
    assert_int_equal(receive(15, 5, note_time), 15);
    check_times(from, 15, 0.010);
}

static void an_empty_capture_ends(void **state)
{
    (void)state;
    make(MICRO, 0, 0);
    open_port(",speed=full,loop=on");
    expect_all(0);
}

/* ---- a long one ---- */

static void a_long_capture_is_read_ahead(void **state)
{
    struct port_desc d;

    (void)state;
    period = 70000; /* some 40 MB */
    make(NANO, period, 1);
    open_port(",speed=full,loop=2");
    port.port->ops->describe(port.port, &d);
    assert_non_null(strstr(d.detail, "from disk"));
    expect_all(2 * period);
    netrig_close(&port);
    open_port(",speed=full,loop=on"); /* closed in mid-reading */
    assert_true(receive(100000, 60, expect_test_frame) >= 100000);
}

/* ---- what is not replayed ---- */

static void useless_frames_are_counted(void **state)
{
    static uint8_t big[70000];
    static uint8_t f[2048];

    (void)state;
    period = 3;
    begin(MICRO, DLT_EN10MB);
    record(1, 0, f, test_frame(f, 0), test_frame(f, 0));
    record(1, 0, f, 50, test_frame(f, 0)); /* a snaplen of 50 */
    record(1, 0, f, 13, 13);
    record(1, 0, f, test_frame(f, 1), test_frame(f, 1));
    record(1, 0, big, sizeof(big), sizeof(big));
    record(1, 0, big, 2000, 2000); /* beyond the MTU and no TCP */
    record(1, 0, f, test_frame(f, 2), test_frame(f, 2));
    finish();
    open_port(",speed=full");
    expect_all(3);
    assert_int_equal(lost[PORT_REASON_RX_CUT], 1);
    assert_int_equal(lost[PORT_REASON_RX_RUNT], 1);
    assert_int_equal(lost[PORT_REASON_RX_TRUNCATED], 1);
    assert_int_equal(lost[PORT_REASON_RX_UNDESCRIBED], 1);
}

/* Who opens the port does not wait until all of it has been looked at. */
static void a_long_useless_capture_is_read_ahead(void **state)
{
    static uint8_t f[2048];
    const uint32_t n = 1200000;
    struct port_desc d;

    (void)state;
    period = 1;
    begin(MICRO, DLT_EN10MB);
    for (uint32_t i = 0; i < n; i++)
        record(1, 0, f, 0, 60);
    record(1, 0, f, test_frame(f, 0), test_frame(f, 0));
    finish();
    open_port(",speed=full");
    port.port->ops->describe(port.port, &d);
    assert_non_null(strstr(d.detail, "from disk"));
    expect_all(1);
    assert_int_equal(lost[PORT_REASON_RX_CUT], n);
}

static void a_torn_capture_fails_where_it_is_torn(void **state)
{
    struct stat st;

    (void)state;
    period = 50;
    make(MICRO, period, 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 5), 0);
    open_port(",speed=full");
    assert_int_equal(receive(period, 5, expect_test_frame), period - 1);
    assert_int_equal(port.events[PORT_EVENT_FAILED], 1);
    assert_int_equal(port.events[PORT_EVENT_DOWN], 0);
    assert_non_null(strstr(port.last, "truncated dump file"));
    assert_non_null(strstr(port.last, path));
}

static void refused(const char *keys, int rc, const char *words)
{
    struct err e;
    int got = netrig_try(&port, spec(keys), -1, &e);

    if (got != rc || !strstr(e.text, words))
        fail_msg("%s: %d \"%s\", not %d \"%s\"", keys, got, e.text, rc, words);
}

static void what_is_no_capture_is_refused(void **state)
{
    static const char junk[] = "this is no capture at all, not at all";

    (void)state;
    refused("", -ENOENT, "No such file");
    file = fopen(path, "wb");
    finish();
    refused("", -EINVAL, "truncated dump file");
    file = fopen(path, "wb");
    fputs(junk, file);
    finish();
    refused("", -EINVAL, "unknown file format");
    begin(MICRO, 101);
    finish();
    refused("", -EINVAL, "has frames of type Raw IP, and a bridge needs");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    refused("", -EINVAL, "is no regular file");
    refused(",mode=record,overwrite=on", -EINVAL, "is no regular file");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    refused("", -EINVAL, "is no regular file");
    refused(",mode=record,overwrite=on", -EISDIR, path);
    rmdir(path);
}

static void keys_are_checked(void **state)
{
    static const char *const bad[] = {
        ",mode=both",
        ",speed=fast",
        ",speed=0",
        ",speed=-1",
        ",speed=1e9",
        ",loop=0",
        ",loop=off",
        ",start=-1",
        ",start=x",
        ",mtu=10",
        ",mss=1",
        ",raw=perhaps",
        ",overwrite=on",
        ",mode=record,speed=full",
        ",mode=record,loop=on",
        ",mode=record,overwrite=x",
        ",netns=lab",
        ",colour=red",
    };

    (void)state;
    make(MICRO, 1, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *equals = strrchr(bad[i], '=');
        const char *comma = strrchr(bad[i], ',');
        char key[32];

        snprintf(key, sizeof(key), "%.*s", (int)(equals - comma - 1),
                 comma + 1);
        refused(bad[i], -EINVAL, key);
    }
}

/* ---- checksums and super-frames ---- */

/* An IPv4 TCP segment whose checksum was left to a device. */
static uint32_t segment(uint8_t *out, uint32_t payload)
{
    static const uint8_t head[] = {
        2,    0, 0, 0, 0,    2,    2,    0,    0,  0,  0, 1, 8, 0,
        0x45, 0, 0, 0, 0,    1,    0,    0,    64, 6,  0, 0, 1, 0,
        0,    1, 1, 0, 0,    2,    0x12, 0x34, 0,  80, 0, 0, 0, 1,
        0,    0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0,  0,  0, 0};
    uint32_t n = sizeof(head) + payload, len = n - 14, sum;

    memcpy(out, head, sizeof(head));
    memset(out + sizeof(head), 0x5a, payload);
    out[16] = (uint8_t)(len >> 8);
    out[17] = (uint8_t)len;
    sum = 0x100 + 1 + 0x100 + 2 + 6 + (len - 20);
    sum = (sum & 0xffff) + (sum >> 16);
    out[50] = (uint8_t)(sum >> 8);
    out[51] = (uint8_t)sum;
    return n;
}

static struct frame seen[8];

static void see(const struct frame *f, uint32_t i)
{
    seen[i % 8] = *f;
}

static void what_was_left_undone_is_found(void **state)
{
    static uint8_t f[66000];

    (void)state;
    begin(MICRO, DLT_EN10MB);
    record(1, 0, f, segment(f, 100), segment(f, 100));
    record(1, 0, f, segment(f, 60000), segment(f, 60000));
    finish();
    open_port(",speed=full");
    assert_int_equal(receive(3, 5, see), 2);
    assert_int_equal(seen[0].csum, CSUM_PARTIAL);
    assert_int_equal(seen[0].vnet.csum_start, 34);
    assert_int_equal(seen[0].vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    assert_int_equal(seen[1].vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    assert_int_equal(seen[1].vnet.gso_size, 1460);
    netrig_close(&port);
    open_port(",speed=full,mtu=9000,mss=1200");
    assert_int_equal(receive(3, 5, see), 2);
    assert_int_equal(seen[1].vnet.gso_size, 1200);
    netrig_close(&port);
    open_port(",speed=full,raw=on");
    assert_int_equal(receive(3, 5, see), 2);
    assert_int_equal(seen[0].csum, CSUM_COMPLETE);
    assert_int_equal(seen[1].csum, CSUM_COMPLETE);
    assert_int_equal(seen[1].vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
}

static void a_replay_takes_nothing(void **state)
{
    static uint8_t f[2048];
    struct tx_result r;

    (void)state;
    make(MICRO, 1, 0);
    open_port("");
    r = netrig_send(&port, f, test_frame(f, 0), NULL);
    assert_int_equal(r.sent, 0);
    assert_int_equal(r.refused[PORT_REASON_TX_NOBODY], 1);
}

/* ---- descriptors ---- */

static void a_passed_descriptor_stands_for_the_path(void **state)
{
    unsigned before = netrig_fds();
    struct port_spec s;
    struct err e;
    int rc, fd;

    (void)state;
    period = 3;
    make(MICRO, period, 0);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(lseek(fd, 0, SEEK_END) > 0, 1); /* where it stands is
                                                        its owner's business */
    assert_int_equal(port_spec_parse(&s, "pcapfile:/nowhere,speed=full", &e),
                     0);
    s.file_fd = fd;
    memset(&port, 0, sizeof(port));
    port.port = port_new(&s, &rc, &e);
    assert_non_null(port.port);
    close(fd);
    for (int i = 0; i < 2; i++) { /* it can be opened again */
        assert_int_equal(port.port->ops->open(port.port, &e), 0);
        port.port->ops->close(port.port);
    }
    port_free(port.port);
    memset(&port, 0, sizeof(port));
    assert_int_equal(netrig_fds(), before);
    /* written to, or only written to: not what the mode needs */
    fd = open(path, O_WRONLY | O_CLOEXEC);
    s.file_fd = fd;
    port.port = port_new(&s, &rc, &e);
    assert_int_equal(port.port->ops->open(port.port, &e), -EACCES);
    port_free(port.port);
    memset(&port, 0, sizeof(port));
    close(fd);
    assert_int_equal(netrig_fds(), before);
}

static void nothing_is_left_open(void **state)
{
    static const char *const keys[] = {",speed=full", ",mode=record", "",
                                       ",mode=record,overwrite=on"};
    unsigned before = netrig_fds();

    (void)state;
    for (int i = 0; i < 8; i++) {
        if (i == 1 || i == 5)
            unlink(path);
        else
            make(MICRO, 5, 0);
        netrig_open(&port, spec(keys[i % 4]), -1);
        netrig_close(&port);
        assert_int_equal(netrig_fds(), before);
    }
}

static void no_path_is_opened_for_others(void **state)
{
    struct port_spec s;
    struct port *p;
    struct err e;
    int rc;

    (void)state;
    make(MICRO, 1, 0);
    assert_int_equal(port_spec_parse(&s, spec(""), &e), 0);
    p = port_new(&s, &rc, &e);
    assert_non_null(p);
    assert_int_equal(p->ops->open(p, &e), -EPERM);
    assert_non_null(strstr(e.text, "the client must open the file"));
    port_free(p);
}

/* ---- recording ---- */

/* Frames in the file, each compared with the i-th test frame. */
static uint32_t recorded(void)
{
    char text[PCAP_ERRBUF_SIZE];
    pcap_t *p = pcap_open_offline_with_tstamp_precision(
        path, PCAP_TSTAMP_PRECISION_NANO, text);
    struct pcap_pkthdr *h;
    const u_char *octets;
    uint32_t n = 0;
    int rc;

    if (!p)
        fail_msg("%s", text);
    while ((rc = pcap_next_ex(p, &h, &octets)) == 1) {
        uint8_t want[2048];
        uint32_t len = test_frame(want, n);
        long long now = time(NULL);

        assert_int_equal(h->caplen, len);
        assert_int_equal(h->len, len);
        assert_memory_equal(octets, want, len);
        assert_true(h->ts.tv_sec >= now - 60 && h->ts.tv_sec <= now);
        n++;
    }
    if (rc != PCAP_ERROR_BREAK)
        fail_msg("%s", pcap_geterr(p));
    pcap_close(p);
    return n;
}

static void send_test_frames(uint32_t from, uint32_t n)
{
    for (uint32_t i = from; i < from + n; i++) {
        uint8_t f[2048];

        assert_int_equal(netrig_send(&port, f, test_frame(f, i), NULL).sent, 1);
    }
}

static void all_that_is_sent_is_recorded(void **state)
{
    static uint8_t f[2048];
    off_t size = 24;
    struct stat st;
    uint64_t until = clock_now() + 30 * NSEC_PER_SEC;

    (void)state;
    open_port(",mode=record");
    assert_int_equal(recorded(), 0); /* the header is there at once */
    send_test_frames(0, 100);
    for (uint32_t i = 0; i < 100; i++)
        size += 16 + test_frame(f, i);
    do { /* ... the rest when it is idle, and not in one piece */
        assert_true(clock_now() < until);
        usleep(1000);
        assert_int_equal(stat(path, &st), 0);
    } while (st.st_size < size);
    assert_int_equal(recorded(), 100);
    send_test_frames(100, 5000);
    netrig_close(&port); /* ... or when it is closed */
    assert_int_equal(recorded(), 5100);
}

static void nothing_is_recorded_over_by_mistake(void **state)
{
    struct netrig second;
    struct err e;

    (void)state;
    open_port(",mode=record");
    send_test_frames(0, 7);
    netrig_close(&port);
    refused(",mode=record", -EEXIST, "overwrite=on");
    assert_int_equal(recorded(), 7);
    open_port(",mode=record,overwrite=on");
    send_test_frames(0, 3);
    assert_int_equal(
        netrig_try(&second, spec(",mode=record,overwrite=on"), -1, &e), -EBUSY);
    netrig_close(&port);
    assert_int_equal(recorded(), 3);
}

static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static char told[160]; /* why a recorder failed; its thread says so */

static void on_failed(struct port *p, enum port_event ev, const char *reason)
{
    (void)p;
    assert_int_equal(ev, PORT_EVENT_FAILED);
    pthread_mutex_lock(&told_lock);
    snprintf(told, sizeof(told), "%s", reason);
    pthread_mutex_unlock(&told_lock);
}

static void wait_told(const char *words)
{
    uint64_t until = clock_now() + 30 * NSEC_PER_SEC;
    bool yes = false;

    while (!yes && clock_now() < until) {
        usleep(1000);
        pthread_mutex_lock(&told_lock);
        yes = strstr(told, words);
        pthread_mutex_unlock(&told_lock);
    }
    if (!yes)
        fail_msg("\"%s\" was not told", words);
}

/* A limit of the process, or a full disk: the port fails, nobody else. */
static void a_full_disk_costs_the_port(void **state)
{
    struct rlimit limit = {.rlim_cur = 100000, .rlim_max = file_limit.rlim_max};
    static uint8_t f[2048];
    uint32_t n;

    (void)state;
    open_port(",mode=record");
    port.port->event = on_failed;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (uint32_t i = 0; i < 1000; i++) /* the disk may be quicker than we */
        if (!netrig_send(&port, f, test_frame(f, i), NULL).sent)
            break;
    wait_told("x.pcap: File too large");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &file_limit), 0);
    assert_int_equal(netrig_send(&port, f, test_frame(f, 0), NULL)
                         .refused[PORT_REASON_TX_FAILED],
                     1);
    netrig_close(&port);
    n = recorded(); /* all of them whole */
    assert_true(n < 1000);
}

/* More at once than there is room for: what is refused is counted. */
static void a_slow_disk_is_counted(void **state)
{
    static uint8_t big[60000];
    static struct frame f[400];
    static struct frame *list[400];
    struct tx_result r = {0};
    struct stat st;
    unsigned lists = 0;

    (void)state;
    open_port(",mode=record");
    for (int i = 0; i < 400; i++) {
        f[i] = (struct frame){
            .seg = {{big, 100}, {big + 100, 59900}}, .nseg = 2, .len = 60000};
        list[i] = &f[i];
    }
    /* again if we were made to wait, and the disk was not */
    while (!r.refused[PORT_REASON_TX_PEER_SLOW] && lists < 20) {
        port.port->ops->tx(port.port, 1, list, 400, &r);
        lists++;
    }
    assert_true(r.sent > 100);
    assert_true(r.refused[PORT_REASON_TX_PEER_SLOW] > 0);
    assert_int_equal(r.sent + r.refused[PORT_REASON_TX_PEER_SLOW], 400 * lists);
    netrig_close(&port);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 24 + r.sent * 60016L);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(octets_come_as_they_are),
        TEST(pcapng_is_read),
        TEST(nothing_comes_before_it_can_go_on),
        TEST(frames_keep_their_distance),
        TEST(odd_stamps),
        TEST(passes_are_counted),
        TEST(passes_keep_their_distance),
        TEST(an_empty_capture_ends),
        TEST(a_long_capture_is_read_ahead),
        TEST(useless_frames_are_counted),
        TEST(a_long_useless_capture_is_read_ahead),
        TEST(a_torn_capture_fails_where_it_is_torn),
        TEST(what_is_no_capture_is_refused),
        TEST(keys_are_checked),
        TEST(what_was_left_undone_is_found),
        TEST(a_replay_takes_nothing),
        TEST(a_passed_descriptor_stands_for_the_path),
        TEST(nothing_is_left_open),
        TEST(no_path_is_opened_for_others),
        TEST(all_that_is_sent_is_recorded),
        TEST(nothing_is_recorded_over_by_mistake),
        TEST(a_full_disk_costs_the_port),
        TEST(a_slow_disk_is_counted),
    };

    alarm(230); /* tests/run ends it at 240 */
    getrlimit(RLIMIT_FSIZE, &file_limit);
    return cmocka_run_group_tests_name("pcapfile", tests, NULL, NULL);
}
