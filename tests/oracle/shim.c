/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into QEMU: writes what it asks of KVM about the guest's CPU to
 * the file named by GUESTCPU_ORACLE_LOG, one JSON object per line. Numbers are
 * decimal; "call" is the ioctl's name.
 *
 * It changes one thing: a feature MSR, or the vector of asynchronous page
 * faults (refused without an APIC in the kernel), that KVM refuses is written
 * down as refused and QEMU is told that it was taken, because QEMU would abort
 * before its other vCPUs have their tables. What it decided is not altered.
 *
 * With GUESTCPU_ORACLE_HOST, QEMU is shown another host: the lines of that
 * file, "cpuid" and seven hex numbers (function, index, flags, eax to edx),
 * "msr" and two, "cap" and two, or "tsc" and its kHz, stand in for what this KVM supports, and
 * what QEMU enables of those capabilities is not passed on. The CPUID
 * instruction itself cannot be stood in for: the vendor has to be the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MSR_ASYNC_PF_INT 0x4b564d06u
#define LINE_SIZE (64u * 1024u)
#define MAX_ENTRIES 256u
#define MAX_MSRS 64u
#define MAX_CAPS 16u

static struct {
	uint32_t n_entries, n_msrs, n_caps, tsc_khz;
	struct kvm_cpuid_entry2 entries[MAX_ENTRIES];
	struct kvm_msr_entry msrs[MAX_MSRS];
	struct { uint32_t number, value; } caps[MAX_CAPS];
} other;

struct line {
	char *text;
	size_t used;
};

static void put(struct line *l, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct line *l, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(l->text + l->used, LINE_SIZE - l->used, format, ap);
	va_end(ap);
	if (n > 0)
		l->used += (size_t)n;
	if (l->used >= LINE_SIZE)
		l->used = LINE_SIZE - 1;
}

/* What an fd is: "system", "vm" or "vcpu"; *ret_id is the vCPU's id or -1. */
static const char *fd_kind(int fd, int *ret_id)
{
	char path[64], target[128];
	const char *at;
	ssize_t n;

	*ret_id = -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return "unknown";
	target[n] = '\0';
	at = strstr(target, "kvm-vcpu:");
	if (at) {
		*ret_id = atoi(at + strlen("kvm-vcpu:"));
		return "vcpu";
	}
	if (strstr(target, "kvm-vm"))
		return "vm";
	return strstr(target, "kvm") ? "system" : "unknown";
}

