/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcapfile:PATH[,mode=replay][,speed=recorded|full|N][,loop=N|on][,start=S]
 *                            [,mtu=N][,mss=N][,raw=on]
 * pcapfile:PATH,mode=record[,overwrite=on]
 *
 * A capture whose frames come in as if received, or one that is made of all
 * that the switch sends to the port.
 *
 * Replay begins when the port forwards, so that nothing is lost while it or
 * the bridge comes up, and 'start' seconds later.  What is due is a matter of
 * the capture's own clock, so that a late turn is caught up with.  A timer
 * descriptor wakes the worker, as the loop's timers know milliseconds only.
 */
#include "ports/pcapfile.h"

#include "base/clock.h"
#include "ports/offload.h"
#include "ports/pcap_port.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MTU_MOST 65535

/* How often a port that may not begin yet looks again. */
#define LOOK_FIRST (1 * NSEC_PER_MSEC)
#define LOOK_MOST  (50 * NSEC_PER_MSEC)

/* Chunks without a frame of use that one turn may pass over. */
#define CHUNKS_PER_TURN 4

struct file_port {
    struct port port;
    struct spec_file how;
    int fd; /* -1: not open */
    int timer;
    struct reader *reader;
    struct recorder *recorder;

    /* keys */
    double speed;  /* 0: full */
    uint32_t loop; /* passes; 0: for ever */
    uint64_t start;

    /* of the worker that owns queue 0 */
    struct port_queue *queue;
    ev_io due;
    bool begun, ended;
    uint64_t base; /* when the pass began, or begins */
    uint64_t look; /* how long to wait before looking again */
    uint32_t pass;
    uint64_t pass_frames, pass_last;
    struct chunk *chunk; /* being replayed */
    unsigned at;         /* in it */

    pthread_mutex_t lock;
    struct ev_loop *loop_of; /* NULL: not attached; under the lock */
    ev_async news;

    _Atomic uint64_t frames; /* replayed */
    _Atomic uint32_t passes; /* completed */
    _Atomic bool over;
};

static struct file_port *file_of(struct port *p)
{
    return (struct file_port *)((char *)p - offsetof(struct file_port, port));
}

static const char *const file_keys[] = {
    "mode", "overwrite", "speed", "loop", "start", "mtu", "mss", "raw", NULL};

/* ---- keys ---- */

/* A decimal number of min .. max. */
static int number(const struct port_spec *s, const char *key, double min,
                  double max, double *v, struct err *e)
{
    const char *text = port_spec_get(s, key);
    double d;
    char *end;

    if (!text)
        return 0;
    d = strtod(text, &end);
    if (strspn(text, "0123456789.") != strlen(text) || !*text || *end ||
        !(d >= min && d <= max))
        return err_set(e, EINVAL, "%s=%s: expected a number from %g to %g", key,
                       text, min, max);
    *v = d;
    return 0;
}

static int read_speed(struct file_port *k, struct err *e)
{
    const char *text = port_spec_get(&k->port.spec, "speed");

    k->speed = 1;
    if (!text || strcmp(text, "recorded") == 0)
        return 0;
    if (strcmp(text, "full") == 0) {
        k->speed = 0;
        return 0;
    }
    if (text[0] < '0' || text[0] > '9')
        return err_set(e, EINVAL,
                       "speed=%s: expected recorded, full or a factor", text);
    return number(&k->port.spec, "speed", 0.001, 1e6, &k->speed, e);
}

static int read_loop(struct file_port *k, struct err *e)
{
    const char *text = port_spec_get(&k->port.spec, "loop");

    k->loop = 1;
    if (text && strcmp(text, "on") == 0) {
        k->loop = 0;
        return 0;
    }
    return port_spec_uint(&k->port.spec, "loop", 1, UINT32_MAX, &k->loop, e);
}

static int read_replay_keys(struct file_port *k, struct reader_how *how,
                            struct err *e)
{
    const struct port_spec *s = &k->port.spec;
    double start = 0;
    int rc = read_speed(k, e);

