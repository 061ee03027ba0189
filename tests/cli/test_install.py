#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make install DESTDIR=... prefix=/usr` from a build directory of its own, and a program
against what was installed, with the shared and with the static library."""
import glob
import os
import re
import shutil
import subprocess
import sys

import cli
import examples

HEADERS = ["catalogue.h", "error.h", "feature.h", "guestcpu.h", "kvm.h", "machine.h", "model.h", "plan.h", "request.h",
           "snapshot.h", "verify.h"]

PROGRAM = r"""
#include <guestcpu/guestcpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int write_out(void *file, const char *data, size_t n)
{
	return fwrite(data, 1, n, file) != n;
}

/* A request of a megabyte is refused by its length, not by a crash. */
static int long_request(void)
{
	struct gcpu_request *req = NULL;
	struct gcpu_error err;
	char *text = malloc((1 << 20) + 1);
	int status;

	if (!text)
		return 1;
	memset(text, 'x', 1 << 20);
	text[1 << 20] = 0;
	status = gcpu_request_parse(GCPU_ARCH_X86, text, &req, &err);
	free(text);
	return status != GCPU_ERR_SYNTAX || req || err.code != status;
}

int main(int argc, char **argv)
{
	static char text[16 << 20];
	struct gcpu_snapshot *snap = NULL;
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;
	struct gcpu_error err;
	size_t n = fread(text, 1, sizeof(text), stdin);

	if (argc != 2 || long_request())
		return 2;
	if (gcpu_snapshot_parse(text, n, &snap, &err) ||
	    gcpu_request_parse(gcpu_snapshot_arch(snap), argv[1], &req, &err) ||
	    gcpu_plan_make(snap, req, NULL, &plan, &err)) {
		fprintf(stderr, "%s (%s)\n", err.text, gcpu_strerror(err.code));
		return 1;
	}
	if (gcpu_plan_write_json(plan, write_out, stdout))
		return 1;
	gcpu_plan_free(plan);
	gcpu_request_free(req);
	gcpu_snapshot_free(snap);
	return 0;
}
"""

PLUSPLUS = r"""
#include <guestcpu/guestcpu.h>
#include <cstdio>
#include <memory>
#include <vector>

template <class T> using owned = std::unique_ptr<T, void (*)(T *)>;

