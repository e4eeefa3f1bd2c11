/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests as objects and as QEMU's arguments: what is read is written, what is
 * refused says why, and what QEMU is told speaks of the descriptors it gets.
 */
#include "ctl/guest/args.h"
#include "ctl/guest/hugepages.h"
#include "ctl/guest/said.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A definition in JSON, with ' for " so that it can be read here. */
static int read_def(struct guest_def **d, const char *text, struct err *e)
{
    char copy[4096];
    json_t *o;
    int rc;

    snprintf(copy, sizeof(copy), "%s", text);
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    o = json_loads(copy, 0, NULL);
    assert_non_null(o);
    rc = guest_def_read(d, o, e);
    json_decref(o);
    return rc;
}

static struct guest_def *def(const char *text)
{
    struct guest_def *d = NULL;
    struct err e = {""};

    if (read_def(&d, text, &e) != 0)
        fail_msg("%s: %s", text, e.text);
    return d;
}

static void refused(const char *text, const char *part)
{
    struct guest_def *d = NULL;
    struct err e = {""};

    if (read_def(&d, text, &e) == 0)
        fail_msg("%s is taken", text);
    if (!strstr(e.text, part))
        fail_msg("%s: \"%s\" says nothing of \"%s\"", text, e.text, part);
}

static const struct args_host tcg = {.program = "/usr/bin/qemu",
                                     .run_dir = "/run/g"};

/* All arguments in a line; the caller frees it. */
static char *line_of(const struct args *a)
{
    char *line = calloc(1, 65536);

    for (unsigned i = 0; i < a->n; i++) {
        strcat(line, i ? " " : "");
        strcat(line, a->argv[i]);
    }
    return line;
}

static char *built(const char *text, const struct args_host *h, struct args *a)
{
    struct guest_def *d = def(text);
    struct err e = {""};
    char *line;

    if (args_build(a, d, h, &e) != 0)
        fail_msg("%s: %s", text, e.text);
    line = line_of(a);
    /* paths of the list are the definition's: not to be used after this */
    guest_def_free(d);
    return line;
}

static void has(const char *text, const struct args_host *h, const char *part)
{
    struct args a;
    char *line = built(text, h, &a);

    if (!strstr(line, part))
        fail_msg("%s: %s is not in %s", text, part, line);
    free(line);
    args_free(&a);
}

static void has_not(const char *text, const struct args_host *h,
                    const char *part)
{
    struct args a;
    char *line = built(text, h, &a);

    if (strstr(line, part))
        fail_msg("%s: %s is in %s", text, part, line);
    free(line);
    args_free(&a);
}

static void round_trip(void **state)
{
    static const char *const text[] = {
        "{'name':'a'}",
        "{'name':'a','memory':'2G','cpus':'4','disks':[{'path':'/x.qcow2'},"
        "{'path':'/y','bus':'scsi','readonly':'on'}],'snapshot':true,"
        "'nets':[{'bridge':'br0'},{'bridge':'br1','kind':'stream',"
        "'mac':'52:54:00:00:00:01'}],'restart':'on-failure','ksm':false,"
        "'stop_timeout':5}",
        "{'name':'a','kernel':'/k','initrd':'/i','append':'a, b=\\'c\\'',"
        "'vnc':'on','boot':'network','nets':[{'bridge':'b','queues':'2'}],"
        "'qemu_args':['-S','-bios']}",
        "{'name':'a','memory':512,'cpus':2,'hugepages':true,'numa':["
        "{'node':0,'cpus':'0','memory':256},{'node':1,'cpus':'1','memory':256}"
        "]}",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        struct guest_def *d = def(text[i]), *again = NULL;
        json_t *o = guest_def_write(d), *o2;
        struct err e = {""};

        assert_non_null(o);
        assert_int_equal(guest_def_read(&again, o, &e), 0);
        o2 = guest_def_write(again);
        assert_true(json_equal(o, o2));
        json_decref(o);
        json_decref(o2);
        guest_def_free(d);
        guest_def_free(again);
    }
}

static void usual_values(void **state)
{
    struct guest_def *d = def("{'name':'vm1','nets':[{'bridge':'br0'},"
                              "{'bridge':'br0'}],'disks':[{'path':'/a.qcow2'},"
                              "{'path':'/b.img'}]}");

    (void)state;
    assert_int_equal(d->memory, 512);
    assert_int_equal(d->cpus, 1);
    assert_int_equal(d->restart, GUEST_NO);
    assert_int_equal(d->stop_timeout, 0);
    assert_string_equal(d->net[0].port, "vm1");
    assert_string_equal(d->net[1].port, "vm1-1");
    assert_int_equal(d->net[0].queues, 1);
    /* stable, the guest's own, and not each other's */
    assert_int_equal(mac_to_u64(&d->net[0].mac) >> 24, 0x525400);
    assert_false(mac_equal(&d->net[0].mac, &d->net[1].mac));
    assert_int_equal(d->disk[0].format, GUEST_QCOW2);
    assert_int_equal(d->disk[1].format, GUEST_RAW);
    guest_def_free(d);
}