    how->mtu = 1500;
    if (!rc)
        rc = read_loop(k, e);
    if (!rc)
        rc = number(s, "start", 0, 1e6, &start, e);
    if (!rc)
        rc = port_spec_uint(s, "mtu", 68, 65535, &how->mtu, e);
    if (!rc)
        rc = port_spec_uint(s, "mss", OFFLOAD_GSO_MIN, 65535, &how->mss, e);
    if (!rc)
        rc = port_spec_bool(s, "raw", &how->raw, e);
    how->passes = k->loop;
    k->start = (uint64_t)(start * (double)NSEC_PER_SEC);
    return rc;
}

/* Keys of the other mode would be ignored: they are refused. */
static int check_mode(const struct port_spec *s, struct err *e)
{
    for (unsigned i = 0; i < s->n_keys; i++)
        if (strcmp(s->key[i].key, "mode") != 0 &&
            strcmp(s->key[i].key, "overwrite") != 0)
            return err_set(e, EINVAL, "%s= is for mode=replay", s->key[i].key);
    return 0;
}

/* ---- opening ---- */

static void on_written(void *arg, const char *why)
{
    struct file_port *k = arg;

    port_event(&k->port, PORT_EVENT_FAILED, "%s", why);
}

/* A thread of the reader's: what was waited for is there. */
static void on_read(void *arg)
{
    struct file_port *k = arg;

    pthread_mutex_lock(&k->lock);
    if (k->loop_of)
        ev_async_send(k->loop_of, &k->news);
    pthread_mutex_unlock(&k->lock);
}

static int check_descriptor(int fd, const struct port_spec *s,
                            const struct spec_file *how, struct err *e)
{
    const char *path = s->target;
    bool record = how->record;
    int flags = fcntl(fd, F_GETFL);
    struct stat st;

    if (flags < 0 || fstat(fd, &st) < 0)
        return err_sys(e, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, EINVAL, "%s is no regular file", path);
    if ((flags & O_ACCMODE) == (record ? O_RDONLY : O_WRONLY))
        return err_set(e, EACCES, "%s was opened for %s only", path,
                       record ? "reading" : "writing");
    if (record && !how->overwrite && !s->again && st.st_size > 0)
        return err_set(e, EEXIST,
                       "%s exists: overwrite=on would record over it", path);
    return 0;
}

static int open_file(struct file_port *k, struct err *e)
{
    const struct port_spec *s = &k->port.spec;
    bool made;

    if (s->file_fd >= 0) {
        k->fd = fcntl(s->file_fd, F_DUPFD_CLOEXEC, 0);
        if (k->fd < 0)
            return err_sys(e, errno, "%s", s->target);
    } else if (s->may_open) {
        k->fd = port_spec_open_file(s, &made, e);
        if (k->fd < 0)
            return k->fd;
    } else {
        return err_set(e, EPERM,
                       "%s: the client must open the file and pass it",
                       s->target);
    }
    return check_descriptor(k->fd, s, &k->how, e);
}

static int open_replay(struct file_port *k, struct err *e)
{
    struct reader_how how = {.news = on_read, .arg = k};
    int rc = read_replay_keys(k, &how, e);

    if (!rc)
        rc = open_file(k, e);
    if (rc)
        return rc;
    k->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (k->timer < 0)
        return err_sys(e, errno, "timer");
    k->reader = reader_new(k->fd, k->port.spec.target, &how, &rc, e);
    /* nothing is cut for a port that takes nothing */
    k->port.caps = (struct port_caps){.vnet = true,
                                      .tx_csum = true,
                                      .tx_tso4 = true,
                                      .tx_tso6 = true,
                                      .tx_uso = true,
                                      .any_mtu = true,
                                      .mtu = MTU_MOST};
    return rc;
}

