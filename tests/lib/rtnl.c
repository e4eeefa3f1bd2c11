/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/rtnl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/userfaultfd.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096

static int tun = -1, faults = -1, enough = -1;
static pthread_t holder, keeper;
static void *page = MAP_FAILED;
static int limit_ms;

static void cannot(const char *what)
{
    fprintf(stderr, "cannot hold the kernel's lock: %s: %s\n", what,
            strerror(errno));
    exit(77);
}

static void die(const char *what)
{
    perror(what);
    abort();
}

void rtnl_start(void)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    struct uffdio_api api = {.api = UFFD_API};

    tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (tun < 0 || ioctl(tun, TUNSETIFF, &ifr) < 0)
        cannot("making a tap");
    faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    if (faults < 0 || ioctl(faults, UFFDIO_API, &api) < 0)
        cannot("userfaultfd");
    enough = eventfd(0, EFD_CLOEXEC);
    if (enough < 0)
        cannot("eventfd");
}

void rtnl_end(void)
{
    close(tun);
    close(faults);
    close(enough);
}

/* The argument is refused, which takes the lock as well. */
static void *hold(void *arg)
{
    (void)ioctl(tun, TUNSETSNDBUF, page);
    return arg;
}

/* The lock is held from the fault until the page is there. */
static void *keep(void *arg)
{
    struct pollfd p = {enough, POLLIN, 0};
    struct uffdio_zeropage z = {.range = {(uintptr_t)page, PAGE}};

    (void)poll(&p, 1, limit_ms);
    if (ioctl(faults, UFFDIO_ZEROPAGE, &z) < 0)
        die("UFFDIO_ZEROPAGE");
    return arg;
}

void rtnl_hold(double seconds)
{
    struct uffdio_register r = {.mode = UFFDIO_REGISTER_MODE_MISSING};
    struct uffd_msg m;

    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
    if (page == MAP_FAILED)
        die("mmap");
    r.range = (struct uffdio_range){(uintptr_t)page, PAGE};
    if (ioctl(faults, UFFDIO_REGISTER, &r) < 0)
        die("UFFDIO_REGISTER");
    limit_ms = (int)(seconds * 1000);
    if (pthread_create(&holder, NULL, hold, NULL) ||
        read(faults, &m, sizeof(m)) != sizeof(m) ||
        pthread_create(&keeper, NULL, keep, NULL))
        die("holding the kernel's lock");
}

void rtnl_release(void)
{
    uint64_t n = 1;

    if (write(enough, &n, sizeof(n)) != sizeof(n))
        die("eventfd");
    pthread_join(keeper, NULL);
    pthread_join(holder, NULL);
    if (read(enough, &n, sizeof(n)) != sizeof(n))
        die("eventfd");
    munmap(page, PAGE);
}