static void refusals(void **state)
{
    (void)state;
    refused("{}", "name is missing");
    refused("{'name':''}", "a word is needed");
    refused("{'name':'../x'}", "letters, digits");
    refused("{'name':'sixteen-letters-'}", "at most 15");
    refused("{'name':'a','colour':'red'}", "no key colour");
    refused("{'name':'a','memory':0}", "--memory 0");
    refused("{'name':'a','memory':'lots'}", "--memory lots");
    refused("{'name':'a','memory':'9999999G'}", "--memory 9999999G");
    refused("{'name':'a','cpus':-1}", "--cpus -1");
    refused("{'name':'a','cpus':2.5}", "--cpus");
    refused("{'name':'a','stop_timeout':0}", "--stop-timeout 0: 1 to 86400");
    refused("{'name':'a','accel':'xen'}", "--accel xen");
    refused("{'name':'a','accel':''}", "--accel");
    refused("{'name':'a','snapshot':'maybe'}", "--snapshot maybe");
    refused("{'name':'a','machine':'pc,accel=kvm'}", "--machine: ','");
    refused("{'name':'a','vnc':'0'}", "--vnc 0");
    refused("{'name':'a','vnc':'x:0,y'}", "--vnc: ','");
    refused("{'name':'a','vnc':'x:59636'}", "--vnc x:59636: HOST:DISPLAY");
    refused("{'name':'a','vnc':'x:'}", "--vnc x:: HOST:DISPLAY");
    refused("{'name':'a','machine':'microvm'}", "it has no PCI");
    refused("{'name':'a','nets':[{'bridge':'br 0'}]}",
            "--net: 'br 0' cannot be a bridge's name");
    refused("{'name':'a','nets':[{'bridge':'..'}]}",
            "--net: '..' cannot be a bridge's name");
    refused("{'name':'a','cdrom':'x'}", "must be absolute");
    refused("{'name':'a','append':'x'}", "goes with --kernel");
    refused("{'name':'a','kernel':'/k','append':'x\\ny'}", "control");
    refused("{'name':'a','disks':[{}]}", "path is missing");
    refused("{'name':'a','disks':[{'path':'/x','bus':'floppy'}]}", "floppy");
    refused("{'name':'a','disks':[{'path':'/x','bus':'ide',"
            "'readonly':true}]}",
            "cannot be read-only");
    refused("{'name':'a','disks':{}}", "a list");
    refused("{'name':'a','disks':['/x']}", "an object");
    refused("{'name':'a','nets':[{'kind':'tap'}]}", "bridge is missing");
    refused("{'name':'all','nets':[{'bridge':'b'}]}",
            "the kernel lets no interface be called all");
    refused("{'name':'a','nets':[{'bridge':'b','kind':'vhost-user'}]}",
            "not available yet");
    refused("{'name':'a','nets':[{'bridge':'b','kind':'stream','queues':2}]}",
            "one queue");
    refused("{'name':'a','nets':[{'bridge':'b','queues':9}]}", "1 to 8");
    refused("{'name':'a','nets':[{'bridge':'b','mac':'ff:ff:ff:ff:ff:ff'}]}",
            "ff:ff");
    refused("{'name':'a','nets':[{'bridge':'b','mac':'52:54:00:00:00:01'},"
            "{'bridge':'b','mac':'52:54:00:00:00:01'}]}",
            "another network of this guest");
    refused("{'name':'fourteen-chars','nets':[{'bridge':'b'},"
            "{'bridge':'b'}]}",
            "fourteen-chars-1");
    refused("{'name':'a','boot':'disk'}", "has none");
    refused("{'name':'a','numa':[{'node':0,'cpus':'0','memory':64}]}",
            "the nodes have 64 MB");
    refused("{'name':'a','numa':[{'node':0,'cpus':'0-1','memory':512}]}",
            "below --cpus 1");
    refused("{'name':'a','cpus':2,'numa':[{'node':0,'cpus':'0',"
            "'memory':512}]}",
            "processor 1 is on no node");
    refused("{'name':'a','qemu_args':[1]}", "--qemu-arg");
}

