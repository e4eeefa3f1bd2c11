/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recording.  Even the page cache makes a writer wait when the disk cannot
 * keep up, so forwarders copy frames to memory, and a thread writes them:
 * when half of it is used, and a moment after the last frame otherwise.
 *
 * When writing fails (the disk is full, a limit is reached) the file is cut
 * behind its last whole frame and the port fails.
 */
#include "ports/pcapfile.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define ROOM       (8U << 20)
#define STDIO_ROOM (256U << 10)
#define IDLE_NS    (100 * NSEC_PER_MSEC)

/* A frame in memory; its octets follow. */
struct note {
    struct timespec time;
    uint32_t len;
};

struct recorder {
    int fd;
    off_t before; /* octets of what is gone on with */
    char path[160];
    void (*failed)(void *arg, const char *why);
    void *arg;
    pcap_t *pcap;
    pcap_dumper_t *dump;
    pthread_t thread;
    bool threaded;

    pthread_mutex_t lock;
    pthread_cond_t work;
    /* under the lock */
    struct arena filling;
    bool ending, broken;
    /* of the thread */
    struct arena writing;
    int64_t good; /* octets of the file that are whole frames */
    _Atomic uint64_t frames, octets;
};

/* ---- writing ---- */

/* A file that would become longer than the process may write (RLIMIT_FSIZE)
 * is told by a signal that ends the process; the error says it as well. */
struct guarded {
    sigset_t limit, old;
};

static void guard(struct guarded *g)
{
    sigemptyset(&g->limit);
    sigaddset(&g->limit, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &g->limit, &g->old);
}

static void unguard(struct guarded *g)
{
    static const struct timespec now = {0};

    while (!sigismember(&g->old, SIGXFSZ) &&
           sigtimedwait(&g->limit, NULL, &now) == SIGXFSZ)
        ;
    pthread_sigmask(SIG_SETMASK, &g->old, NULL);
}

/* 0 or the errno of what could not be written. */
static int flush(struct recorder *r)
{
    errno = 0;
    if (pcap_dump_flush(r->dump) == 0 && !ferror(pcap_dump_file(r->dump)))
        return 0;
    return errno ? errno : EIO;
}

static int write_notes(struct recorder *r)
{
    const uint8_t *at = r->writing.base, *end = at + r->writing.used;
    FILE *file = pcap_dump_file(r->dump);
    uint64_t frames = 0;
    int rc;

    while (at < end && !ferror(file)) {
        struct pcap_pkthdr h;
        struct note n;

        memcpy(&n, at, sizeof(n));
        /* a dumper of nanoseconds wants them where the name says otherwise */
        h.ts.tv_sec = n.time.tv_sec;
        h.ts.tv_usec = n.time.tv_nsec;
        h.caplen = h.len = n.len;
        pcap_dump((u_char *)r->dump, &h, at + sizeof(n));
        at += sizeof(n) + n.len;
        frames++;
    }
    rc = ferror(file) && errno ? errno : flush(r);
    if (rc)
        return rc;
    r->good = pcap_dump_ftell64(r->dump);
    atomic_fetch_add(&r->frames, frames);
    atomic_store(&r->octets, (uint64_t)r->good);
    return 0;
}

static void give_up(struct recorder *r, int rc)
{
    char why[220];

    pthread_mutex_lock(&r->lock);
    r->broken = true;
    r->filling.used = 0;
    pthread_mutex_unlock(&r->lock);
    (void)!ftruncate(r->fd, r->good);
    snprintf(why, sizeof(why), "recording to %s: %s", r->path, strerror(rc));
    r->failed(r->arg, why);
}

/* ---- the thread ---- */

static void moment_from_now(struct timespec *t)
{
    clock_gettime(CLOCK_MONOTONIC, t);
    t->tv_nsec += (long)IDLE_NS;
    if (t->tv_nsec >= (long)NSEC_PER_SEC) {
        t->tv_nsec -= (long)NSEC_PER_SEC;
        t->tv_sec++;
    }
}

/* Waits for something to write; takes it.  False: there is nothing more. */
static bool take_notes(struct recorder *r)
{
    struct arena full;
    struct timespec until;
    bool some;

    pthread_mutex_lock(&r->lock);
    while (!r->filling.used && !r->ending)
        pthread_cond_wait(&r->work, &r->lock);
    moment_from_now(&until);
    while (r->filling.used < ROOM / 2 && !r->ending)
        if (pthread_cond_timedwait(&r->work, &r->lock, &until) == ETIMEDOUT)
            break;
    full = r->filling;
    r->filling = r->writing;
    r->filling.used = 0;
    r->writing = full;
    some = full.used > 0;
    pthread_mutex_unlock(&r->lock);
    return some;
}

static void *write_behind(void *arg)
{
    struct recorder *r = arg;
    struct guarded g;
    int rc = 0;

    guard(&g);
    while (!rc && take_notes(r)) {
        rc = write_notes(r);
        if (rc)
            give_up(r, rc);
    }
    unguard(&g);
    return NULL;
}

/* ---- life ---- */

static int start_thread(struct recorder *r, struct err *e)
{
    int rc = pthread_create(&r->thread, NULL, write_behind, r);

    if (rc)
        return err_sys(e, rc, "%s: a thread to write it", r->path);
    r->threaded = true;
    return 0;
}

