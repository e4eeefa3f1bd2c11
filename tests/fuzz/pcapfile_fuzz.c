/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A capture as somebody may hand it over: read as a pcapfile port reads it,
 * and each frame that comes of it held against what a frame must be.  Input:
 * an octet of keys, the file.
 */
#include "tests/fuzz/pieces.h"

#include "ports/pcapfile.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static struct arena arena;

static void check_frame(const struct frame *f, const struct reader_how *how,
                        const struct chunk *c)
{
    struct frame again = *f;
    enum port_reason why;

    CHECK(f->nseg == 1 && f->seg[0].iov_len == f->len);
    CHECK(f->len >= FRAME_ETH_HLEN && f->len <= FRAME_LEN_MAX);
    CHECK((uint8_t *)f->seg[0].iov_base >= c->bytes &&
          (uint8_t *)f->seg[0].iov_base + f->len <= c->bytes + c->used);
    CHECK(f->csum != CSUM_UNKNOWN);
    CHECK(!how->raw || (f->csum == CSUM_COMPLETE && f->vnet.flags == 0));
    /* nothing is claimed of it that a peer's header may not claim */
    CHECK(frame_vnet_check(&again, &why));
    CHECK(again.csum == f->csum && again.len == f->len);
    CHECK(memcmp(&again.vnet, &f->vnet, sizeof(f->vnet)) == 0);
    if (!how->raw)
        CHECK(offload_mtu_ok(f, how->mtu));
    if (frame_is_gso(f))
        CHECK(offload_describes(f));
    check_plain(f, false, &arena);
    check_plain(f, true, &arena);
}

static void read_all(struct reader *r, const struct reader_how *how)
{
    uint64_t last = 0;
    bool end = false;

    CHECK(reader_is_whole(r));
    while (!end) {
        struct chunk *c = reader_chunk(r);

        CHECK(c);
        for (unsigned i = 0; i < c->n; i++) {
            CHECK(c->taken[i].at >= last);
            last = c->taken[i].at;
            check_frame(&c->taken[i].frame, how, c);
        }
        end = c->end;
        CHECK(end || c->broken[0] == '\0');
        reader_done(r, c);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t mtu[] = {1500, 68, 576, 65535};
    struct reader_how how = {.passes = 1};
    struct err e = {""};
    struct reader *r;
    int fd, rc = 0;

    if (!arena.base && arena_init(&arena, 4U << 20))
        abort();
    if (size < 1)
        return 0;
    how.mtu = mtu[data[0] & 3];
    how.raw = data[0] & 4;
    how.mss = data[0] & 8 ? 536 : 0;
    fd = memfd_create("capture", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)size - 1);
    r = reader_new(fd, "capture", &how, &rc, &e);
    CHECK(r ? rc == 0 : rc == -EINVAL && e.text[0]);
    if (r)
        read_all(r, &how);
    reader_free(r);
    CHECK(close(fd) == 0);
    return 0;
}
