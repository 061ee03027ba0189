#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where output goes: what cannot be written is said, and a file has all of a document, or stays what and where it was."""
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile

import cli

TOO_LITTLE = ("sh", "-c", 'ulimit -f 1; exec "$@"', "sh")


class Files(cli.Test):
    @classmethod
    def setUpClass(cls):
        cls.host = cli.a_host("x86")
        cls.plan = ["plan", "--json", "--host", cls.host]

    def setUp(self):
        self.place = tempfile.mkdtemp(dir=cli.scratch())
        self.path = os.path.join(self.place, "out")

    def write(self, name="out", text="precious\n"):
        path = os.path.join(self.place, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def read(self, path):
        with open(path, encoding="utf-8") as f:
            return f.read()

    def written(self, path, *listed, **how):
        """It is written to, and nothing else is there afterwards."""
        ran = self.exits(0, *self.plan, "-o", path, **how)
        self.assertEqual(ran.out, "")
        self.assertEqual(json.loads(self.read(path))["schema"], "guestcpu.plan")
        self.assertEqual(sorted(os.listdir(self.place)), sorted(listed))

    def kept(self, path, *listed, errno=27):
        """All that it holds stays where there is too little room, and it is said."""
        before = os.stat(path)
        ran = self.exits(3, *self.plan, "-o", path, wrapper=TOO_LITTLE)
        error = ran.json()["error"]
        self.assertEqual((error["code"], error["errno"]), ("kvm", errno), str(ran))
        self.assertIn(path, error["text"])
        self.assertTrue(error["expected"])
        self.assertEqual(self.read(path), "precious\n")
        after = os.stat(path)
        self.assertEqual((after.st_ino, after.st_mode, after.st_nlink), (before.st_ino, before.st_mode, before.st_nlink))
        self.assertEqual(sorted(os.listdir(self.place)), sorted(listed))

    def test_special_bits(self):
        """What a file is beside its bytes stays: a group's bit, and who it is not for."""
        self.write()
        os.chmod(self.path, 0o2664)
        self.written(self.path, "out")
        self.assertEqual(os.stat(self.path).st_mode & 0o7777, 0o2664)

    def test_default_list(self):
        """A folder's list of who may read what is made in it does not come to a file that was there before."""
        entries = (1, 6, 2**32 - 1), (2, 4, 65534), (4, 4, 2**32 - 1), (0x10, 6, 2**32 - 1), (0x20, 0, 2**32 - 1)
        self.write()
        try:
            os.setxattr(self.place, "system.posix_acl_default",
                        struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries))
        except OSError as e:
            cli.skip(f"cli: output: no lists of access here: {e.strerror}")
        self.written(self.path, "out")
        self.assertNotIn("system.posix_acl_access", os.listxattr(self.path))

    def test_mounted(self):
        """A file that is a mount of its own, as in containers, cannot be replaced: it is written."""
        mounted = self.write("mounted")
        self.write()
        script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
        wrapper = ("unshare", "-m", "sh", "-c", script, "sh", mounted, self.path)
        if subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode:
            cli.skip("cli: output: no mounts here")
        self.exits(0, *self.plan, "-o", self.path, wrapper=wrapper)
        self.assertEqual(json.loads(self.read(mounted))["schema"], "guestcpu.plan")
        self.assertEqual(self.read(self.path), "precious\n")

    def test_plain(self):
        self.written(self.path, "out")
        self.write()
        self.kept(self.path, "out")
        self.written(self.path, "out")

    def test_new_file_without_room(self):
        self.exits(3, *self.plan, "-o", self.path, wrapper=TOO_LITTLE)
        self.assertEqual(os.listdir(self.place), [])

    def test_link(self):
        link = os.path.join(self.place, "link")
        real = self.write("real")
        for to in "real", real:
            os.symlink(to, link)
            self.write("real")
            self.kept(link, "link", "real")
            self.written(link, "link", "real")
            self.assertEqual(os.readlink(link), to)
            os.unlink(link)

    def test_links(self):
        """One leads to the other, through another folder, to what is not there yet."""
        os.mkdir(os.path.join(self.place, "sub"))
        os.symlink("sub/second", os.path.join(self.place, "first"))
        os.symlink("../real", os.path.join(self.place, "sub/second"))
        self.written(os.path.join(self.place, "first"), "first", "real", "sub")
        self.assertTrue(os.path.islink(os.path.join(self.place, "sub/second")))
        self.assertEqual(os.listdir(os.path.join(self.place, "sub")), ["second"])
        os.symlink("around", os.path.join(self.place, "around"))
        error = self.exits(3, *self.plan, "-o", os.path.join(self.place, "around")).json()["error"]
        self.assertEqual(error["errno"], 40)

    def test_hard_link(self):
        self.write()
        other = os.path.join(self.place, "other")
        os.link(self.path, other)
        self.kept(other, "other", "out")
        self.written(other, "other", "out")
        self.assertEqual(self.read(self.path), self.read(other))
        # shorter than what was there
        self.write(text="precious\n" * 100000)
        self.written(other, "other", "out")

    def test_mode(self):
        for mode in 0o600, 0o666, 0o640:
            self.write()
            os.chmod(self.path, mode)
            self.written(self.path, "out")
            self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), mode)
        os.unlink(self.path)
        self.written(self.path, "out", wrapper=("sh", "-c", 'umask 027; exec "$@"', "sh"))
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o640)

    def test_owner(self):
        if os.geteuid() != 0:
            cli.skip("cli: another one's file: needs root")
        self.write()
        os.chown(self.path, 65534, 65533)
        self.written(self.path, "out")
        self.assertEqual((os.stat(self.path).st_uid, os.stat(self.path).st_gid), (65534, 65533))

    def test_names(self):
        for n in 250, 255:
            path = os.path.join(self.place, "n" * n)
            self.written(path, "n" * n)
            os.unlink(path)
        error = self.exits(3, *self.plan, "-o", os.path.join(self.place, "n" * 256)).json()["error"]
        self.assertEqual(error["errno"], 36)
        self.assertEqual(os.listdir(self.place), [])

    def test_stale(self):
        """What another run left behind does not stand in the way."""
        self.exits(0, *self.plan, "-o", "out", cwd=self.place,
                   wrapper=("sh", "-c", 'for n in out out.$$ .out.$$; do touch $n.tmp guestcpu-$$.tmp; done; exec "$@"', "sh"))
        self.assertIn("guestcpu.plan", self.read(self.path))

    def test_place_that_takes_no_file(self):
        """The file can be written, its place cannot."""
        wrapper = ()
        if os.geteuid() == 0:
            if not shutil.which("setpriv"):
                cli.skip("cli: a place that cannot be written: needs setpriv as root")
            wrapper = ("setpriv", "--bounding-set=-all")
        self.write()
        os.chmod(self.place, 0o555)
        try:
            self.written(self.path, "out", wrapper=wrapper)
            new = os.path.join(self.place, "new")
            error = self.exits(3, *self.plan, "-o", new, wrapper=wrapper).json()["error"]
            self.assertEqual(error["errno"], 13)
            os.chmod(self.path, 0o444)
            error = self.exits(3, *self.plan, "-o", self.path, wrapper=wrapper).json()["error"]
            self.assertEqual(error["errno"], 13)
        finally:
            os.chmod(self.place, 0o755)

    def test_what_is_open(self):
        """A pipe, and a file by its descriptor."""
        self.assertEqual(self.exits(0, *self.plan, "-o", "/dev/stdout").json()["schema"], "guestcpu.plan")
        with open(self.path, "wb") as f:
            inode = os.fstat(f.fileno()).st_ino
            self.exits(0, *self.plan, "-o", "/dev/stdout", stdout=f)
        self.assertEqual(os.stat(self.path).st_ino, inode)
        self.assertEqual(json.loads(self.read(self.path))["schema"], "guestcpu.plan")

    def test_standard_output_by_name(self):
        """It is the same as -: no text beside the document, nor over it."""
        for name in "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
            for args in (["plan"], ["probe"], ["verify"]):
                host = "model:" + self.host if args == ["verify"] else self.host
                with open(self.path, "wb") as f:
                    self.exits(0, *args, "--host", host, "-o", name, stdout=f)
                self.assertEqual(json.loads(self.read(self.path))["arch"], "x86", name)

    def test_before_the_work(self):
        bad = os.path.join(self.place, "no/such")
        for args in (["probe", "--kvm", "/nonexistent"], ["plan", "--kvm", "/nonexistent"], ["verify", "--kvm", "/nonexistent"],
                     ["trace", "--", "touch", self.path], ["sim", "--host", self.host, "--", "touch", self.path]):
            error = self.exits(3, args[0], "--json", "-o", bad, *args[1:]).json()["error"]
            self.assertEqual((error["code"], error["errno"]), ("kvm", 2))
            self.assertIn(bad, error["text"])
        self.assertEqual(os.listdir(self.place), [])
        # what ends without a document leaves the file alone
        self.write()
        self.exits(3, "plan", "--kvm", "/nonexistent", "-o", self.path)
        self.assertEqual((os.listdir(self.place), self.read(self.path)), (["out"], "precious\n"))

    def test_standard_output_without_room(self):
        for args in self.plan, ["plan", "--all", "--host", self.host], ["features"]:
            with open(self.path, "wb") as f:
                ran = self.exits(3, *args, stdout=f, wrapper=TOO_LITTLE)
            self.assertIn("standard output", ran.err)


