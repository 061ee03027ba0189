/* SPDX-License-Identifier: MIT */
/*
 * Traces that are damaged or made to hurt: errors by value, with the line.
 *
 *   trace DIRECTORY-OF-TRACES [ROUNDS]
 */
#include "unit.h"

#include "kvm/abi_x86.h"
#include "kvm/wrap.h"

#include <errno.h>
#include <fcntl.h>

/* A list with room for four elements. */
union table {
	struct gk_cpuid2 c;
	unsigned char room[sizeof(struct gk_cpuid2) + 4 * sizeof(struct gk_cpuid_entry2)];
};

static int ask(const struct gcpu_kvm *kvm, int fd, unsigned long request, const void *arg)
{
	return kvm->ops->ioctl(kvm->ctx, fd, request, (uintptr_t)arg);
}

static const struct {
	const char *text;
	int code;
	size_t line;
} wrong[] = {
	{ "", GCPU_ERR_SCHEMA, 1 },
	{ "guestcpu-trace 2 x86\n", GCPU_ERR_SCHEMA, 1 },
	{ "guestcpu-trace 1 mips\n", GCPU_ERR_SCHEMA, 1 },
	{ "guestcpu-trace 1 \n", GCPU_ERR_SCHEMA, 1 },
	{ "guestcpu-trace 1 x86 \n", GCPU_ERR_SCHEMA, 1 },
	{ "guestcpu-trace 1 x86xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", GCPU_ERR_SCHEMA, 1 },
#define T "guestcpu-trace 1 x86\n"
	{ T "fork = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "\n#\nopen\n", GCPU_ERR_DOCUMENT, 4 },
	{ T "open /dev/kvm = kvm0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "open /dev/kvm 2 = vm0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "open /dev/kvm 2 = 5\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "open /dev/kvm 2 = -4096\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "open /dev/k%6 2 = kvm0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "open /dev/kvm 2 = kvm\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "open /dev/kvm 2 = kvm0 more\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "close kvm99999999999 = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "close 5 = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "close kvm0 = kvm0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_NOTHING 0x0 = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 0x100000000 0x0 = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_CHECK_EXTENSION 0x1 = vm0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_CHECK_EXTENSION -1 = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_CHECK_EXTENSION 0x11111111111111111 = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_CREATE_VM 0x0 = 3\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_CREATE_VM 0x0 = vcpu0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * in=0 = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * in=0g = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * in=+4 = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * in=+. = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * in=+-4. = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * in=+99999999999999999999. = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * in=+4194305. = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * in=+18446744073709551615.+9. = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * in=0101+18446744073709551615. = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * in=+4194304.+4194304. = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * in=00 in=00 = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * out=00 = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * = 0 in=00\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * in=00\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2 * in=00 =\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "ioctl kvm0 KVM_SET_CPUID2  * = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "cpuid 0x0 0x0 = 0 out=00\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "cpuid 0x0 0x0 = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "cpuid 0x0 0x0 = 0 out=+17.\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "cpuid 0x0 0x0 = -1 out=+16.\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "perm 0x0 0x0 = 0 out=+9.\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "file /a 10 = 3 text=ab\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "file /a 10 = 3 out=616263\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "file /a 10 = 3 text=abcd\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "file /a 10 = -2 text=abcd\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "pin x = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "pin -99999999999 = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "pin 0 = 99999999999\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "mmap vm0 = 0\n", GCPU_ERR_DOCUMENT, 2 },
	{ T "pin 0 = 0\r\n", GCPU_ERR_DOCUMENT, 2 },
};

static void test_wrong(void)
{
	struct gcpu_error err;
	struct replay *r = NULL;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int status;

		memset(&err, 0x5a, sizeof(err));
		status = replay_new(wrong[i].text, strlen(wrong[i].text), true, &r, &err);
		CHECK(status == wrong[i].code && !r, "'%s': %d", wrong[i].text, status);
		CHECK(err.code == status && err.line == wrong[i].line, "'%s': line %zu, '%s'", wrong[i].text,
		      err.line, err.text);
		if (status == 0)
			replay_free(r);
		r = NULL;
	}
	CHECK(replay_new(NULL, 0, true, &r, &err) == GCPU_ERR_ARGUMENT, "no text");
}

/* Longer than the caller has room for: no answer, nothing written. */
static void test_room(void)
{
	static const char text[] = "guestcpu-trace 1 x86\n"
				   "open /dev/kvm 0x2 = kvm0\n"
				   "ioctl kvm0 KVM_GET_SUPPORTED_CPUID * in=01+7. = 0 out=ff+200.\n"
				   "ioctl kvm0 KVM_GET_REGS * = 0 out=+145.\n"
				   "file /a 10 = 3 text=abc\n"
				   "ioctl kvm0 KVM_GET_ONE_REG * in=+6.2020+8. = 0 vout=+9.\n"
				   "ioctl kvm0 KVM_CREATE_DEVICE * in=07+11. = 0 out=07+11.\n";
	struct gk_create_device device = { .type = 7 };
	struct gk_one_reg reg = { .id = 0x2020000000000000 };
	struct gk_x86_regs regs;
	union table t = { .c.nent = 1 };
	struct replay *r;
	struct gcpu_error err;
	const struct gcpu_kvm *kvm;
	uint32_t value = 7;
	char buf[2];
	int fd;

	if (replay_new(text, sizeof(text) - 1, false, &r, &err)) {
		CHECK(false, "%s", err.text);
		return;
	}
	kvm = replay_kvm(r);
	fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 2);
	CHECK(ask(kvm, fd, GK_GET_SUPPORTED_CPUID, &t) == -ENOSYS && t.c.nent == 1, "cpuid");
	CHECK(ask(kvm, fd, GK_GET_REGS, &regs) == -ENOSYS, "regs");
	CHECK(kvm->ops->read_host_file(kvm->ctx, "/a", buf, sizeof(buf)) == -ENOSYS, "file");
	reg.addr = (uintptr_t)&value;
	CHECK(ask(kvm, fd, GK_GET_ONE_REG, &reg) == -ENOSYS && value == 7, "register");
	CHECK(ask(kvm, fd, GK_GET_ONE_REG, NULL) == -ENOSYS, "NULL");
	/* or shorter: no descriptor where the caller will take one out */
	CHECK(ask(kvm, fd, GK_CREATE_DEVICE, &device) == -ENOSYS, "device");
	kvm->ops->close(kvm->ctx, fd);
	replay_free(r);
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* A recorded probe with damage in it: an error by value, or a probe that copes
 * with whatever this KVM says. */
static void test_hostile(const char *directory, unsigned rounds)
{
	struct unit_text t;
	uint32_t seed = 1;
	char path[512], *copy;
	unsigned parsed = 0, probed = 0;

	snprintf(path, sizeof(path), "%s/%s-probe.trace", directory, gcpu_arch_name(gcpu_arch_native()));
	t = unit_file(path);
	copy = t.s ? malloc(t.n) : NULL;
	if (!copy) {
		printf("no trace of this architecture was recorded\n");
		return;
	}
	for (unsigned i = 0; i < rounds; i++) {
		struct gcpu_snapshot *snap = NULL;
		struct gcpu_error err = { 0 };
		struct replay *r = NULL;
		size_t n = i % 4 ? t.n : next_random(&seed) % t.n;
		const struct gcpu_kvm *kvm;
		int fd;

		memcpy(copy, t.s, t.n);
		for (unsigned k = next_random(&seed) % 4 + 1; i % 4 && k; k--) {
			char *at = copy + next_random(&seed) % t.n;

			/* mostly other digits, so that it stays a trace */
			while (at > copy && (*at < '0' || *at > '9'))
				at--;
			*at = next_random(&seed) % 16 ? "0123456789"[next_random(&seed) % 10] :
							(char)next_random(&seed);
		}
		if (replay_new(copy, n, false, &r, &err)) {
			CHECK(err.code && err.text[0] && err.line, "'%s' line %zu", err.text, err.line);
			continue;
		}
		parsed++;
		kvm = replay_kvm(r);
		fd = kvm->ops->open(kvm->ctx, "/dev/kvm", O_RDWR | O_CLOEXEC);
		if (gcpu_snapshot_probe(kvm, fd, NULL, &snap, &err) == 0)
			probed++;
		else
			CHECK(err.code && err.text[0], "no reason");
		gcpu_snapshot_free(snap);
		replay_free(r);
	}
	printf("hostile: of %u traces %u parsed, %u probed\n", rounds, parsed, probed);
	CHECK(parsed > rounds / 4 && probed > rounds / 10, "too few got through");
	free(copy);
	free(t.s);
}

/* Cut off at every byte of its first lines. */
static void test_truncated(const char *directory)
{
	struct gcpu_error err = { 0 };
	struct unit_text t;
	char path[512];

	snprintf(path, sizeof(path), "%s/x86-kernel.trace", directory);
	t = unit_file(path);
	CHECK(t.s, "%s cannot be read", path);
	for (size_t n = 0; n < t.n; n++) {
		char *cut = malloc(n ? n : 1);
		struct replay *r = NULL;

		if (!cut)
			exit(1);
		memcpy(cut, t.s, n);
		if (replay_new(cut, n, true, &r, &err))
			CHECK(err.line > 0 && err.text[0], "cut off at %zu: line %zu '%s'", n, err.line, err.text);
		replay_free(r);
		free(cut);
	}
	free(t.s);
}

int main(int argc, char **argv)
{
	test_wrong();
	test_room();
	if (argc > 1) {
		test_truncated(argv[1]);
		test_hostile(argv[1], argc > 2 ? (unsigned)atoi(argv[2]) : 2000);
	}
	return unit_end();
}