static void clashes(void **state)
{
    struct guest_def *a = def("{'name':'a','nets':[{'bridge':'b','mac':"
                              "'52:54:00:00:00:01'},{'bridge':'b'}]}");
    struct guest_def *b = def("{'name':'b','nets':[{'bridge':'b'}]}");
    struct guest_def *c = def("{'name':'a-1','nets':[{'bridge':'b'}]}");
    struct guest_def *d = def("{'name':'d','nets':[{'bridge':'b','mac':"
                              "'52:54:00:00:00:01'}]}");
    struct err e = {""};

    (void)state;
    assert_int_equal(guest_def_clash(b, a, &e), 0);
    assert_int_equal(guest_def_clash(a, a, &e), -EEXIST);
    assert_int_equal(guest_def_clash(c, a, &e), -EEXIST);
    assert_non_null(strstr(e.text, "would be called a-1"));
    assert_int_equal(guest_def_clash(d, a, &e), -EEXIST);
    assert_non_null(strstr(e.text, "guest a has that address"));
    guest_def_free(a);
    guest_def_free(b);
    guest_def_free(c);
    guest_def_free(d);
}

static void always_there(void **state)
{
    static const char g[] = "{'name':'g'}";

    (void)state;
    has(g, &tcg, "/usr/bin/qemu -name g -nodefaults -no-user-config");
    has(g, &tcg,
        "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
        "resourcecontrol=deny");
    has(g, &tcg, "-accel tcg");
    has_not(g, &tcg, "-cpu");
    has(g, &tcg, "-m 512 -smp 1");
    has(g, &tcg,
        "-chardev socket,id=qmp,fd=3,server=on,wait=off "
        "-mon chardev=qmp,mode=control");
    has(g, &tcg,
        "-chardev socket,id=console,fd=4,server=on,wait=off "
        "-serial chardev:console -display none");
}

static void machine(void **state)
{
    struct args_host kvm = tcg;

    (void)state;
    kvm.kvm = true;
    has("{'name':'g'}", &kvm, "-accel kvm -cpu host");
    has("{'name':'g','machine':'q35','ksm':'off'}", &tcg,
        "-machine q35,mem-merge=off");
    has("{'name':'g','hugepages':true}", &tcg,
        "memory-backend-memfd,hugetlb=on,id=mem,size=512M");
    has("{'name':'g','hugepages':true}", &tcg, ",memory-backend=mem");
    has("{'name':'g','cpus':2,'numa':[{'node':0,'cpus':'0-1','memory':512}]}",
        &tcg,
        "-object memory-backend-ram,id=mem0,size=512M "
        "-numa node,nodeid=0,cpus=0-1,memdev=mem0");
    has("{'name':'g','vnc':'on'}", &tcg, "-vnc unix:/run/g/own/vnc.sock");
    has("{'name':'g','vnc':'127.0.0.1:1'}", &tcg, "-vga std -vnc 127.0.0.1:1");
    has_not("{'name':'g','vnc':'on'}", &tcg, "-display");
    has("{'name':'g','qemu_args':['-S','a b']}", &tcg, " -S a b");
}

/* Does the list agree with what the arguments say? */
static void check_pass(const struct args *a, unsigned fd, enum pass_kind kind)
{
    assert_true(fd >= ARGS_FIRST_FD && fd - ARGS_FIRST_FD < a->n_pass);
    assert_int_equal(a->pass[fd - ARGS_FIRST_FD].kind, kind);
}

static void disks(void **state)
{
    struct args a;
    char *line = built("{'name':'g','disks':[{'path':'/a,b.qcow2'},"
                       "{'path':'/c','bus':'scsi','readonly':true},"
                       "{'path':'/d','bus':'ide'}],'cdrom':'/e'}",
                       &tcg, &a);

    (void)state;
    /* no path is an argument: commas in it are harmless */
    assert_null(strstr(line, "/a,b"));
    assert_non_null(strstr(line, "-add-fd fd=5,set=5 -drive if=none,id=disk0,"
                                 "file=/dev/fdset/5,format=qcow2,"
                                 "auto-read-only=off -device virtio-blk-pci,"
                                 "drive=disk0,bootindex=0"));
    assert_non_null(strstr(line, "file=/dev/fdset/6,format=raw,readonly=on"));
    assert_non_null(strstr(line, "-device virtio-scsi-pci,id=scsi"));
    assert_non_null(strstr(line, "scsi-hd,bus=scsi.0,drive=disk1"));
    assert_non_null(strstr(line, "ide-hd,drive=disk2"));
    check_pass(&a, 5, PASS_WRITE);
    check_pass(&a, 6, PASS_READ);
    check_pass(&a, 7, PASS_WRITE);
    check_pass(&a, 8, PASS_READ);
    assert_int_equal(a.n_pass, 6);
    free(line);
    args_free(&a);
    has("{'name':'g','snapshot':true,'disks':[{'path':'/a'}]}", &tcg,
        "format=raw,snapshot=on");
}

