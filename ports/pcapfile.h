/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcapfile:PATH, inside: the reader (pcapfile_read.c), the recorder
 * (pcapfile_write.c) and the port that has one of them (pcapfile.c).  Nobody
 * else includes this but tests.
 */
#ifndef PORTS_PCAPFILE_H
#define PORTS_PCAPFILE_H

#include "base/err.h"
#include "ports/frame.h"
#include "ports/port.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- reading ---- */

/* A frame of the capture, ready to be received. */
struct taken {
    struct frame frame;
    uint64_t at; /* ns since the capture's first frame, never going back */
};

/*
 * Part of a capture.  'n' frames in file order; those that were of no use are
 * counted in lost[].
 */
struct chunk {
    struct taken *taken;
    unsigned n;
    uint32_t lost[PORT_REASON_COUNT];
    bool end;                  /* of the capture */
    char broken[ERR_TEXT_MAX]; /* "", or what libpcap says of what follows */

    uint8_t *bytes;
    size_t used;
    _Atomic bool full; /* belongs to who replays, else to who reads */
};

struct reader;

struct reader_how {
    uint32_t mtu, mss; /* of the link it was captured on; see settle_super */
    bool raw;          /* frames are to go out octet by octet as they are */
    unsigned passes;   /* how often; 0: for ever */
    /* Called by a thread of the reader's when a chunk became full. */
    void (*news)(void *arg);
    void *arg;
};

/*
 * Begins to read a capture (pcap or pcapng, whatever libpcap reads) from the
 * start of 'fd', a regular file that stays the caller's.  Job thread; blocks
 * for the first chunks: a capture of up to READER_WHOLE octets is then in
 * memory altogether, a longer one is read by a thread, at most a few chunks
 * ahead.  NULL with *rc = -errno and a sentence, libpcap's if it is about the
 * file.
 */
#define READER_WHOLE (32U << 20)
struct reader *reader_new(int fd, const char *path,
                          const struct reader_how *how, int *rc, struct err *e);
/* Ends the thread.  Job thread.  NULL is fine. */
void reader_free(struct reader *r);

/*
 * All of the capture is in memory: frames stay valid until reader_free, and
 * after the end comes the beginning.  Else a chunk's frames are valid until
 * reader_done.
 */
bool reader_is_whole(const struct reader *r);

/*
 * The next chunk in order, or NULL: it is still being read (news() will tell).
 * Worker; never blocks.  Call done when it is used up.
 */
struct chunk *reader_chunk(struct reader *r);
void reader_done(struct reader *r, struct chunk *c);

/* ---- recording ---- */

struct recorder;

/*
 * Begins a capture in 'fd', a regular file that stays the caller's: empties it
 * and writes the header; or, with 'go_on', goes on behind what is there.  Job
 * thread.  'failed' is called by a thread of the
 * recorder's, once, when writing has failed.  NULL with *rc = -errno and a
 * sentence.
 */
struct recorder *recorder_new(int fd, const char *path, bool go_on,
                              void (*failed)(void *arg, const char *why),
                              void *arg, int *rc, struct err *e);
/* Writes what there is and ends the thread.  Job thread.  NULL is fine. */
void recorder_free(struct recorder *r);

/*
 * Any forwarder; never blocks.  Copies frames to memory, from where a thread
 * writes them: what finds no room is refused with PORT_REASON_TX_PEER_SLOW.
 */
void recorder_put(struct recorder *r, struct frame *const *f, unsigned n,
                  struct tx_result *res);

/* Frames and octets that are in the file.  Any thread. */
void recorder_written(const struct recorder *r, uint64_t *frames,
                      uint64_t *octets);

#endif
