#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""packaging/libvirt/qemu-hook, called as libvirt calls it, and a tap that more than one
guest names.  With libvirtd and guests it is in tests/guest/libvirt_test.py."""
import os
import subprocess

import lib
from lib import need

HOOK = os.path.join(lib.ROOT, "packaging", "libvirt", "qemu-hook")
A, B = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
GUEST = """<domain><name>vm</name><uuid>{uuid}</uuid>
<metadata><b:port xmlns:b='urn:bascule' bridge='br0'/></metadata>
<devices><interface type='ethernet'><mac address='52:54:00:00:00:01'/>
<target dev='{dev}' managed='no'/></interface></devices></domain>"""


def hook(lab, operation, uuid, dev):
    """In the namespace only: `ip netns exec` would mount another /sys."""
    env = dict(os.environ, BASCULE=os.path.join(lib.BUILD, "bascule"),
               BASCULE_SOCKET=lab.sw.sock)
    return subprocess.run(["nsenter", f"--net=/run/netns/{lab.sw.ns}", HOOK, "vm", operation,
                           "begin", "-"], input=GUEST.format(uuid=uuid, dev=dev), env=env,
                          capture_output=True, text=True, timeout=20)


def machine(lab, dev):
    return lib.port_info(lab.sw, "br0", dev)["labels"].get("vm-id")


def starts(lab, uuid, dev):
    for operation in "prepare", "start":
        r = hook(lab, operation, uuid, dev)
        need(r.returncode == 0 and r.stderr == "", f"{operation}: {r}")
    need(machine(lab, dev) == uuid, "it is not labelled")


def test_two_guests_one_tap(lab):
    """While one has it open the other does not start; when it is left behind, it serves
    the other, and the log says so."""
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge has no hook")
    lab.switch()
    dev = f"hk{os.getpid() % 100000}"  # of which the hook keeps a note outside
    lib.sh("ip", "-n", lab.sw.ns, "tuntap", "add", dev, "mode", "tap", "vnet_hdr")
    starts(lab, A, dev)
    vm = lab.vm(dev, br=None)  # as QEMU has it
    lab.sw.wait_forwarding(dev)
    starts(lab, A, dev)  # libvirtd was restarted, say
    for operation in "prepare", "start":
        r = hook(lab, operation, B, dev)
        need(r.returncode == 1 and r.stderr == f"bascule: port {dev} of br0 is that of the guest "
             f"{A}, which runs: give the interface another name\n", f"{operation}: {r}")
        need(machine(lab, dev) == A, "it was relabelled")
    vm.close()  # it was killed, and nobody told the hook
    lib.wait_until(lambda: not lib.port_info(lab.sw, "br0", dev)["link"], 3, "it has no carrier")
    said = f"port {dev} is virtual machine {B}'s from now on; it was {A}'s"
    need(said not in lab.sw.log_tail(60), "said too early")
    starts(lab, B, dev)
    lib.wait_until(lambda: said in lab.sw.log_tail(), 3, "the log says so")
    r = hook(lab, "release", A, dev)
    need(r.returncode == 0 and machine(lab, dev) == B, "the one before took it away")
    hook(lab, "release", B, dev)
    need([p["name"] for p in lab.sw.json("port", "show", "br0")] == ["br0"], "it is still a port")


lib.main()