static void kernel(void **state)
{
    struct args a;
    char *line = built("{'name':'g','kernel':'/k','initrd':'/i',"
                       "'append':'console=ttyS0 x'}",
                       &tcg, &a);

    (void)state;
    assert_non_null(strstr(line, "-kernel /proc/self/fd/5 -initrd "
                                 "/proc/self/fd/6 -append console=ttyS0 x"));
    check_pass(&a, 5, PASS_REOPEN);
    check_pass(&a, 6, PASS_REOPEN);
    free(line);
    args_free(&a);
}

static void nets(void **state)
{
    struct args_host vhost = tcg;
    struct args a;
    char *line;

    (void)state;
    vhost.vhost = true;
    line = built("{'name':'g','nets':[{'bridge':'b','queues':2,'mac':"
                 "'52:54:00:00:00:01'},{'bridge':'b','kind':'stream'}]}",
                 &vhost, &a);
    assert_non_null(strstr(
        line, "-netdev tap,id=net0,fds=5:6,vhost=on,vhostfds=7:8 -device "
              "virtio-net-pci,id=nic0,netdev=net0,mac=52:54:00:00:00:01,mq=on,"
              "vectors=6,romfile="));
    assert_non_null(strstr(
        line, "-netdev stream,id=net1,server=on,addr.type=fd,addr.str=9"));
    check_pass(&a, 5, PASS_TAP);
    check_pass(&a, 6, PASS_TAP);
    check_pass(&a, 7, PASS_VHOST);
    check_pass(&a, 9, PASS_SOCKET);
    free(line);
    args_free(&a);
    has("{'name':'g','nets':[{'bridge':'b'}]}", &tcg,
        "-netdev tap,id=net0,fds=5 -device");
    has_not("{'name':'g','boot':'network','nets':[{'bridge':'b'}]}", &tcg,
            "romfile=");
    has("{'name':'g','boot':'network','nets':[{'bridge':'b'}]}", &tcg,
        ",bootindex=0");
    /* QEMU itself has it for the kernel */
    has_not("{'name':'g','kernel':'/k','disks':[{'path':'/d'}],"
            "'nets':[{'bridge':'b'}]}",
            &tcg, "bootindex");
}

/* The most of everything fits. */
static void full(void **state)
{
    struct guest_def *d;
    struct args a;
    struct err e = {""};
    json_t *o = json_pack("{s:s}", "name", "g"), *disk = json_array(),
           *net = json_array(), *arg = json_array();

    (void)state;
    for (int i = 0; i < GUEST_DISKS_MAX; i++)
        json_array_append_new(disk, json_pack("{s:s}", "path", "/d"));
    for (int i = 0; i < GUEST_NETS_MAX; i++)
        json_array_append_new(net, json_pack("{s:s,s:i}", "bridge", "b",
                                             "queues", GUEST_QUEUES_MAX));
    for (int i = 0; i < GUEST_ARGS_MAX; i++)
        json_array_append_new(arg, json_string("x"));
    json_object_set_new(o, "disks", disk);
    json_object_set_new(o, "nets", net);
    json_object_set_new(o, "qemu_args", arg);
    assert_int_equal(guest_def_read(&d, o, &e), 0);
    json_decref(o);
    assert_int_equal(args_build(&a, d,
                                &(struct args_host){
                                    .program = "q",
                                    .run_dir = "/r",
                                    .seed = "/s",
                                    .vhost = true,
                                },
                                &e),
                     0);
    args_free(&a);
    guest_def_free(d);
}

/* ---- sentences ---- */

