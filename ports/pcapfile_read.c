/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading ahead.  A worker must not wait for a disk, so what it replays lies
 * in memory: all of a small capture, else a ring of chunks that a thread keeps
 * full.  Not mapped: who passed the file could cut it short under us, and a
 * mapped page without its file ends the process.
 *
 * Frames are judged and settled when they are read, once, so that a capture
 * that is replayed over and over costs no more than frames made in advance.
 */
#include "ports/pcapfile.h"

#include "ports/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_OCTETS (2U << 20)
#define CHUNK_FRAMES 8192
#define CHUNKS       (READER_WHOLE / CHUNK_OCTETS)
/* Records looked at for one chunk: a capture of nothing but frames that were
 * cut when they were captured does not hold up who opens it. */
#define CHUNK_RECORDS 65536

_Static_assert(CHUNK_OCTETS >= FRAME_LEN_MAX, "a chunk holds any frame");

struct reader {
    int fd;
    char path[160];
    struct reader_how how;
    /* of who reads */
    pcap_t *pcap;
    struct pcap_pkthdr *held; /* read, and not yet in a chunk */
    const u_char *held_bytes;
    uint64_t first, last; /* time stamps: of the first frame, of the last */
    bool begun;           /* 'first' is set */
    unsigned passes_left; /* if how.passes */
    /* both */
    struct chunk *chunk[CHUNKS];
    unsigned n_chunks;
    bool whole;
    sem_t empty; /* chunks that may be filled */
    _Atomic bool ending;
    bool threaded;
    pthread_t thread;
    /* of who replays */
    unsigned at;
};

/* ---- one pass ---- */

static int start_pass(struct reader *r, struct err *e)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    int fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
    FILE *f;

    if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0 || !(f = fdopen(fd, "rb"))) {
        int rc = err_sys(e, errno, "%s", r->path);

        if (fd >= 0)
            close(fd);
        return rc;
    }
    r->pcap = pcap_fopen_offline_with_tstamp_precision(
        f, PCAP_TSTAMP_PRECISION_NANO, text);
    if (!r->pcap) {
        fclose(f);
        return err_set(e, EINVAL, "%s: %s", r->path, text);
    }
    r->begun = false;
    r->held = NULL;
    if (pcap_datalink(r->pcap) == DLT_EN10MB)
        return 0;
    return err_set(
        e, EINVAL, "%s has frames of type %s, and a bridge needs Ethernet",
        r->path,
        pcap_datalink_val_to_description_or_dlt(pcap_datalink(r->pcap)));
}

static void end_pass(struct reader *r)
{
    if (r->pcap)
        pcap_close(r->pcap);
    r->pcap = NULL;
}

/* Nanoseconds of a stamp; what is out of range counts as the last one's. */
static uint64_t stamp(struct reader *r, const struct pcap_pkthdr *h)
{
    uint64_t t = r->begun ? r->last : 0;

    if (h->ts.tv_sec >= 0 && h->ts.tv_sec < INT64_MAX / 1000000000 &&
        h->ts.tv_usec >= 0 && h->ts.tv_usec < 1000000000)
        t = (uint64_t)h->ts.tv_sec * 1000000000 + (uint64_t)h->ts.tv_usec;
    if (!r->begun)
        r->first = r->last = t;
    r->begun = true;
    if (t > r->last)
        r->last = t;
    return r->last - r->first;
}

/* ---- chunks ---- */

static struct chunk *new_chunk(void)
{
    struct chunk *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->taken = malloc(CHUNK_FRAMES * sizeof(*c->taken));
    c->bytes = malloc(CHUNK_OCTETS);
    if (c->taken && c->bytes)
        return c;
    free(c->taken);
    free(c->bytes);
    free(c);
    return NULL;
}

static bool usable(const struct pcap_pkthdr *h, enum port_reason *why)
{
    if (h->len > FRAME_LEN_MAX)
        *why = PORT_REASON_RX_TRUNCATED;
    else if (h->caplen < h->len)
        *why = PORT_REASON_RX_CUT;
    else if (h->len < FRAME_ETH_HLEN)
        *why = PORT_REASON_RX_RUNT;
    else
        return true;
    return false;
}

static bool judge(const struct reader *r, struct frame *f,
                  enum port_reason *why)
{
    if (r->how.raw)
        return true;
    f->csum = CSUM_UNKNOWN;
    if (!settle_super(f, r->how.mtu, r->how.mss, why))
        return false;
    settle(f);
    return true;
}

/* Takes the frame that is held.  False: the chunk has no room for it. */
static bool take(struct reader *r, struct chunk *c)
{
    const struct pcap_pkthdr *h = r->held;
    struct taken *t = &c->taken[c->n];
    enum port_reason why;

    if (!usable(h, &why)) {
        c->lost[why]++;
        return true;
    }
    if (c->n == CHUNK_FRAMES || CHUNK_OCTETS - c->used < h->len)
        return false;
    memcpy(c->bytes + c->used, r->held_bytes, h->len);
    t->frame = (struct frame){
        .seg = {{c->bytes + c->used, h->len}}, .nseg = 1, .len = h->len};
    t->at = stamp(r, h);
    if (!judge(r, &t->frame, &why)) {
        c->lost[why]++;
        return true;
    }
    c->used += (h->len + 15) & ~15U;
    if (c->used > CHUNK_OCTETS)
        c->used = CHUNK_OCTETS;
    c->n++;
    return true;
}