static void write_line(struct line *l)
{
	const char *path = getenv("GUESTCPU_ORACLE_LOG");
	size_t done = 0;
	int fd;

	if (!path)
		return;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	/* One write, so that lines of different vCPU threads do not mix. */
	while (done < l->used) {
		ssize_t n = write(fd, l->text + done, l->used - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	close(fd);
}

static void put_table(struct line *l, const struct kvm_cpuid2 *t)
{
	put(l, ",\"entries\":[");
	for (uint32_t i = 0; i < t->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &t->entries[i];

		put(l, "%s[%u,%u,%u,%u,%u,%u,%u]", i ? "," : "", e->function,
		    e->index, e->flags, e->eax, e->ebx, e->ecx, e->edx);
	}
	put(l, "]");
}

static int is_feature_msr(uint32_t index)
{
	return index == 0x8b || index == 0xce || index == 0xcf ||
	       index == 0x10a || index == 0x345 || (index >= 0x480 && index <= 0x492) ||
	       index == 0xc0011029;
}

static int may_refuse(uint32_t index)
{
	return other.n_entries || is_feature_msr(index) ||
	       index == MSR_ASYNC_PF_INT;
}

/* Returns how many feature MSRs were in the list. */
static int put_msrs(struct line *l, const struct kvm_msrs *m)
{
	int n = 0;

	put(l, ",\"msrs\":[");
	for (uint32_t i = 0; i < m->nmsrs; i++) {
		const struct kvm_msr_entry *e = &m->entries[i];

		if (!is_feature_msr(e->index))
			continue;
		put(l, "%s[%u,%llu]", n++ ? "," : "", e->index,
		    (unsigned long long)e->data);
	}
	put(l, "]");
	return n;
}

static void put_cap(struct line *l, const struct kvm_enable_cap *c)
{
	put(l, ",\"cap\":%u,\"args\":[%llu,%llu,%llu,%llu]", c->cap,
	    (unsigned long long)c->args[0], (unsigned long long)c->args[1],
	    (unsigned long long)c->args[2], (unsigned long long)c->args[3]);
}

static const char *call_name(unsigned long request)
{
	switch (request) {
	case KVM_GET_SUPPORTED_CPUID: return "KVM_GET_SUPPORTED_CPUID";
	case KVM_SET_CPUID2: return "KVM_SET_CPUID2";
	case KVM_ENABLE_CAP: return "KVM_ENABLE_CAP";
	case KVM_SET_MSRS: return "KVM_SET_MSRS";
	case KVM_CREATE_IRQCHIP: return "KVM_CREATE_IRQCHIP";
	case KVM_CREATE_VCPU: return "KVM_CREATE_VCPU";
	case KVM_GET_TSC_KHZ: return "KVM_GET_TSC_KHZ";
	case KVM_SET_TSC_KHZ: return "KVM_SET_TSC_KHZ";
	case KVM_X86_SETUP_MCE: return "KVM_X86_SETUP_MCE";
	case KVM_CHECK_EXTENSION: return "KVM_CHECK_EXTENSION";
	}
	return NULL;
}

static void record(int fd, unsigned long request, void *arg, long ret, int err)
{
	const char *name = call_name(request);
	struct line l = { NULL, 0 };
	int id, wanted = 1;

	if (!name)
		return;
	/* A table asked for with too little room: nothing was returned. */
	if (request == KVM_GET_SUPPORTED_CPUID && ret < 0)
		return;
	l.text = malloc(LINE_SIZE);
	if (!l.text)
		return;
	put(&l, "{\"call\":\"%s\",\"fd\":\"%s\"", name, fd_kind(fd, &id));
	put(&l, ",\"vcpu\":%d,\"result\":%ld,\"errno\":%d", id, ret,
	    ret < 0 ? err : 0);
	if (request == KVM_SET_CPUID2 || request == KVM_GET_SUPPORTED_CPUID)
		put_table(&l, arg);
	else if (request == KVM_ENABLE_CAP)
		put_cap(&l, arg);
	else if (request == KVM_SET_MSRS)
		wanted = put_msrs(&l, arg);
	else if (request == KVM_X86_SETUP_MCE)
		put(&l, ",\"mcg_cap\":%llu", *(unsigned long long *)arg);
	else
		put(&l, ",\"arg\":%lu", (unsigned long)(uintptr_t)arg);
	put(&l, "}\n");
	if (wanted)
		write_line(&l);
	free(l.text);
}

static void note_refused(int fd, const struct kvm_msr_entry *e)
{
	char text[256];
	struct line l = { text, 0 };
	int id;
	const char *kind = fd_kind(fd, &id);

	l.used = (size_t)snprintf(text, sizeof(text),
		"{\"call\":\"refused\",\"fd\":\"%s\",\"vcpu\":%d,"
		"\"msr\":%u,\"value\":%llu}\n", kind, id, e->index,
		(unsigned long long)e->data);
	write_line(&l);
}

/*
 * KVM_SET_MSRS stops at the first MSR that it refuses. Go on behind one
 * that may be refused; returns the number of entries done, refused ones counted.
 */
static long set_msrs(int fd, struct kvm_msrs *all)
{
	struct kvm_msrs *part;
	size_t size = all->nmsrs * sizeof(all->entries[0]);
	uint32_t done = 0;
	long ret = 0;

	part = malloc(sizeof(*part) + size);
	if (!part)
		return -1;
	while (done < all->nmsrs) {
		part->nmsrs = all->nmsrs - done;
		part->pad = 0;
		memcpy(part->entries, all->entries + done,
		       part->nmsrs * sizeof(all->entries[0]));
		ret = syscall(SYS_ioctl, fd, KVM_SET_MSRS, part);
		if (ret < 0)
			break;
		done += (uint32_t)ret;
		if (done == all->nmsrs ||
		    !may_refuse(all->entries[done].index))
			break;
		note_refused(fd, &all->entries[done++]);
	}
	free(part);
	return ret < 0 ? ret : (long)done;
}

/* Read before main, so that no thread can be in the way. */
__attribute__((constructor)) static void read_other_host(void)
{
	const char *path = getenv("GUESTCPU_ORACLE_HOST");
	FILE *file = path ? fopen(path, "re") : NULL;
	char text[256];

	while (file && fgets(text, sizeof(text), file)) {
		struct kvm_cpuid_entry2 e = { 0 };
		unsigned long long value;
		uint32_t index, number;

		if (other.n_entries < MAX_ENTRIES &&
		    sscanf(text, "cpuid %x %x %x %x %x %x %x", &e.function,
			   &e.index, &e.flags, &e.eax, &e.ebx, &e.ecx,
			   &e.edx) == 7)
			other.entries[other.n_entries++] = e;
		else if (other.n_msrs < MAX_MSRS &&
			 sscanf(text, "msr %x %llx", &index, &value) == 2)
			other.msrs[other.n_msrs++] =
				(struct kvm_msr_entry){ index, 0, value };
		else if (other.n_caps < MAX_CAPS &&
			 sscanf(text, "cap %x %x", &number, &index) == 2) {
			other.caps[other.n_caps].number = number;
			other.caps[other.n_caps++].value = index;
		} else if (sscanf(text, "tsc %x", &number) == 1) {
			other.tsc_khz = number;
		}
	}
	if (file)
		fclose(file);
}

static long other_supported(struct kvm_cpuid2 *t)
{
	if (t->nent < other.n_entries) {
		errno = E2BIG;
		return -1;
	}
	memcpy(t->entries, other.entries,
	       other.n_entries * sizeof(other.entries[0]));
	t->nent = other.n_entries;
	return 0;
}

/* KVM_X86_XCOMP_GUEST_SUPP: what leaf 0xD says of the other host. */
static long other_xcomp(const struct kvm_device_attr *attr)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < other.n_entries; i++) {
		const struct kvm_cpuid_entry2 *e = &other.entries[i];

		if (e->function == 0xd && e->index == 0)
			value = (uint64_t)e->edx << 32 | e->eax;
	}
	memcpy((void *)(uintptr_t)attr->addr, &value, sizeof(value));
	return 0;
}