static void says(const char *text, const char *line, const char *wanted)
{
    struct guest_def *d = def(text);
    char out[200];

    said_translate(d, line, out, sizeof(out));
    if (strcmp(out, wanted) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", line, out, wanted);
    guest_def_free(d);
}

/* Descriptors 3 and 4 are QMP and the console. */
static void paths(void **state)
{
    static const char g[] = "{'name':'g','kernel':'/k','initrd':'/i','append':"
                            "'x','disks':[{'path':'/a: b'},{'path':'/c'}],"
                            "'cdrom':'/e','cloud_init':'/seed'}";

    (void)state;
    says(g, "Is another process using the image [/dev/fdset/7]?",
         "Is another process using the image [/a: b]?");
    says(g, "could not load kernel '/proc/self/fd/5': No such file",
         "could not load kernel '/k': No such file");
    says(g,
         "-drive if=none,id=disk1,file=/dev/fdset/8,format=qcow2: Image is "
         "not in qcow2 format",
         "--disk /c: Image is not in qcow2 format");
    says(g, "-drive file=/dev/fdset/9: bad", "--cdrom /e: bad");
    says(g, "-drive file=/dev/fdset/10: bad", "--cloud-init /seed: bad");
    /* what is none of ours stays as it is */
    says(g, "/dev/fdset/99 /dev/fdset/ /proc/self/fd/4 -drive x: y",
         "/dev/fdset/99 /dev/fdset/ /proc/self/fd/4 -drive x: y");
    says(g, "-drive bad: file=/dev/fdset/8", "-drive bad: file=/c");
    says(g, "", "");
    /* which machine it does not say */
    says("{'name':'g','machine':'bogus'}", "unsupported machine type",
         "--machine bogus: unsupported machine type");
}

static void is_cut(void **state)
{
    struct guest_def *d = def("{'name':'g','disks':[{'path':'/0123456789'}]}");
    char out[13], exact[14];

    (void)state;
    said_translate(d, "[/dev/fdset/5]", out, sizeof(out));
    assert_string_equal(out, "[/0...56789]");
    said_translate(d, "[/dev/fdset/5]", exact, sizeof(exact));
    assert_string_equal(exact, "[/0123456789]");
    said_translate(d, "-drive file=/dev/fdset/5: bad", out, sizeof(out));
    assert_string_equal(out, "--d...9: bad");
    guest_def_free(d);
}

static void judged_with(const char *text, long others, const char *meminfo,
                        unsigned long overcommit, const char *wanted)
{
    struct guest_def *d = def(text);
    struct err e = {""};

    (void)hugepages_judge(d, others, meminfo, overcommit, &e);
    if (strcmp(e.text, wanted) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", text, e.text, wanted);
    guest_def_free(d);
}

static void judged(const char *text, const char *meminfo,
                   unsigned long overcommit, const char *wanted)
{
    judged_with(text, 0, meminfo, overcommit, wanted);
}

static void huge_pages(void **state)
{
    static const char g[] = "{'name':'g','hugepages':true,'memory':33}";
    static const char some[] = "MemTotal: 1 kB\nHugePages_Total:      20\n"
                               "HugePages_Free:       18\n"
                               "HugePages_Rsvd:        8\n"
                               "HugePages_Surp:        1\n"
                               "Hugepagesize:       2048 kB\n";

    (void)state;
    judged("{'name':'g'}", "", 0, "");
    judged(g, "MemTotal: 1 kB\n", 0,
           "--hugepages: this kernel has no huge pages");
    judged(g, some, 0,
           "--hugepages: 17 huge pages of 2048 kB are needed and 10 are free; "
           "sysctl vm.nr_hugepages=26 reserves enough");
    judged(g, some, 7,
           "--hugepages: 17 huge pages of 2048 kB are needed and 10 are free; "
           "sysctl vm.nr_hugepages=26 reserves enough");
    judged(g, some, 8, "");
    judged_with(g, -13, some, 0, "");
    judged_with(g, -12, some, 0,
                "--hugepages: 17 huge pages of 2048 kB are needed and 16 are "
                "free; sysctl vm.nr_hugepages=20 reserves enough");
    judged_with(g, 1, some, 8,
                "--hugepages: 17 huge pages of 2048 kB are needed and 9 are "
                "free; sysctl vm.nr_hugepages=27 reserves enough");
    judged("{'name':'g','hugepages':true,'memory':20}", some, 0, "");
    judged("{'name':'g','hugepages':true,'memory':20,'cpus':2,'numa':["
           "{'node':0,'cpus':'0','memory':9},{'node':1,'cpus':'1','memory':11}]"
           "}",
           some, 0,
           "--hugepages: 11 huge pages of 2048 kB are needed and 10 are free; "
           "sysctl vm.nr_hugepages=20 reserves enough");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),   cmocka_unit_test(usual_values),
        cmocka_unit_test(refusals),     cmocka_unit_test(clashes),
        cmocka_unit_test(always_there), cmocka_unit_test(machine),
        cmocka_unit_test(disks),        cmocka_unit_test(kernel),
        cmocka_unit_test(nets),         cmocka_unit_test(full),
        cmocka_unit_test(paths),        cmocka_unit_test(is_cut),
        cmocka_unit_test(huge_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