static int open_record(struct file_port *k, struct err *e)
{
    int rc = check_mode(&k->port.spec, e);

    if (!rc)
        rc = open_file(k, e);
    if (rc)
        return rc;
    k->recorder = recorder_new(k->fd, k->port.spec.target, k->port.spec.again,
                               on_written, k, &rc, e);
    k->port.caps = (struct port_caps){
        .serial = true, .edge = true, .any_mtu = true, .mtu = MTU_MOST};
    return rc;
}

static void file_close(struct port *p)
{
    struct file_port *k = file_of(p);

    reader_free(k->reader);
    recorder_free(k->recorder);
    k->reader = NULL;
    k->recorder = NULL;
    if (k->timer >= 0)
        close(k->timer);
    if (k->fd >= 0)
        close(k->fd);
    k->timer = k->fd = -1;
}

static void rewind_port(struct file_port *k)
{
    k->begun = k->ended = false;
    k->look = LOOK_FIRST;
    k->pass = 0;
    k->pass_frames = k->pass_last = 0;
    k->chunk = NULL;
    k->at = 0;
    atomic_store(&k->frames, 0);
    atomic_store(&k->passes, 0);
    atomic_store(&k->over, false);
}

static int read_how(struct file_port *k, struct err *e)
{
    const struct port_spec *s = &k->port.spec;
    int rc = port_spec_file(s, &k->how, e);

    if (!rc && s->netns)
        rc =
            err_set(e, EINVAL, "netns=%s: a file lives in no network namespace",
                    s->netns);
    return rc;
}

static int file_check(struct port *p, struct err *e)
{
    struct file_port *k = file_of(p);
    struct reader_how how = {0};
    int rc = read_how(k, e);

    if (rc)
        return rc;
    return k->how.record ? check_mode(&p->spec, e)
                         : read_replay_keys(k, &how, e);
}

static int file_open(struct port *p, struct err *e)
{
    struct file_port *k = file_of(p);
    int rc = read_how(k, e);

    if (rc)
        return rc;
    rewind_port(k);
    p->n_queues = 1;
    atomic_store(&p->failed, false);
    atomic_store(&p->peer, true);
    rc = k->how.record ? open_record(k, e) : open_replay(k, e);
    if (rc)
        file_close(p);
    return rc;
}

/* ---- waking ---- */