/* A feature MSR, asked for on the system fd; 0: the other host has none. */
static long other_msr(struct kvm_msrs *m)
{
	for (uint32_t i = 0; i < other.n_msrs; i++) {
		if (m->nmsrs == 1 && m->entries[0].index == other.msrs[i].index) {
			m->entries[0].data = other.msrs[i].data;
			return 1;
		}
	}
	m->entries[0].data = 0;
	return 1;
}

/* A capability that the other host has an answer for. */
static int other_cap(uint64_t number, long *ret)
{
	for (uint32_t i = 0; i < other.n_caps; i++) {
		if (other.caps[i].number == number) {
			*ret = (long)other.caps[i].value;
			return 1;
		}
	}
	return 0;
}

/*
 * Switching one on: done where the other host has it, for QEMU's part. The
 * split irqchip is still made here, for its vCPUs' APICs.
 */
static int other_enable(const struct kvm_enable_cap *c, long *ret)
{
	if (c->cap == KVM_CAP_SPLIT_IRQCHIP || !other_cap(c->cap, ret))
		return 0;
	if (!*ret) {
		errno = EINVAL;
		*ret = -1;
	} else {
		*ret = 0;
	}
	return 1;
}

/* Whether the call is answered from the other host, in *ret. */
static int stand_in(int fd, unsigned long request, void *arg, long *ret)
{
	const struct kvm_device_attr *attr = arg;
	int id;

	if (!other.n_entries)
		return 0;
	if (request == KVM_CHECK_EXTENSION)
		return other_cap((uintptr_t)arg, ret);
	if (request == KVM_ENABLE_CAP)
		return other_enable(arg, ret);
	if (request == KVM_GET_SUPPORTED_CPUID)
		*ret = other_supported(arg);
	else if (request == KVM_GET_TSC_KHZ && other.tsc_khz)
		*ret = other.tsc_khz;
	else if (request == KVM_GET_DEVICE_ATTR && attr->group == 0 &&
		 attr->attr == KVM_X86_XCOMP_GUEST_SUPP &&
		 !strcmp(fd_kind(fd, &id), "system"))
		*ret = other_xcomp(attr);
	else if (request == KVM_GET_MSRS &&
		 !strcmp(fd_kind(fd, &id), "system"))
		*ret = other_msr(arg);
	else
		return 0;
	return 1;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;
	long ret;
	int err;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	/* Older QEMUs pass the number as an int: its sign is extended. */
	request = (uint32_t)request;
	if (stand_in(fd, request, arg, &ret))
		;
	else if (request == KVM_SET_MSRS)
		ret = set_msrs(fd, arg);
	else
		ret = syscall(SYS_ioctl, fd, request, arg);
	err = errno;
	record(fd, request, arg, ret, err);
	errno = err;
	return (int)ret;
}