class Output(cli.Test):
    @classmethod
    def setUpClass(cls):
        cls.host = cli.a_host("x86")

    def test_file_that_cannot_be_written(self):
        host = ["--host", self.host]
        for path, errno in ((os.path.join(cli.scratch(), "no/such/file"), 2), (cli.scratch(), 21), ("/dev/full", 28), ("", 2)):
            for args in (["plan", *host], ["probe", *host]):
                with self.subTest(path=path, args=args):
                    _, error = self.fails(3, "kvm", *args, "-o", path)
                    self.assertEqual(error["errno"], errno)

    def test_full_standard_output(self):
        for args in (["plan"], ["plan", "--all"], ["plan", "--json"], ["plan", "-f", "cpuid-raw"],
                     ["explain", "avx2"], ["explain", "avx2", "--json"], ["probe"]):
            with self.subTest(args=args), open("/dev/full", "wb") as full:
                ran = cli.guestcpu(*args, "--host", self.host, stdout=full)
                self.assertEqual(ran.code, 3, str(ran))
                self.assertIn("standard output", ran.err)
        for args in (["--help"], ["--version"], ["plan", "--help"], ["help", "plan"], ["features"],
                     ["features", "--json"], ["features", "--hosts", "--json"]):
            with self.subTest(args=args), open("/dev/full", "wb") as full:
                ran = cli.guestcpu(*args, stdout=full)
                self.assertEqual(ran.code, 3, str(ran))
                self.assertIn("standard output", ran.err)

    def test_error_that_standard_output_does_not_take(self):
        for args in (["plan", "--json", "--nosuch"], ["explain", "--json", "--host", self.host, "nosuchfeature"]):
            with self.subTest(args=args), open("/dev/full", "wb") as full:
                ran = cli.guestcpu(*args, stdout=full)
                self.assertEqual(ran.code, 2, str(ran))
                self.assertIn("nosuch", ran.err)

    def test_file_without_a_name(self):
        ran = self.exits(3, "plan", "--host", self.host, "-o", "")
        self.assertIn("'': No such file or directory", ran.err)

    def test_files_hold_the_document(self):
        path = os.path.join(cli.scratch(), "out")
        for args in (["plan", "--json"], ["plan", "-f", "cpuid-raw"], ["probe"]):
            with self.subTest(args=args):
                whole = cli.guestcpu(*args, "--host", self.host)
                ran = self.exits(0, *args, "--host", self.host, "-o", path)
                with open(path, "rb") as f:
                    self.assertEqual(f.read(), whole.raw)
                if args[0] == "plan":
                    self.assertEqual(ran.out, "")
        # a summary for people beside the document for programs
        ran = self.exits(0, "plan", "--host", self.host, "-o", path)
        self.assertIn("planned:", ran.out)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(json.load(f)["schema"], "guestcpu.plan")

    def test_standard_output_by_name(self):
        """-o -: the document and nothing else, as with --json; but errors are text."""
        model = ["--host", "model:" + self.host]
        for args in (["plan", "--host", self.host], ["plan", "-f", "cpuid-raw", "--host", "x86-amd-rome-6-12"], ["probe", "--host", self.host],
                     ["verify", *model], ["verify", "--all", *model]):
            with self.subTest(args=args):
                json = [] if "cpuid-raw" in args else ["--json"]
                self.assertEqual(self.exits(0, *args, "-o", "-").raw, self.exits(0, *args, *json).raw)
                self.assertEqual(self.exits(0, *args, *json, "-o", "-").raw, self.exits(0, *args, *json).raw)
        ran = self.exits(2, "plan", "--host", self.host, "-o", "-", "-c", "host,+nosuch")
        self.assertEqual(ran.out, "")
        self.assertIn("nosuch", ran.err)
        with open("/dev/full", "wb") as full:
            ran = cli.guestcpu("plan", "--host", self.host, "-o", "-", stdout=full)
            self.assertEqual(ran.code, 3, str(ran))
            self.assertIn("standard output: could not be written", ran.err)


if __name__ == "__main__":
    sys.exit(cli.main())