int main()
{
	gcpu_error err;
	gcpu_snapshot *s = nullptr;
	gcpu_request *r = nullptr;
	gcpu_plan *p = nullptr;
	gcpu_machine machine;

	gcpu_machine_init(&machine);
	machine.vcpus = 2;
	if (gcpu_snapshot_bundled("x86-amd-rome-6-12", &s, &err) ||
	    gcpu_request_parse(GCPU_ARCH_X86, "host", &r, &err) || gcpu_plan_make(s, r, &machine, &p, &err))
		return 1;
	owned<gcpu_snapshot> snapshot(s, gcpu_snapshot_free);
	owned<gcpu_request> request(r, gcpu_request_free);
	owned<gcpu_plan> plan(p, gcpu_plan_free);
	std::vector<const char *> rules;
	auto note = [](void *ctx, const gcpu_reason *reason) {
		static_cast<std::vector<const char *> *>(ctx)->push_back(reason->rule);
		return 0;
	};
	auto step = [](void *, const gcpu_step *todo) -> int { return !todo->why; };

	if (gcpu_plan_explain(p, "avx2", note, &rules, &err) || rules.empty() || gcpu_plan_recipe(p, step, nullptr))
		return 2;
	std::printf("avx2 %s, %u vCPUs\n", gcpu_plan_has(p, GCPU_X86_AVX2) ? "on" : "off", gcpu_plan_vcpus(p));
}
"""


def call(*args, **how):
    done = subprocess.run(args, capture_output=True, timeout=280, **how)
    if done.returncode:
        raise AssertionError(f"{' '.join(args)}: exit {done.returncode}\n"
                             + (done.stdout + done.stderr).decode("utf-8", "replace")[-3000:])
    return done.stdout


class Install(cli.Test):
    @classmethod
    def setUpClass(cls):
        cls.place = cli.scratch()
        cls.image = os.path.join(cls.place, "image")
        for tool in ("make", "meson", "ninja", "pkg-config", "cc"):
            if not shutil.which(tool):
                cli.skip(f"cli: install: no {tool}")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("MESON", "NINJA", "MAKE", "MFLAGS"))}
        # a relative DESTDIR means: from where make was called
        call("make", "-C", cli.ROOT, "install", "BUILD=" + os.path.join(cls.place, "build"),
             "DESTDIR=" + os.path.relpath(cls.image, cli.ROOT), "prefix=/usr", env=env)
        found = glob.glob(os.path.join(cls.image, "usr/**/guestcpu.pc"), recursive=True)
        assert len(found) == 1, found
        cls.libdir = os.path.dirname(os.path.dirname(found[0]))
        cls.env = dict(env, PKG_CONFIG_PATH=os.path.dirname(found[0]),
                       PKG_CONFIG_SYSROOT_DIR=cls.image, LD_LIBRARY_PATH=cls.libdir)

    def flags(self, *args):
        """As pkg-config gives them; only our own files are in the image."""
        words = call("pkg-config", *args, "guestcpu", env=self.env).decode().split()
        return [w for w in words if not w.startswith(("-I", "-L")) or os.path.isdir(w[2:])]

    def test_files(self):
        version = call(cli.TOOL, "--version").decode().split()[1]
        usr = os.path.join(self.image, "usr")
        expected = ["bin/guestcpu", "share/man/man1/guestcpu.1", "share/man/man3/libguestcpu.3",
                    "share/bash-completion/completions/guestcpu"]
        expected += ["include/guestcpu/" + name for name in HEADERS]
        lib = os.path.relpath(self.libdir, usr)
        self.assertTrue(lib.startswith("lib"), lib)
        expected += [f"{lib}/{name}" for name in ("libguestcpu.a", "libguestcpu.so", "libguestcpu.so.0",
                                                  f"libguestcpu.so.{version}", "guestcpu/libguestcpu-sim.so",
                                                  "pkgconfig/guestcpu.pc")]
        found = [os.path.relpath(os.path.join(folder, name), self.image)
                 for folder, _, names in os.walk(self.image) for name in names]
        self.assertEqual(sorted(found), sorted("usr/" + name for name in expected))
        installed = os.path.join(usr, "bin/guestcpu")
        self.assertEqual(call(installed, "--version"), call(cli.TOOL, "--version"))
        traced = subprocess.run([installed, "trace", "--", "sh", "-c", "echo $LD_PRELOAD >&2"], capture_output=True, text=True, check=False)
        self.assertIn(os.path.join(os.path.realpath(self.libdir), "guestcpu/libguestcpu-sim.so"), traced.stderr)
        self.assertNotIn(self.place.encode(), call("readelf", "-d", installed) if shutil.which("readelf") else b"")
        # the map keeps everything else inside
        names = call("nm", "-D", "--defined-only", os.path.join(self.libdir, "libguestcpu.so")).decode()
        names = [line.split()[-1].split("@")[0] for line in names.splitlines()]
        self.assertTrue(names)
        self.assertEqual([n for n in names if not n.startswith(("gcpu_", "GUESTCPU_", "guestcpu_"))], [])

    def test_pkg_config(self):
        self.assertEqual(call("pkg-config", "--modversion", "guestcpu", env=self.env).split(),
                         [call(cli.TOOL, "--version").split()[1]])
        self.assertIn("-lguestcpu", self.flags("--libs"))
        self.assertEqual(set(self.flags("--libs", "--static")) - set(self.flags("--libs")), set())
        with open(os.path.join(self.libdir, "pkgconfig/guestcpu.pc"), encoding="utf-8") as f:
            self.assertIn("prefix=/usr\n", f.read())

    def test_no_other_library(self):
        """Built where pkg-config finds nothing: whatever kind, the library is all there is to link."""
        nothing = dict(self.env, PKG_CONFIG_LIBDIR=self.place, PKG_CONFIG_PATH="")
        for kind in "shared", "static":
            build = os.path.join(self.place, kind + "-only")
            call("meson", "setup", build, cli.ROOT, "-Ddefault_library=" + kind, env=nothing)
            env = dict(self.env, PKG_CONFIG_PATH=os.path.join(build, "meson-private"))
            for how in [], ["--static"]:
                words = call("pkg-config", "--libs", *how, "guestcpu", env=env).decode().split()
                self.assertEqual([w for w in words if not w.startswith("-L")], ["-lguestcpu"])
        if shutil.which("readelf"):
            needed = call("readelf", "-d", os.path.join(self.libdir, "libguestcpu.so")).decode()
            needed = re.findall(r"\(NEEDED\).*\[(.*)\]", needed)
            self.assertEqual([name for name in needed if not name.startswith("ld-linux")], ["libc.so.6"])

    def test_headers_alone(self):
        flags = self.flags("--cflags")
        for name in HEADERS:
            source = os.path.join(self.place, "alone.c")
            with open(source, "w", encoding="utf-8") as f:
                f.write(f"#include <guestcpu/{name}>\n#include <guestcpu/{name}>\nint used;\n")
            call("cc", "-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", *flags, "-c", source,
                 "-o", source + ".o")
            if shutil.which("c++"):
                call("c++", "-Wall", "-Wextra", "-Werror", *flags, "-x", "c++", "-c", source, "-o", source + ".o")

    def check_program(self, program):
        for arch in ("x86", "arm64"):
            host = cli.a_host(arch)
            installed = os.path.join(self.image, "usr/bin/guestcpu")
            snapshot = call(installed, "probe", "--host", host)
            out = call(program, "host", input=snapshot, env=self.env)
            self.assertEqual(out, call(installed, "plan", "--host", host, "-c", "host", "--json"))

    def build(self, name, *flags):
        source = os.path.join(self.place, "program.c")
        with open(source, "w", encoding="utf-8") as f:
            f.write(PROGRAM)
        program = os.path.join(self.place, name)
        call("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", *self.flags("--cflags"), source, "-o", program,
             *flags, env=self.env)
        return program

    def example(self, name, compiler, *flags):
        program = os.path.join(self.place, f"{name}-{compiler}")
        call(compiler, "-Wall", "-Wextra", "-Werror", *self.flags("--cflags"),
             os.path.join(cli.ROOT, "examples", name + ".c"), "-o", program, *flags, env=self.env)
        return program

    def test_examples(self):
        """As their first lines say, with each compiler there is, against both libraries."""
        shared = self.flags("--libs")
        static = [f if f != "-lguestcpu" else "-l:libguestcpu.a" for f in self.flags("--libs", "--static")]
        compilers = [c for c in ("gcc", "clang") if shutil.which(c)]
        self.assertTrue(compilers)
        for compiler in compilers:
            for flags in shared, static:
                for name in "plan", "vmm":
                    program = self.example(name, compiler, *flags)
                    self.assertEqual(b"libguestcpu" in call("ldd", program, env=self.env), flags is shared)
                    with self.subTest(name=name, compiler=compiler, static=flags is static):
                        getattr(examples, "check_" + name)(self, program, self.env)

    def test_cplusplus(self):
        compilers = [c for c in ("g++", "clang++") if shutil.which(c)]
        if not compilers:
            cli.skip("cli: install: no C++ compiler")
        source = os.path.join(self.place, "use.cc")
        with open(source, "w", encoding="utf-8") as f:
            f.write(PLUSPLUS)
        for compiler in compilers:
            for standard in "c++11", "c++20":
                program = os.path.join(self.place, "use")
                call(compiler, "-std=" + standard, "-pedantic", "-Wall", "-Wextra", "-Werror", *self.flags("--cflags"),
                     source, "-o", program, *self.flags("--libs"), env=self.env)
                self.assertEqual(call(program, env=self.env), b"avx2 on, 2 vCPUs\n")

    def test_shared(self):
        program = self.build("shared", *self.flags("--libs"))
        self.assertIn(b"libguestcpu.so.0", call("ldd", program, env=self.env))
        self.check_program(program)

    def test_static(self):
        flags = [f if f != "-lguestcpu" else "-l:libguestcpu.a" for f in self.flags("--libs", "--static")]
        program = self.build("static", *flags)
        self.assertNotIn(b"libguestcpu", call("ldd", program, env=self.env))
        self.check_program(program)

    def test_wholly_static(self):
        if subprocess.run(["cc", "-static", "-x", "c", "-", "-o", os.path.join(self.place, "no")],
                          input=b"int main(void) { return 0; }", capture_output=True, check=False).returncode:
            cli.skip("cli: install: no static C library")
        program = self.build("wholly", "-static", *self.flags("--libs", "--static"))
        self.check_program(program)


if __name__ == "__main__":
    sys.exit(cli.main())