/* The file has one at its beginning, and libpcap has written another. */
static int drop_header(struct recorder *r, struct err *e)
{
    if (ftruncate(r->fd, r->before) < 0 ||
        fseeko(pcap_dump_file(r->dump), r->before, SEEK_SET) < 0)
        return err_sys(e, errno, "going on with %s", r->path);
    r->good = r->before;
    return 0;
}

/* The file's header, on the disk. */
static int begin_file(struct recorder *r, struct err *e)
{
    int fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0), rc;
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    struct guarded g;

    if (!file) {
        rc = err_sys(e, errno, "%s", r->path);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    setvbuf(file, NULL, _IOFBF, STDIO_ROOM);
    r->dump = pcap_dump_fopen(r->pcap, file);
    if (!r->dump) {
        fclose(file);
        return err_set(e, EIO, "%s: %s", r->path, pcap_geterr(r->pcap));
    }
    guard(&g);
    rc = flush(r);
    unguard(&g);
    if (rc)
        return err_sys(e, rc, "recording to %s", r->path);
    r->good = pcap_dump_ftell64(r->dump);
    return r->before ? drop_header(r, e) : 0;
}

static int lock_file(struct recorder *r, bool go_on, struct err *e)
{
    struct stat st;

    if (flock(r->fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK
                   ? err_set(e, EBUSY, "%s is being recorded to already",
                             r->path)
                   : err_sys(e, errno, "%s: lock", r->path);
    if (go_on && fstat(r->fd, &st) == 0)
        r->before = st.st_size;
    if ((!r->before && ftruncate(r->fd, 0) < 0) ||
        lseek(r->fd, r->before, SEEK_SET) < 0)
        return err_sys(e, errno, "emptying %s", r->path);
    return 0;
}

static int begin(struct recorder *r, bool go_on, struct err *e)
{
    int rc = lock_file(r, go_on, e);

    if (rc)
        return rc;
    if (arena_init(&r->filling, ROOM) || arena_init(&r->writing, ROOM))
        return err_set(e, ENOMEM, "%s: no memory", r->path);
    r->pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, FRAME_LEN_MAX,
                                                   PCAP_TSTAMP_PRECISION_NANO);
    if (!r->pcap)
        return err_set(e, ENOMEM, "%s: no memory", r->path);
    rc = begin_file(r, e);
    return rc ? rc : start_thread(r, e);
}

struct recorder *recorder_new(int fd, const char *path, bool go_on,
                              void (*failed)(void *arg, const char *why),
                              void *arg, int *rc, struct err *e)
{
    struct recorder *r = calloc(1, sizeof(*r));
    pthread_condattr_t monotonic;

    if (!r) {
        *rc = err_set(e, ENOMEM, "%s: no memory", path);
        return NULL;
    }
    r->fd = fd;
    r->failed = failed;
    r->arg = arg;
    snprintf(r->path, sizeof(r->path), "%s", path);
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *rc = begin(r, go_on, e);
    if (!*rc)
        return r;
    recorder_free(r);
    return NULL;
}

static void end_file(struct recorder *r)
{
    struct guarded g;

    guard(&g);
    pcap_dump_close(r->dump);
    unguard(&g);
    if (r->broken) /* what stdio still held came behind */
        (void)!ftruncate(r->fd, r->good);
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    if (r->threaded) {
        pthread_mutex_lock(&r->lock);
        r->ending = true;
        pthread_cond_signal(&r->work);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
    }
    if (r->dump)
        end_file(r);
    if (r->pcap)
        pcap_close(r->pcap);
    (void)flock(r->fd, LOCK_UN);
    arena_destroy(&r->filling);
    arena_destroy(&r->writing);
    pthread_cond_destroy(&r->work);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* ---- for who forwards ---- */

/* With the lock held.  False: no room. */
static bool note_frame(struct recorder *r, const struct timespec *now,
                       const struct frame *f)
{
    const struct note n = {.time = *now, .len = f->len};
    uint8_t *at = r->filling.base + r->filling.used;

    if (arena_left(&r->filling) < sizeof(n) + f->len)
        return false;
    memcpy(at, &n, sizeof(n));
    at += sizeof(n);
    for (unsigned i = 0; i < f->nseg; i++) {
        memcpy(at, f->seg[i].iov_base, f->seg[i].iov_len);
        at += f->seg[i].iov_len;
    }
    r->filling.used += sizeof(n) + f->len;
    return true;
}

void recorder_put(struct recorder *r, struct frame *const *f, unsigned n,
                  struct tx_result *res)
{
    struct timespec now;
    size_t before;

    clock_gettime(CLOCK_REALTIME, &now);
    pthread_mutex_lock(&r->lock);
    before = r->filling.used;
    for (unsigned i = 0; i < n; i++) {
        if (r->broken) {
            res->refused[PORT_REASON_TX_FAILED]++;
        } else if (note_frame(r, &now, f[i])) {
            res->sent++;
            res->bytes += f[i]->len;
        } else {
            res->refused[PORT_REASON_TX_PEER_SLOW]++;
        }
    }
    if ((before == 0 && r->filling.used) ||
        (before < ROOM / 2 && r->filling.used >= ROOM / 2))
        pthread_cond_signal(&r->work);
    pthread_mutex_unlock(&r->lock);
}

void recorder_written(const struct recorder *r, uint64_t *frames,
                      uint64_t *octets)
{
    *frames = atomic_load(&r->frames);
    *octets = atomic_load(&r->octets);
}
