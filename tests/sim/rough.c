/* SPDX-License-Identifier: MIT */
/*
 * Programs that no VMM should be, to be run under trace and sim: rough ACTION. Fails with 9 where
 * something is not as it would be without anybody watching.
 */
#define _GNU_SOURCE 1
#define PROGRAM "rough"
#include "calls.h"
#include "starts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GET_XCOMP_GUEST_PERM 0x1024 /* of arch_prctl */

/* A vCPU, up to where it could run. */
static int ready(int kvm, int *ret_vm)
{
	int vm = make(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM"), vcpu = make(vm, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU");
#ifdef __aarch64__
	struct kvm_vcpu_init init;

	make(vm, KVM_ARM_PREFERRED_TARGET, (uintptr_t)&init, "KVM_ARM_PREFERRED_TARGET");
	make(vcpu, KVM_ARM_VCPU_INIT, (uintptr_t)&init, "KVM_ARM_VCPU_INIT");
#endif
	if (ret_vm)
		*ret_vm = vm;
	return vcpu;
}

static void enter(int vcpu, int size)
{
	struct kvm_run *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

	need(run != MAP_FAILED, "mmap");
	run->immediate_exit = 1;
	need(ioctl(vcpu, KVM_RUN, 0) < 0 && errno == EINTR, "KVM_RUN");
}

/* Many of each, one after the other: nothing may run out. */
static void many(void)
{
	for (unsigned i = 0; i < 20000; i++) {
		int kvm = open_kvm(), vm, vcpu = ready(kvm, &vm);
		size_t size = (size_t)make(kvm, KVM_GET_VCPU_MMAP_SIZE, 0, "KVM_GET_VCPU_MMAP_SIZE");
		void *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

		need(run != MAP_FAILED, "mmap");
		need(munmap(run, size) == 0 && munmap(run, size) == 0, "munmap");
		need(close(kvm) == 0 && close(vm) == 0 && close(vcpu) == 0, "close");
	}
}