/* At 'when' of CLOCK_MONOTONIC, or at once if that has passed. */
static void wake_at(struct file_port *k, uint64_t when)
{
    struct itimerspec t = {
        .it_value = {.tv_sec = (time_t)(when / NSEC_PER_SEC),
                     .tv_nsec = (long)(when % NSEC_PER_SEC)}};

    if (when == 0)
        t.it_value.tv_nsec = 1; /* zero would stop it */
    (void)timerfd_settime(k->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static void on_due(struct ev_loop *loop, ev_io *w, int events)
{
    struct file_port *k = w->data;
    uint64_t n;

    (void)loop;
    (void)events;
    if (read(k->timer, &n, sizeof(n)) == sizeof(n))
        k->queue->ready(k->queue);
}

static void on_news(struct ev_loop *loop, ev_async *w, int events)
{
    struct file_port *k = w->data;

    (void)loop;
    (void)events;
    k->queue->ready(k->queue);
}

static int file_attach(struct port *p, struct port_queue *q,
                       struct ev_loop *loop)
{
    struct file_port *k = file_of(p);

    if (q->index != 0 || k->fd < 0)
        return -EINVAL;
    if (!k->reader)
        return 0; /* nothing ever comes from a recorder */
    k->queue = q;
    ev_io_init(&k->due, on_due, k->timer, EV_READ);
    k->due.data = k;
    ev_io_start(loop, &k->due);
    ev_async_init(&k->news, on_news);
    k->news.data = k;
    ev_async_start(loop, &k->news);
    pthread_mutex_lock(&k->lock);
    k->loop_of = loop;
    pthread_mutex_unlock(&k->lock);
    wake_at(k, 0);
    return 0;
}

static void file_detach(struct port *p, struct port_queue *q,
                        struct ev_loop *loop)
{
    struct file_port *k = file_of(p);

    if (k->queue != q)
        return;
    pthread_mutex_lock(&k->lock);
    k->loop_of = NULL;
    pthread_mutex_unlock(&k->lock);
    ev_io_stop(loop, &k->due);
    ev_async_stop(loop, &k->news);
    k->queue = NULL;
}

/* ---- replaying ---- */

/* May it begin?  Else looks again later, less and less often. */
static bool begin(struct file_port *k, uint64_t now)
{
    if (k->begun)
        return true;
    if (!atomic_load_explicit(&k->port.forwarding, memory_order_acquire)) {
        wake_at(k, now + k->look);
        k->look = k->look * 2 < LOOK_MOST ? k->look * 2 : LOOK_MOST;
        return false;
    }
    k->begun = true;
    k->base = now + k->start;
    return true;
}

static void end_of_file(struct file_port *k)
{
    k->ended = true;
    atomic_store(&k->over, true);
    atomic_store(&k->port.peer, false);
    port_event(&k->port, PORT_EVENT_DOWN, "end of file");
}

static uint64_t scaled(const struct file_port *k, uint64_t ns)
{
    return k->speed > 0 ? (uint64_t)((double)ns / k->speed) : 0;
}

/*
 * A pass has ended.  The next one begins a mean distance of two frames later;
 * where the capture knows none, a second.
 */
static void end_of_pass(struct file_port *k)
{
    uint64_t gap = k->pass_frames > 1 && k->pass_last
                       ? k->pass_last / (k->pass_frames - 1)
                       : NSEC_PER_SEC;

    k->pass++;
    atomic_store(&k->passes, k->pass);
    k->base += scaled(k, k->pass_last + gap);
    if (k->pass == k->loop || k->pass_frames == 0)
        end_of_file(k);
    k->pass_frames = k->pass_last = 0;
}

static void count_lost(struct batch *b, const struct chunk *c)
{
    for (unsigned i = 0; i < PORT_REASON_COUNT; i++)
        b->lost[i] += c->lost[i];
}

static bool is_last(const struct file_port *k, const struct chunk *c)
{
    return c->broken[0] || (c->end && k->pass + 1 == k->loop);
}

/*
 * A chunk with a frame to replay, if there is one by now.  'given': there are
 * frames of ours in the batch.  They are forwarded when it has returned, so
 * the end must not be told before.
 */
static struct chunk *next_chunk(struct file_port *k, struct batch *b,
                                bool given)
{
    for (unsigned i = 0; i < CHUNKS_PER_TURN && !k->ended; i++) {
        struct chunk *c = k->chunk;

        if (!c) {
            c = k->chunk = reader_chunk(k->reader);
            k->at = 0;
            if (!c)
                return NULL;
            count_lost(b, c);
        }
        if (k->at < c->n)
            return c;
        if (given && is_last(k, c))
            break;
        if (c->broken[0]) {
            port_event(&k->port, PORT_EVENT_FAILED, "%s", c->broken);
            k->ended = true;
            return NULL;
        }
        if (c->end)
            end_of_pass(k);
        k->chunk = NULL;
        reader_done(k->reader, c);
    }
    if (!k->ended)
        wake_at(k, 0);
    return NULL;
}

/* Frames of a capture that is in memory stay there; others are copied. */
static bool give(struct file_port *k, const struct taken *t, struct batch *b)
{
    struct frame *f = &b->frame[b->n];
    void *at;

    *f = t->frame;
    if (!reader_is_whole(k->reader)) {
        at = arena_alloc(b->arena, f->len);
        if (!at)
            return false;
        memcpy(at, f->seg[0].iov_base, f->len);
        f->seg[0].iov_base = at;
    }
    b->n++;
    return true;
}

/* Frames that are due, at most 'budget'. */
static void replay(struct file_port *k, struct batch *b, unsigned budget,
                   uint64_t now)
{
    unsigned first = b->n;

    while (b->n - first < budget && b->n < b->max) {
        struct chunk *c = next_chunk(k, b, b->n > first);
        const struct taken *t;
        uint64_t due;

        if (!c)
            return;
        t = &c->taken[k->at];
        due = k->base + scaled(k, t->at);
        if (due > now) {
            wake_at(k, due);
            return;
        }
        if (!give(k, t, b)) {
            wake_at(k, 0); /* when the turn's memory is free again */
            return;
        }
        k->at++;
        k->pass_frames++;
        k->pass_last = t->at;
    }
}

static int file_rx(struct port *p, unsigned queue, struct batch *b,
                   unsigned budget)
{
    struct file_port *k = file_of(p);
    unsigned first = b->n;
    uint64_t now = clock_now();

    (void)queue;
    if (!k->reader || k->ended || !begin(k, now))
        return 0;
    replay(k, b, budget, now);
    atomic_store_explicit(
        &k->frames,
        atomic_load_explicit(&k->frames, memory_order_relaxed) + b->n - first,
        memory_order_relaxed);
    return atomic_load(&p->failed) ? -EIO : (int)(b->n - first);
}

/* ---- recording ---- */

static void file_tx(struct port *p, unsigned ctx, struct frame *const *f,
                    unsigned n, struct tx_result *r)
{
    struct file_port *k = file_of(p);

    (void)ctx;
    if (k->recorder)
        recorder_put(k->recorder, f, n, r);
    else
        r->refused[PORT_REASON_TX_NOBODY] += n;
}

/* ---- showing ---- */

static void describe_replay(struct file_port *k, struct port_desc *d)
{
    uint32_t passes = atomic_load(&k->passes);
    char of[24] = "";
    char speed[40] = "at full speed";

    if (k->speed == 1)
        snprintf(speed, sizeof(speed), "as fast as recorded");
    else if (k->speed > 0)
        snprintf(speed, sizeof(speed), "%g times as fast as recorded",
                 k->speed);
    if (k->loop)
        snprintf(of, sizeof(of), " of %u", k->loop);
    snprintf(d->detail, sizeof(d->detail),
             "replays %s, %s; %llu frames so far, %s %u%s",
             reader_is_whole(k->reader) ? "from memory" : "from disk", speed,
             (unsigned long long)atomic_load(&k->frames),
             atomic_load(&k->over) ? "end of file after pass" : "pass",
             atomic_load(&k->over) ? passes : passes + 1, of);
}

static void describe_record(struct file_port *k, struct port_desc *d)
{
    uint64_t frames, octets;

    recorder_written(k->recorder, &frames, &octets);
    snprintf(d->detail, sizeof(d->detail),
             "records; %llu frames, %llu octets written",
             (unsigned long long)frames, (unsigned long long)octets);
}

static void file_describe(struct port *p, struct port_desc *d)
{
    struct file_port *k = file_of(p);

    memset(d, 0, sizeof(*d));
    snprintf(d->device, sizeof(d->device), "file %.58s", p->spec.target);
    if (k->reader)
        describe_replay(k, d);
    else if (k->recorder)
        describe_record(k, d);
}

/* ---- the kind ---- */

static struct port *file_alloc(void)
{
    struct file_port *k = calloc(1, sizeof(*k));

    if (!k)
        return NULL;
    k->fd = k->timer = -1;
    pthread_mutex_init(&k->lock, NULL);
    return &k->port;
}

static void file_free(struct port *p)
{
    struct file_port *k = file_of(p);

    pthread_mutex_destroy(&k->lock);
    free(k);
}

static const struct port_ops file_ops = {
    .open = file_open,
    .check = file_check,
    .attach = file_attach,
    .detach = file_detach,
    .rx = file_rx,
    .tx = file_tx,
    .close = file_close,
    .describe = file_describe,
};

const struct port_kind port_kind_pcapfile = {
    .name = "pcapfile",
    .help = "pcapfile:PATH[,speed=...][,loop=...] replays a capture; "
            "pcapfile:PATH,mode=record makes one",
    .keys = file_keys,
    .ops = &file_ops,
    .file = true,
    .peer = true,
    .alloc = file_alloc,
    .free = file_free,
};
