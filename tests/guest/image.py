#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes the tiny guest of the tests: Debian's kernel for clouds and an initramfs
of busybox, the virtio modules and guest-init.sh.

    tests/guest/image.py            makes what is missing, prints where it is
    tests/guest/image.py --to DIR   also links DIR/vmlinuz and DIR/initramfs to it

Nothing is installed: the kernel's package is fetched by apt-get (which checks
its signature), unpacked and kept in $BASCULE_CACHE (~/.cache/bascule), so that
it happens once.  Several may call this at the same time.
"""
import fcntl
import hashlib
import io
import lzma
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
META_PACKAGE = "linux-image-cloud-amd64"  # depends on the newest kernel
MODULES = ("virtio_pci", "virtio_net")    # and what they depend on
INIT = os.path.join(HERE, "guest-init.sh")
LEASE = os.path.join(HERE, "guest-lease.sh")


class Unavailable(Exception):
    """No guest can be made here; the text says why."""


def cache():
    """The folder that is kept between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.environ.get("BASCULE_CACHE") or os.path.join(home, "bascule")
    os.makedirs(path, exist_ok=True)
    return path


class Locked:
    """One at a time makes things in the cache."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "lock")

    def __enter__(self):
        self.f = open(self.path, "w")
        fcntl.flock(self.f, fcntl.LOCK_EX)

    def __exit__(self, *a):
        self.f.close()


# ---- the kernel ----

def run(*cmd, cwd=None, timeout=300):
    r = subprocess.run(cmd, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       stdin=subprocess.DEVNULL, text=True, timeout=timeout)
    if r.returncode:
        last = (r.stderr or r.stdout).strip().splitlines()[-1:]
        raise Unavailable(f"{' '.join(cmd)}: {' '.join(last) or r.returncode}")
    return r.stdout


def kernel_package():
    """The name of the package that the meta package stands for."""
    for again in (False, True):
        if again and os.geteuid() == 0:
            run("apt-get", "-qq", "update")
        r = subprocess.run(["apt-cache", "depends", "--important", META_PACKAGE],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                           timeout=60)
        m = re.search(r"Depends: (linux-image-\S+)", r.stdout)
        if m:
            return m.group(1)
    raise Unavailable(f"apt knows no {META_PACKAGE}: run apt-get update as root")


def fetch_kernel(target, modules):
    """Unpacks the kernel and all its modules beside the target, then keeps
    what is needed."""
    if not shutil.which("apt-get"):
        raise Unavailable("the guests' kernel comes from Debian by apt-get, which is not here")
    name = kernel_package()
    with tempfile.TemporaryDirectory(dir=os.path.dirname(target)) as tmp:
        try:
            run("apt-get", "-qq", "download", name, cwd=tmp)
        except Unavailable:  # an old index names a file that is gone
            if os.geteuid() != 0:
                raise
            run("apt-get", "-qq", "update")
            run("apt-get", "-qq", "download", kernel_package(), cwd=tmp)
        deb = [f for f in os.listdir(tmp) if f.endswith(".deb")]
        run("dpkg-deb", "-x", os.path.join(tmp, deb[0]), os.path.join(tmp, "x"))
        kept = os.path.join(tmp, "kept")
        os.mkdir(kept)
        boot = os.path.join(tmp, "x", "boot")
        for f in os.listdir(boot):
            if f.startswith("vmlinuz-"):
                shutil.move(os.path.join(boot, f), os.path.join(kept, "vmlinuz"))
        for m in module_order(os.path.join(tmp, "x"), modules):
            with open(os.path.join(kept, f"{m.order:02d}-{m.name}.ko"), "wb") as f:
                f.write(m.data)
        with open(os.path.join(kept, "package"), "w") as f:
            f.write(deb[0] + "\n")
        os.rename(kept, target)


class Module:
    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        self.data = lzma.decompress(data) if path.endswith(".xz") else data
        self.name = module_name(os.path.basename(path))
        m = re.search(rb"\0depends=([^\0]*)\0", self.data)
        self.depends = [module_name(d) for d in m.group(1).decode().split(",") if d] if m else []
        self.order = 0


def module_name(text):
    return re.sub(r"\.ko(\.xz)?$", "", text).replace("-", "_")


def module_order(root, modules):
    """The modules and what they need, each behind what it needs itself.  The package
    has no modules.dep (installing would make it), but each module says."""
    paths = {}
    for d, _, files in os.walk(root):
        paths.update((module_name(f), os.path.join(d, f)) for f in files if ".ko" in f)
    order = []

    def add(name):
        if any(m.name == name for m in order):
            return
        if name not in paths:
            raise Unavailable(f"the kernel's package has no module {name}")
        m = Module(paths[name])
        for d in m.depends:
            add(d)
        m.order = len(order)
        order.append(m)
    for name in modules:
        add(name)
    return order


# ---- the initramfs ----

class Cpio:
    """An archive as the kernel unpacks it (the "newc" format)."""

    def __init__(self):
        self.out, self.ino = io.BytesIO(), 0

    def add(self, name, mode, data=b"", rdev=(0, 0)):
        self.ino += 1
        n = name.encode() + b"\0"
        fields = (self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(n), 0)
        head = b"070701" + b"".join(b"%08X" % x for x in fields) + n
        self.out.write(head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4))

    def folder(self, name):
        self.add(name, stat.S_IFDIR | 0o755)

    def link(self, name, to):
        self.add(name, stat.S_IFLNK | 0o777, to.encode())

    def file(self, name, path, mode=0o755):
        with open(path, "rb") as f:
            self.add(name, stat.S_IFREG | mode, f.read())

    def end(self):
        self.add("TRAILER!!!", 0)
        return self.out.getvalue()


def busybox():
    """The path of a busybox that needs no libraries, and its commands."""
    path = shutil.which("busybox")
    if not path:
        raise Unavailable("busybox is not installed: apt-get install busybox-static")
    with open(path, "rb") as f:
        if b"/ld-linux" in f.read(4096):
            raise Unavailable(f"{path} needs shared libraries: apt-get install busybox-static")
    return path, run(path, "--list").split()


def libraries(program):
    """What a dynamic program loads, as paths."""
    return sorted(set(re.findall(r"(/\S+) \(0x", run("ldd", program))))


def initramfs(kernel, programs=()):
    c = Cpio()
    for d in ("bin", "dev", "etc", "lib", "lib64", "modules", "proc", "sys", "tmp"):
        c.folder(d)
    c.add("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
    path, applets = busybox()
    c.file("bin/busybox", path)
    for a in applets:
        if a != "busybox":
            c.link("bin/" + a, "busybox")
    c.file("init", INIT)
    c.file("etc/lease", LEASE)
    for f in sorted(os.listdir(kernel)):
        if f.endswith(".ko"):
            c.file("modules/" + f, os.path.join(kernel, f), 0o644)
    made = {"lib", "lib64"}
    for p in programs:
        for lib in libraries(p):
            at = ""
            for part in os.path.dirname(lib).strip("/").split("/"):
                at = f"{at}/{part}".strip("/")
                if at not in made:
                    c.folder(at)
                    made.add(at)
            if lib not in made:
                c.file(lib.lstrip("/"), lib)
                made.add(lib)
        c.file("bin/" + os.path.basename(p), p)
    return c.end()


def store(path, data):
    """Complete or not at all."""
    fd, tmp = tempfile.mkstemp(dir=os.path.dirname(path))
    with os.fdopen(fd, "wb") as f:
        f.write(data)
    os.chmod(tmp, 0o644)
    os.rename(tmp, path)


def prune(folder, days=7):
    """Drops what has not been used for long."""
    for f in os.listdir(folder):
        path = os.path.join(folder, f)
        if f.startswith("initramfs-") and time.time() - os.stat(path).st_mtime > days * 86400:
            os.unlink(path)


def image(programs=(), modules=()):
    """(kernel, initramfs); programs of this machine go into its bin, modules are
    loaded beside those for the network."""
    if platform.machine() != "x86_64":
        raise Unavailable(f"guests are made for x86_64 only; this is {platform.machine()}")
    folder, modules = cache(), (*MODULES, *modules)
    with Locked(folder):
        # what makes the kernel's folder is part of its name
        kernel = os.path.join(folder, "kernel-" + hashlib.sha256(
            " ".join(modules).encode()).hexdigest()[:8])
        if not os.path.exists(os.path.join(kernel, "package")):
            fetch_kernel(kernel, modules)
        data = initramfs(kernel, programs)
        path = os.path.join(folder, f"initramfs-{hashlib.sha256(data).hexdigest()[:16]}")
        if os.path.exists(path):
            os.utime(path)
        else:
            store(path, data)
        prune(folder)
    return os.path.join(kernel, "vmlinuz"), path


def link(folder, kernel, initramfs):
    """Under names that do not change."""
    os.makedirs(folder, exist_ok=True)
    for name, path in (("vmlinuz", kernel), ("initramfs", initramfs)):
        tmp = os.path.join(folder, f".{name}.{os.getpid()}")
        os.symlink(path, tmp)
        os.rename(tmp, os.path.join(folder, name))


if __name__ == "__main__":
    try:
        made = image()
        if sys.argv[1:2] == ["--to"]:
            link(sys.argv[2], *made)
        print(*made)
    except Unavailable as e:
        sys.exit(f"image.py: {e}")