/* 16 descriptors are all there are. */
static void few(void)
{
	struct rlimit limit = { 16, 16 };
	int kvm, vm, fd[32], n = 0;

	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	kvm = open_kvm();
	vm = make(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
	while (n < 32 && (fd[n] = ioctl(vm, KVM_CREATE_VCPU, n)) >= 0)
		n++;
	need(n < 16 && errno == EMFILE, "EMFILE from KVM_CREATE_VCPU");
	need(open("/dev/kvm", O_RDWR) < 0 && errno == EMFILE, "EMFILE from open");
	need(ioctl(kvm, KVM_CREATE_VM, 0) < 0 && errno == EMFILE, "EMFILE from KVM_CREATE_VM");
	need(close(fd[--n]) == 0 && open_kvm() == fd[n], "one is free");
}

/* Nothing waits for bytes that never come. What stands in for /dev/kvm itself is /dev/null, and reads as that. */
static void no_stream(int fd)
{
	char bytes[8] = "";

	need(read(fd, bytes, sizeof(bytes)) < 0 && errno == EINVAL, "EINVAL from read");
	need(write(fd, bytes, sizeof(bytes)) < 0 && errno == EINVAL, "EINVAL from write");
	need(syscall(SYS_read, fd, bytes, sizeof(bytes)) < 0 && errno == EINVAL, "EINVAL from SYS_read");
}

/* Flags of a call that has none make another one of it, which KVM refuses. */
static void flagged(void)
{
	int kvm = open_kvm(), vm = make(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
	struct kvm_enable_cap cap = { .cap = KVM_CAP_HALT_POLL };

	make(vm, KVM_ENABLE_CAP, (uintptr_t)&cap, "KVM_ENABLE_CAP");
	cap.flags = 0x30;
	need(ioctl(vm, KVM_ENABLE_CAP, &cap) < 0 && errno == EINVAL, "EINVAL of flags");
}

static void streams(void)
{
	int kvm = open_kvm(), vm, vcpu = ready(kvm, &vm);

	no_stream(vm);
	no_stream(vcpu);
}

/* Many vCPUs of which the same is asked, in vain. */
static void alike(void)
{
	static const int ids[] = { 0, 2, 3, 4, 7 };
	int vm = make(open_kvm(), KVM_CREATE_VM, 0, "KVM_CREATE_VM"), vcpu[5];

	for (unsigned i = 0; i < 5; i++)
		vcpu[i] = make(vm, KVM_CREATE_VCPU, (uintptr_t)ids[i], "KVM_CREATE_VCPU");
	for (unsigned times = 0; times < 3; times++) {
		need(ioctl(vm, 0xaefd, 0) < 0, "a call that there is not");
		for (unsigned i = 0; i < 5; i++) {
			need(times == 2 || ioctl(vcpu[i], 0xaeff, 0) < 0, "two calls that there are not");
			need(i == 2 || times > i || ioctl(vcpu[i], 0xaefe, 0) < 0, "calls that there are not, of some");
		}
	}
#ifdef __x86_64__
	for (unsigned i = 0; i < 5; i++) {
		struct kvm_enable_cap cap = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args = { i == 4 } };

		make(vcpu[i], KVM_ENABLE_CAP, (uintptr_t)&cap, "KVM_ENABLE_CAP");
	}
#endif
}

/* What is asked of any descriptor. */
static void ask(void)
{
	int kvm = open_kvm(), vm, vcpu = ready(kvm, &vm), epoll = epoll_create1(0), flags;
	int fds[] = { kvm, vm, vcpu };
	struct epoll_event event = { .events = EPOLLIN };
	struct stat st;
	fd_set set;

	for (unsigned i = 0; i < 3; i++) {
		struct pollfd p = { .fd = fds[i], .events = POLLIN | POLLOUT };
		struct timeval none = { 0, 0 };

		need(poll(&p, 1, 0) >= 0 && !(p.revents & POLLNVAL), "poll");
		FD_ZERO(&set);
		FD_SET(fds[i], &set);
		need(select(fds[i] + 1, &set, NULL, NULL, &none) >= 0, "select");
		epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
		flags = fcntl(fds[i], F_GETFL);
		need(flags >= 0 && (flags & O_ACCMODE) == O_RDWR, "F_GETFL");
		need(fcntl(fds[i], F_GETFD) == FD_CLOEXEC, "F_GETFD");
		need(fcntl(fds[i], F_SETFD, 0) == 0 && fcntl(fds[i], F_GETFD) == 0, "F_SETFD");
		need(fcntl(fds[i], F_SETFL, flags | O_NONBLOCK) == 0, "F_SETFL");
		need(fstat(fds[i], &st) == 0, "fstat");
		need(lseek(fds[i], 0, SEEK_CUR) <= 0, "lseek");
		need(ioctl(fds[i], FIONBIO, &(int){ 0 }) <= 0, "FIONBIO");
		need(make(kvm, KVM_GET_API_VERSION, 0, "KVM_GET_API_VERSION") == 12, "12");
	}
	errno = 0;
	need(mmap(NULL, 4096, PROT_READ, MAP_SHARED, vm, 0) == MAP_FAILED, "mmap of a VM");
	need(mmap(NULL, 0, PROT_READ, MAP_SHARED, vcpu, 0) == MAP_FAILED, "mmap of nothing");
	enter(vcpu, make(kvm, KVM_GET_VCPU_MMAP_SIZE, 0, "KVM_GET_VCPU_MMAP_SIZE"));
}

/* All are closed, or are something else, and come again. */
static void closes(void)
{
	int kvm = open_kvm(), vm, vcpu = ready(kvm, &vm), other = open("/dev/null", O_RDWR | O_CLOEXEC);

	need(other >= 0 && dup2(other, vcpu) == vcpu && dup2(kvm, vm) == vm, "dup2");
	need(ioctl(vcpu, KVM_GET_MP_STATE, &(struct kvm_mp_state){ 0 }) < 0 && errno == ENOTTY, "a vCPU that was");
	need(make(vm, KVM_GET_API_VERSION, 0, "KVM_GET_API_VERSION") == 12, "12");
	need(dup2(vm, vm) == vm && dup2(vm, -1) < 0 && dup2(1000, vm) < 0, "dup2 of nothing");
	need(make(vm, KVM_GET_API_VERSION, 0, "KVM_GET_API_VERSION") == 12, "12 again");
	closefrom(3);
	need(ioctl(kvm, KVM_GET_API_VERSION, 0) < 0 && errno == EBADF, "closed");
	/* behind libc's back */
	kvm = open_kvm();
	need(syscall(SYS_close, kvm) == 0, "SYS_close");
	need(open_kvm() == kvm && make(kvm, KVM_GET_API_VERSION, 0, "KVM_GET_API_VERSION") == 12, "again");
	need(syscall(SYS_dup3, 1, kvm, 0) == kvm, "SYS_dup3");
	ioctl(kvm, KVM_GET_API_VERSION, 0);
	enter(ready(open_kvm(), NULL), 4096);
}

static void lines(void)
{
	int vcpu = ready(open_kvm(), NULL);

	for (unsigned i = 0; i < 1000000; i++)
		printf("%09u\n", i);
	enter(vcpu, 4096);
}

/* Pointers of the process' own permissions. */
static void perm(void)
{
#ifdef __x86_64__
	uint64_t *bad[] = { NULL, (uint64_t *)8, (uint64_t *)-8L, (uint64_t *)(1ULL << 55) }, good = 0;
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (unsigned i = 0; i < 4; i++)
		need(syscall(SYS_arch_prctl, GET_XCOMP_GUEST_PERM, bad[i]) < 0, "a bad pointer");
	need(syscall(SYS_arch_prctl, GET_XCOMP_GUEST_PERM, page) < 0, "what cannot be written");
	need(syscall(SYS_arch_prctl, GET_XCOMP_GUEST_PERM, &good) == 0 || errno == EINVAL, "a good one");
#endif
	open_kvm();
}

/* Paths that lead nowhere, and one whose end is the end of memory. */
static void paths(void)
{
	const char *bad[] = { (char *)8, (char *)-8L, (char *)(1ULL << 55) };
	char *end = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct stat *nowhere = (struct stat *)bad[0], st;

	for (unsigned i = 0; i < 3; i++) {
		need(open(bad[i], O_RDWR) < 0 && errno == EFAULT, "open");
		need(openat(AT_FDCWD, bad[i], O_RDWR) < 0 && errno == EFAULT, "openat");
		need(access(bad[i], R_OK) < 0 && errno == EFAULT, "access");
		need(stat(bad[i], &st) < 0 && errno == EFAULT, "stat");
	}
	need(stat("/dev/kvm", nowhere) < 0 && errno == EFAULT, "stat to nowhere");
	need(end != MAP_FAILED && munmap(end + 4096, 4096) == 0, "mmap");
	strcpy(end + 4096 - 9, "/dev/kvm");
	need(open(end + 4096 - 9, O_RDWR) >= 0, "a path at the end of memory");
	memcpy(end + 4096 - 8, "/dev/kvm", 8);
	need(open(end + 4096 - 8, O_RDWR) < 0 && errno == EFAULT, "one beyond it");
	strcpy(end + 4096 - 3, "/d");
	need(open(end + 4096 - 3, O_RDWR) < 0 && errno == ENOENT, "a short one");
}

/* It was opened by another name: it must be what it is by its own; each is asked for another capability. */
static void named(int fd, const char *how, int cap)
{
	need(fd >= 0, how);
	need(ioctl(fd, KVM_GET_API_VERSION, 0) == 12 && ioctl(fd, KVM_CHECK_EXTENSION, cap) >= 0, how);
}

/* All names of /dev/kvm, in a directory of our own. */
static void names(const char *directory)
{
	static const char own_root[] = "/proc/self/root";
	int dev = open("/dev", O_RDONLY | O_DIRECTORY), fd;
	struct stat st;
	char other[64];

	need(dev >= 0 && chdir(directory) == 0, "directories");
	need(symlink("/dev/kvm", "link") == 0 && symlink("link", "chain") == 0 && symlink("/dev", "dev") == 0, "symlink");
	named(openat(dev, "kvm", O_RDWR), "openat", 1);
	named(open("/dev/../dev/./kvm", O_RDWR), "dots", 2);
	named(open("//dev//kvm", O_RDWR), "slashes", 3);
	named(open("link", O_RDWR), "link", 4);
	named(open("chain", O_RDWR), "link to a link", 5);
	named(open("dev/kvm", O_RDWR), "link to /dev", 6);
	snprintf(other, sizeof(other), "%s/dev/kvm", own_root);
	named(open(other, O_RDWR), own_root, 7);
	need(access("chain", R_OK | W_OK) == 0 && faccessat(dev, "kvm", R_OK, 0) == 0, "access");
	need(stat("link", &st) == 0 && S_ISCHR(st.st_mode), "stat");
	need(lstat("link", &st) == 0 && S_ISLNK(st.st_mode), "lstat");
	need(fstatat(AT_FDCWD, "link", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode), "fstatat");
	need(fstatat(dev, "kvm", &st, 0) == 0 && S_ISCHR(st.st_mode), "fstatat of /dev");
	need(open("link", O_RDWR | O_NOFOLLOW) < 0 && errno == ELOOP, "O_NOFOLLOW");
	need(open("kvm", O_RDWR) < 0 && errno == ENOENT, "another kvm");
	need(open("/dev/kvm/", O_RDWR) < 0, "no directory");
	need(fchdir(dev) == 0, "fchdir");
	named(open("kvm", O_RDWR), "in /dev", 8);
	named(open("/dev/kvm", O_RDONLY), "read only", 9);
	need(open("/dev/kvm", O_RDWR | O_CREAT | O_EXCL, 0600) < 0 && errno == EEXIST, "O_EXCL");
	need(open("/dev/kvm", O_RDWR | O_DIRECTORY) < 0 && errno == ENOTDIR, "O_DIRECTORY");
	fd = open("/dev/kvm", O_PATH);
	need(fd >= 0 && ioctl(fd, KVM_GET_API_VERSION, 0) < 0 && errno == EBADF, "O_PATH");
}

/* A VM is of the process that made it; /dev/kvm is everybody's. */
static void forked(void)
{
	int kvm = open_kvm(), vm, vcpu = ready(kvm, &vm), status;
	pid_t pid = fork();

	if (pid == 0) {
		need(ioctl(vm, KVM_CHECK_EXTENSION, 1) < 0 && errno == EIO, "KVM_CHECK_EXTENSION of the parent's VM");
		need(ioctl(vm, KVM_CREATE_VCPU, 1) < 0 && errno == EIO, "KVM_CREATE_VCPU in the parent's VM");
		need(ioctl(vcpu, KVM_RUN, 0) < 0 && errno == EIO, "KVM_RUN of the parent's vCPU");
		ready(kvm, NULL);
		_exit(0);
	}
	need(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "child");
	need(ioctl(vm, KVM_CHECK_EXTENSION, 1) >= 0, "one's own VM");
}

/* A vCPU's pages, mapped in every way that KVM has. */
static void maps(void)
{
	int kvm = open_kvm(), vcpu = ready(kvm, NULL);
	size_t size = (size_t)make(kvm, KVM_GET_VCPU_MMAP_SIZE, 0, "KVM_GET_VCPU_MMAP_SIZE");
	char *room = mmap(NULL, 4 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *at;
	struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

	need(room != MAP_FAILED && run != MAP_FAILED, "mmap");
	room[0] = room[2 * size] = 7;
	at = mmap(room + size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, vcpu, 0);
	need(at == room + size && room[0] == 7 && room[2 * size] == 7, "MAP_FIXED");
	run->immediate_exit = 5;
	need(((struct kvm_run *)at)->immediate_exit == 5, "the same page");
	need(mmap(room, size, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, vcpu, 0) == MAP_FAILED && errno == EEXIST && room[0] == 7,
	     "MAP_FIXED_NOREPLACE");
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 4096);
	need(at != MAP_FAILED && (strcpy(at, "io"), strcmp((char *)run + 4096, "io") == 0), "the second page");
	need(mmap(NULL, 2 * size, PROT_READ, MAP_SHARED, vcpu, 0) != MAP_FAILED, "longer");
	need(mmap(NULL, 4096, PROT_READ, MAP_SHARED, vcpu, 64 * 4096) != MAP_FAILED, "where a ring would be");
	need(mmap(NULL, 4096, PROT_READ, MAP_SHARED, vcpu, 1) == MAP_FAILED && errno == EINVAL, "an odd offset");
	need(mmap(NULL, 4096, PROT_READ, 0, vcpu, 0) == MAP_FAILED && errno == EINVAL, "neither shared nor private");
	need(mmap(NULL, (size_t)-4096, PROT_READ, MAP_SHARED, vcpu, 0) == MAP_FAILED && errno == ENOMEM, "all memory");
}

/* Memory slots: what KVM takes, and what it does not. */
static void slots(void)
{
	const uint64_t page = 4096, high = 1ULL << 32;
	int kvm = open_kvm(), vm = make(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM"), r;
	void *at = mmap(NULL, page * 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t most = (uint32_t)make(vm, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS, "KVM_CAP_NR_MEMSLOTS");
	uint32_t spaces = (uint32_t)make(vm, KVM_CHECK_EXTENSION, KVM_CAP_MULTI_ADDRESS_SPACE, "KVM_CAP_MULTI_ADDRESS_SPACE");
	uint64_t here = (uintptr_t)at;
	const struct {
		struct kvm_userspace_memory_region r;
		int error;
	} rows[] = {
		{ { most - 1, 0, 0, page, here }, 0 },
		{ { most, 0, page, page, here }, EINVAL },
		{ { 0xffff, 0, page, page, here }, EINVAL },
		{ { (spaces ? spaces : 1) << 16, 0, page, page, here }, EINVAL },
		{ { 0xffff0000, 0, page, page, here }, EINVAL },
		{ { 1, 0, page, page, 1ULL << 63 }, EINVAL },
		{ { 1, 0, page, 2 * page, -page }, EINVAL },
		{ { 1, 0, page, page, 0 }, 0 },
		{ { 2, 0, high, (1ULL << 31) * page, 0 }, EINVAL },
		{ { 3, 0, 0, page, here }, EEXIST },
		{ { 3, 0, -page, page, here }, EINVAL },
		{ { 3, 4, high, page, here }, EINVAL },
		{ { 3, 0, high, page, here }, 0 },
		{ { 3, 0, high, page, here }, 0 },
		{ { 3, 0, 2 * high, page, here }, 0 },
		{ { 3, 0, 2 * high, page, here + page }, EINVAL },
		{ { 3, 0, 2 * high, 2 * page, here }, EINVAL },
		{ { 3, KVM_MEM_READONLY, 2 * high, page, here }, EINVAL },
		{ { 3, KVM_MEM_LOG_DIRTY_PAGES, 2 * high, page, here }, 0 },
		{ { 3, 0, 0, 0, 0 }, 0 },
		{ { 3, 0, 0, 0, 0 }, EINVAL },
#ifdef __x86_64__
		{ { 4, 0, 1ULL << 52, page, here }, EINVAL },
		{ { 4, 0, 1ULL << 62, page, here }, EINVAL },
#else
		{ { 4, 0, 1ULL << 40, page, here }, EFAULT },
		{ { 4, 0, (1ULL << 40) - page, page, here }, 0 },
#endif
	};

	need(at != MAP_FAILED, "mmap");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char row[20];

		snprintf(row, sizeof(row), "row %u", i);
		r = ioctl(vm, KVM_SET_USER_MEMORY_REGION, &rows[i].r) < 0 ? errno : 0;
		need(r == rows[i].error, row);
	}
}

/* Rings of dirty pages, as far as a VMM gets with them before it runs. */
static void rings(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DIRTY_LOG_RING_ACQ_REL, .args = { 4096 } };
	int kvm = open_kvm(), vm = make(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM"), vcpu;
	static const struct {
		uint64_t size;
		int error;
	} bad[] = { { 0, EINVAL }, { 1, EINVAL }, { 2048, EINVAL }, { 4097, EINVAL }, { 12288, EINVAL }, { 1 << 21, E2BIG },
		    { 1ULL << 32, EINVAL } };
	struct kvm_dirty_gfn *ring;

	if (ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING_ACQ_REL) <= 0)
		return;
	need(ioctl(vm, KVM_RESET_DIRTY_RINGS, 0) < 0 && errno == EINVAL, "KVM_RESET_DIRTY_RINGS of none");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cap.args[0] = bad[i].size;
		need(ioctl(vm, KVM_ENABLE_CAP, &cap) < 0 && errno == bad[i].error, "size of a ring");
	}
	cap.args[0] = 65536;
	make(vm, KVM_ENABLE_CAP, (uintptr_t)&cap, "KVM_ENABLE_CAP");
	need(ioctl(vm, KVM_ENABLE_CAP, &cap) < 0 && errno == EINVAL, "twice");
	vcpu = make(vm, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU");
	ring = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, KVM_DIRTY_LOG_PAGE_OFFSET * 4096);
	need(ring != MAP_FAILED && ring[0].flags == 0 && ring[4095].flags == 0, "a ring of nothing");
	need(make(vm, KVM_RESET_DIRTY_RINGS, 0, "KVM_RESET_DIRTY_RINGS") == 0, "nothing to reset");
	vm = make(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
	make(vm, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU");
	need(ioctl(vm, KVM_ENABLE_CAP, &cap) < 0 && errno == EINVAL, "after a vCPU");
}

static void *opens(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 2000; i++) {
		int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

		if (kvm >= 0)
			make(kvm, KVM_CHECK_EXTENSION, i % 300, "KVM_CHECK_EXTENSION"), close(kvm);
	}
	return NULL;
}

/* Children of all kinds, while other threads are in the middle of calls. */
static void children(char *self)
{
	char *args[] = { self, (char *)"open", NULL }, *none[] = { NULL };
	extern char **environ;
	pthread_t t[4];
	int kvm = open_kvm(), status;

	for (unsigned i = 0; i < 4; i++)
		need(pthread_create(&t[i], NULL, opens, NULL) == 0, "pthread_create");
	for (unsigned i = 0; i < 100; i++) {
		pid_t pid = i % 2 ? fork() : vfork();

		if (pid == 0) {
			if (i % 2)
				make(open_kvm(), KVM_CREATE_VM, 0, "KVM_CREATE_VM in a child");
			else if (i % 4)
				close(kvm);
			_exit(0);
		}
		need(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "child");
	}
	for (unsigned i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (unsigned i = 0; i < 2; i++) {
		pid_t pid;

		need(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, args, i ? none : environ) == 0, "posix_spawn");
		need(waitpid(pid, &status, 0) == pid, "waitpid");
		need(i || status == 0, "spawned");
	}
	need(make(kvm, KVM_GET_API_VERSION, 0, "KVM_GET_API_VERSION") == 12, "12");
}

static void in_handler(int number)
{
	(void)number;
	ioctl(open("/dev/kvm", O_RDWR), KVM_GET_API_VERSION, 0);
}

/* KVM's calls may come from a signal handler, in the middle of others. */
static void signals(void)
{
	struct sigaction set = { .sa_handler = in_handler, .sa_flags = SA_RESTART };
	struct rlimit limit;
	pid_t parent = getpid(), pid;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
	setrlimit(RLIMIT_NOFILE, &limit);
	need(sigaction(SIGUSR1, &set, NULL) == 0, "sigaction");
	pid = fork();
	if (pid == 0) {
		for (unsigned i = 0; i < 500; i++, usleep(100))
			kill(parent, SIGUSR1);
		_exit(0);
	}
	while (waitpid(pid, NULL, WNOHANG) != pid)
		opens(NULL);
}

/* As many calls as there is room for, each another one. */
static void wordy(void)
{
	int kvm = open_kvm(), vm = make(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");

	for (unsigned i = 0; i < 1200000; i++)
		need(ioctl(vm, KVM_CREATE_VCPU, 1000000 + i) < 0 && errno == EINVAL, "no such vCPU");
	make(vm, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU");
}

/* The descriptor that guestcpu gives its programs. */
#define RECORD 200

static void shrinks(void)
{
	need(ftruncate(RECORD, 0) < 0 && errno == EPERM, "ftruncate");
	ready(open_kvm(), NULL);
}

static void scribbles(void)
{
	char bytes[256];

	memset(bytes, 0xa5, sizeof(bytes));
	need(pwrite(RECORD, bytes, sizeof(bytes), 0) == sizeof(bytes), "pwrite");
}

/* VMs until there are no more: each that was made is one. */
static void crowd(void)
{
	struct rlimit limit;
	int kvm = open_kvm(), vm, last = -1;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
	setrlimit(RLIMIT_NOFILE, &limit);
	while ((vm = ioctl(kvm, KVM_CREATE_VM, 0)) >= 0) {
		need(ioctl(vm, KVM_CHECK_EXTENSION, 1) >= 0, "a VM");
		last = vm;
	}
	need(errno == EMFILE && last >= 0, "EMFILE");
	need(open("/dev/kvm", O_RDWR) < 0 && errno == EMFILE, "EMFILE of /dev/kvm");
	need(close(last) == 0 && (vm = ioctl(kvm, KVM_CREATE_VM, 0)) == last, "room again");
	need(ioctl(kvm, KVM_CREATE_VM, 0) < 0 && errno == EMFILE, "EMFILE again");
}

/* Capabilities that there are not, some of them twice. */
static void curious(void)
{
	int kvm = open_kvm();

	for (int i = 0; i < 500000; i++)
		ioctl(kvm, KVM_CHECK_EXTENSION, i % 400000 + 1);
}

static void *asks(void *arg)
{
	struct kvm_one_reg reg = { 0, 0 };

	for (;; usleep(2000))
		ioctl(*(int *)arg, KVM_GET_ONE_REG, &reg);
	return NULL;
}

/* A thread that never leaves KVM alone. */
static void busy(void)
{
	int kvm = open_kvm(), vm, vcpu = ready(kvm, &vm), other = make(vm, KVM_CREATE_VCPU, 1, "KVM_CREATE_VCPU");
	pthread_t t;

	need(pthread_create(&t, NULL, asks, &other) == 0, "pthread_create");
	ioctl(vcpu, KVM_RUN, 0);
}

int main(int argc, char **argv)
{
	const char *action = argc > 1 ? argv[1] : "";
	static const struct {
		const char *name;
		void (*act)(void);
	} actions[] = { { "many", many }, { "few", few }, { "ask", ask }, { "streams", streams }, { "flagged", flagged }, { "alike", alike }, { "closes", closes }, { "lines", lines },
			{ "perm", perm }, { "paths", paths }, { "signals", signals }, { "forked", forked },
			{ "maps", maps }, { "rings", rings }, { "slots", slots }, { "shrinks", shrinks }, { "scribbles", scribbles },
			{ "crowd", crowd }, { "wordy", wordy }, { "busy", busy }, { "curious", curious } };

	for (unsigned i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(action, actions[i].name) == 0)
			return actions[i].act(), 0;
	if (strcmp(action, "open") == 0)
		return open_kvm() < 0;
	if (strcmp(action, "names") == 0)
		return names(argv[2]), 0;
	if (strcmp(action, "children") == 0)
		return children(argv[0]), 0;
	if (strcmp(action, "starts") == 0)
		return starts(argv[2]), 0;
	if (strcmp(action, "not-started") == 0)
		return not_started(argv[2]), 0;
	if (strcmp(action, "exit") == 0)
		ready(open_kvm(), NULL), _exit(atoi(argv[2]));
	if (strcmp(action, "kill") == 0)
		ready(open_kvm(), NULL), kill(getpid(), atoi(argv[2]));
	return 9;
}