/* Fills a chunk up to the end of the pass at most. */
static void fill(struct reader *r, struct chunk *c)
{
    unsigned seen = 0;
    int rc = 1;

    c->n = 0;
    c->used = 0;
    c->end = false;
    c->broken[0] = '\0';
    memset(c->lost, 0, sizeof(c->lost));
    while (!atomic_load_explicit(&r->ending, memory_order_relaxed)) {
        if (seen++ == CHUNK_RECORDS)
            return;
        if (!r->held)
            rc = pcap_next_ex(r->pcap, &r->held, &r->held_bytes);
        if (rc != 1)
            break;
        if (!take(r, c))
            return;
        r->held = NULL;
    }
    c->end = true;
    if (rc == PCAP_ERROR)
        snprintf(c->broken, sizeof(c->broken), "%.150s: %.160s", r->path,
                 pcap_geterr(r->pcap));
}

/* ---- the beginning, which may be all ---- */

static int read_first(struct reader *r, struct err *e)
{
    int rc = start_pass(r, e);

    while (!rc && r->n_chunks < CHUNKS) {
        struct chunk *c = new_chunk();

        if (!c)
            return err_set(e, ENOMEM, "%s: no memory", r->path);
        r->chunk[r->n_chunks++] = c;
        fill(r, c);
        atomic_store(&c->full, true);
        if (c->end) {
            r->whole = true;
            end_pass(r);
            break;
        }
    }
    return rc;
}

/* ---- a long one ---- */

/* The next pass, or false if there is none. */
static bool next_pass(struct reader *r, struct chunk *c)
{
    struct err e;

    end_pass(r);
    if (c->broken[0] || (r->how.passes && --r->passes_left == 0))
        return false;
    if (start_pass(r, &e) == 0)
        return true;
    snprintf(c->broken, sizeof(c->broken), "%s", e.text);
    return false;
}

static void *read_ahead(void *arg)
{
    struct reader *r = arg;
    bool more = true;
    unsigned at = 0;

    while (more) {
        struct chunk *c = r->chunk[at];

        while (sem_wait(&r->empty) < 0)
            ; /* EINTR */
        if (atomic_load(&r->ending))
            break;
        fill(r, c);
        if (c->end)
            more = next_pass(r, c);
        atomic_store_explicit(&c->full, true, memory_order_release);
        at = (at + 1) % CHUNKS;
        r->how.news(r->how.arg);
    }
    end_pass(r);
    return NULL;
}

/* All chunks are full: the thread goes on where the first is given back. */
static int start_thread(struct reader *r, struct err *e)
{
    int rc = pthread_create(&r->thread, NULL, read_ahead, r);

    if (rc)
        return err_sys(e, rc, "%s: a thread to read it", r->path);
    r->threaded = true;
    return 0;
}

struct reader *reader_new(int fd, const char *path,
                          const struct reader_how *how, int *rc, struct err *e)
{
    struct reader *r = calloc(1, sizeof(*r));

    if (!r) {
        *rc = err_set(e, ENOMEM, "%s: no memory", path);
        return NULL;
    }
    r->fd = fd;
    r->how = *how;
    r->passes_left = how->passes;
    snprintf(r->path, sizeof(r->path), "%s", path);
    sem_init(&r->empty, 0, 0);
    *rc = read_first(r, e);
    if (!*rc && !r->whole)
        *rc = start_thread(r, e);
    if (!*rc)
        return r;
    reader_free(r);
    return NULL;
}

void reader_free(struct reader *r)
{
    if (!r)
        return;
    atomic_store(&r->ending, true);
    if (r->threaded) {
        sem_post(&r->empty);
        pthread_join(r->thread, NULL);
    }
    end_pass(r);
    sem_destroy(&r->empty);
    for (unsigned i = 0; i < r->n_chunks; i++) {
        free(r->chunk[i]->taken);
        free(r->chunk[i]->bytes);
        free(r->chunk[i]);
    }
    free(r);
}

/* ---- for who replays ---- */

bool reader_is_whole(const struct reader *r)
{
    return r->whole;
}

struct chunk *reader_chunk(struct reader *r)
{
    struct chunk *c = r->chunk[r->at];

    return atomic_load_explicit(&c->full, memory_order_acquire) ? c : NULL;
}

void reader_done(struct reader *r, struct chunk *c)
{
    if (++r->at == r->n_chunks)
        r->at = 0;
    if (r->whole)
        return;
    atomic_store_explicit(&c->full, false, memory_order_release);
    sem_post(&r->empty);
}
