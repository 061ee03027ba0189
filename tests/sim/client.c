/* SPDX-License-Identifier: MIT */
/*
 * A program with few manners, to be run under trace and sim: client ACTION. It prints what it
 * was told, and fails with 9 where something is not as it would be without anybody watching.
 */
#define PROGRAM "client"
#include "calls.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8

#ifdef __x86_64__
/* A table of two entries, by which a vCPU can be known again. */
static void set_up(int vm, int vcpu, unsigned id)
{
	struct kvm_cpuid2 *t = calloc(1, sizeof(*t) + 2 * sizeof(t->entries[0]));
	struct kvm_msrs *m = calloc(1, sizeof(*m) + 2 * sizeof(m->entries[0]));

	(void)vm;
	need(t && m, "memory");
	t->nent = m->nmsrs = 2;
	t->entries[0] = (struct kvm_cpuid_entry2){ .function = 0, .eax = 1, .ebx = 0x68747541, .ecx = 0x444d4163, .edx = 0x69746e65 };
	t->entries[1] = (struct kvm_cpuid_entry2){ .function = 1, .ebx = id << 24, .ecx = 0x1000u + id, .edx = 0x178bfbff };
	make(vcpu, KVM_SET_CPUID2, (uintptr_t)t, "KVM_SET_CPUID2");
	m->entries[0] = (struct kvm_msr_entry){ .index = 0x174, .data = 0x10 + id };
	m->entries[1] = (struct kvm_msr_entry){ .index = 0x175, .data = 0x1122334400000000 + id };
	make(vcpu, KVM_SET_MSRS, (uintptr_t)m, "KVM_SET_MSRS");
	free(t);
	free(m);
}
#else
static void set_up(int vm, int vcpu, unsigned id)
{
	struct kvm_vcpu_init init;

	(void)id;
	make(vm, KVM_ARM_PREFERRED_TARGET, (uintptr_t)&init, "KVM_ARM_PREFERRED_TARGET");
	make(vcpu, KVM_ARM_VCPU_INIT, (uintptr_t)&init, "KVM_ARM_VCPU_INIT");
}
#endif

/* Into KVM_RUN and out again: the guest has no code. */
static void run(int kvm, int vcpu)
{
	size_t size = (size_t)make(kvm, KVM_GET_VCPU_MMAP_SIZE, 0, "KVM_GET_VCPU_MMAP_SIZE");
	struct kvm_run *r = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

	need(r != MAP_FAILED, "mmap");
	r->immediate_exit = 1;
	need(ioctl(vcpu, KVM_RUN, 0) < 0 && errno == EINTR, "KVM_RUN");
	need(munmap(r, size) == 0, "munmap");
}

/* Two vCPUs, one after the other; what comes behind the first KVM_RUN is no news. */
static void plain(void)
{
	int kvm = open_kvm(), vm, vcpu[2];

	make(kvm, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS, "KVM_CHECK_EXTENSION");
	vm = make(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
	for (unsigned i = 0; i < 2; i++) {
		vcpu[i] = make(vm, KVM_CREATE_VCPU, i, "KVM_CREATE_VCPU");
		set_up(vm, vcpu[i], i);
	}
	need(ioctl(vcpu[0], 0xaeff, 0) < 0, "a call that there is not");
	printf("about to run\n");
	for (unsigned i = 0; i < 2; i++) {
		run(kvm, vcpu[i]);
#ifdef __x86_64__
		set_up(vm, vcpu[i], i);
		struct kvm_msrs none = { .nmsrs = 0 };
		make(vcpu[i], KVM_SET_MSRS, (uintptr_t)&none, "KVM_SET_MSRS, of none");
#endif
	}
	printf("ran\n");
}

/* Everything through descriptors that are copies, the first ones closed. */
static void dups(void)
{
	int kvm = open_kvm(), copy = dup(kvm), vm, other, vcpu, more;

	need(copy >= 0 && close(kvm) == 0, "dup");
	vm = make(copy, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
	other = fcntl(vm, F_DUPFD_CLOEXEC, 100);
	need(other >= 100 && close(vm) == 0, "F_DUPFD_CLOEXEC");
	vcpu = make(other, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU");
	need(dup2(vcpu, 200) == 200 && dup3(vcpu, 201, O_CLOEXEC) == 201 && close(vcpu) == 0, "dup2, dup3");
	/* over one that was KVM's: that is gone */
	more = make(other, KVM_CREATE_VCPU, 1, "KVM_CREATE_VCPU");
	need(dup2(200, more) == more, "dup2 over a vCPU");
	set_up(other, more, 0);
	need(close(200) == 0 && close(more) == 0, "close");
	run(copy, 201);
}

/* The numbers of what was closed mean something else. */
static void reuse(void)
{
	int kvm = open_kvm(), fd, again;

	need(close(kvm) == 0 && close(kvm) < 0 && errno == EBADF, "close");
	fd = open("/dev/null", O_RDWR);
	need(fd == kvm, "the lowest number");
	need(ioctl(fd, KVM_GET_API_VERSION, 0) < 0 && errno == ENOTTY, "KVM_GET_API_VERSION of a file");
	again = open_kvm();
	/* libc closes by itself, without asking anybody */
	FILE *f = fdopen(dup(again), "r+");

	need(f && fclose(f) == 0, "fclose");
	need(make(again, KVM_GET_API_VERSION, 0, "KVM_GET_API_VERSION") == 12, "12");
	need(close_range((unsigned)again, ~0U, 0) == 0, "close_range");
	need(ioctl(again, KVM_GET_API_VERSION, 0) < 0 && errno == EBADF, "after close_range");
}

static int shared_kvm, shared_vm;
static pthread_barrier_t made;

static void *one(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;
	int vcpu = make(shared_vm, KVM_CREATE_VCPU, id, "KVM_CREATE_VCPU");

	/* what runs before another is made may be all there is, as far as anyone can see */
	pthread_barrier_wait(&made);
	for (unsigned i = 0; i < 50; i++) {
		int fd = dup(shared_kvm);

		need(make(fd, KVM_CHECK_EXTENSION, 1 + i, "KVM_CHECK_EXTENSION") >= 0, "KVM_CHECK_EXTENSION");
		need(close(fd) == 0, "close");
	}
	set_up(shared_vm, vcpu, id);
	run(shared_kvm, vcpu);
	return NULL;
}

static void threads(void)
{
	pthread_t t[THREADS];

	shared_kvm = open_kvm();
	shared_vm = make(shared_kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
	need(pthread_barrier_init(&made, NULL, THREADS) == 0, "pthread_barrier_init");
	for (unsigned i = 0; i < THREADS; i++)
		need(pthread_create(&t[i], NULL, one, (void *)(uintptr_t)i) == 0, "pthread_create");
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

/* A throw-away VM first, as those have who look around; then the one that runs, in a child. */
static void forks(void)
{
	int kvm = open_kvm(), vm = make(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM"), status;

	set_up(vm, make(vm, KVM_CREATE_VCPU, 5, "KVM_CREATE_VCPU"), 5);
	if (fork() == 0) {
		plain();
		fflush(stdout);
		_exit(0);
	}
	need(wait(&status) > 0 && status == 0, "child");
}

/* Somebody else opened it for us. */
static void execs(void)
{
	int kvm = open_kvm(), fd = dup(kvm);
	char text[16];

	snprintf(text, sizeof(text), "%d", fd);
	execl("/proc/self/exe", "client", "inherited", text, (char *)NULL);
	need(0, "exec");
}

static void inherited(int kvm)
{
	int vm = make(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");

	set_up(vm, make(vm, KVM_CREATE_VCPU, 3, "KVM_CREATE_VCPU"), 3);
}

/* Pointers that lead nowhere are KVM's to refuse. */
static void pointers(void)
{
	int kvm = open_kvm(), vm = make(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
	int vcpu = make(vm, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU");
	void *nowhere[] = { NULL, (void *)8, (void *)-4096L };

	for (unsigned i = 0; i < 3; i++) {
		need(ioctl(vcpu, KVM_SET_ONE_REG, nowhere[i]) < 0, "KVM_SET_ONE_REG");
		need(ioctl(vm, KVM_SET_ONE_REG, nowhere[i]) < 0, "KVM_SET_ONE_REG of a VM");
		need(ioctl(kvm, KVM_CREATE_DEVICE, nowhere[i]) < 0, "KVM_CREATE_DEVICE of the system");
		need(ioctl(vm, KVM_ENABLE_CAP, nowhere[i]) < 0, "KVM_ENABLE_CAP");
#ifdef __x86_64__
		need(ioctl(vcpu, KVM_SET_CPUID2, nowhere[i]) < 0 && errno == EFAULT, "KVM_SET_CPUID2");
		need(ioctl(vcpu, KVM_SET_MSRS, nowhere[i]) < 0 && errno == EFAULT, "KVM_SET_MSRS");
#endif
	}
}

/* Is there a /dev/kvm? All ways to ask. */
static void looks(void)
{
	struct stat st;
	struct statx stx;

	printf("access %d\n", access("/dev/kvm", R_OK | W_OK));
	printf("faccessat %d\n", faccessat(AT_FDCWD, "/dev/kvm", F_OK, 0));
	printf("stat %d", stat("/dev/kvm", &st));
	printf(" %d\n", S_ISCHR(st.st_mode));
	printf("lstat %d", lstat("/dev/kvm", &st));
	printf(" %d\n", S_ISCHR(st.st_mode));
	printf("fstatat %d", fstatat(AT_FDCWD, "/dev/kvm", &st, 0));
	printf(" %d\n", S_ISCHR(st.st_mode));
	printf("statx %d", statx(AT_FDCWD, "/dev/kvm", 0, STATX_ALL, &stx));
	printf(" %d\n", S_ISCHR(stx.stx_mode));
	printf("fstat %d", fstat(open_kvm(), &st));
	printf(" %d\n", S_ISCHR(st.st_mode));
	need(access("/dev/null", R_OK) == 0 && access("/no/such/file", F_OK) < 0, "access elsewhere");
	need(stat("/no/such/file", &st) < 0 && errno == ENOENT, "stat elsewhere");
}

#ifdef __x86_64__
/* Leaf 0, after the signal that a CPU that faults would have sent: with the kernel's own code in
 * it, it finds us right in front of the instruction. */
static void fault(uint32_t ret[4])
{
	siginfo_t info = { .si_signo = SIGSEGV, .si_code = SI_KERNEL };
	long process = getpid(), thread = syscall(SYS_gettid), a = SYS_rt_tgsigqueueinfo, b, c, d = SIGSEGV;
	register siginfo_t *r10 __asm__("r10") = &info;

	__asm__ volatile("syscall\n\tcpuid"
			 : "+a"(a), "=b"(b), "=c"(c), "+d"(d)
			 : "D"(process), "S"(thread), "r"(r10)
			 : "r11", "memory");
	ret[0] = (uint32_t)a;
	ret[1] = (uint32_t)b;
	ret[2] = (uint32_t)c;
	ret[3] = (uint32_t)d;
}

static volatile int *volatile nowhere = (volatile int *)64;
static sigjmp_buf back;
static volatile int caught;

static void on_segv(int number)
{
	caught += number == SIGSEGV;
	siglongjmp(back, 1);
}

static void on_segv_info(int number, siginfo_t *info, void *context)
{
	(void)context;
	caught += number == SIGSEGV && info->si_addr == (void *)64;
	siglongjmp(back, 1);
}

static void *ask(void *arg)
{
	sigset_t all;
	uint32_t r[4];

	(void)arg;
	sigfillset(&all);
	need(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0, "pthread_sigmask");
	fault(r);
	printf("thread %08x %08x %08x %08x\n", r[0], r[1], r[2], r[3]);
	return NULL;
}

/* CPUID that faults; other faults, which are the program's own, before and after. */
static void cpuids(void)
{
	struct sigaction set = { .sa_sigaction = on_segv_info, .sa_flags = SA_SIGINFO }, was;
	uint32_t r[4];
	pthread_t t;

	need(signal(SIGSEGV, on_segv) == SIG_DFL, "signal");
	if (!sigsetjmp(back, 1))
		*nowhere = 1;
	fault(r);
	printf("leaf 0 %08x %08x %08x %08x\n", r[0], r[1], r[2], r[3]);
	need(sigaction(SIGSEGV, &set, &was) == 0 && was.sa_handler == on_segv, "sigaction");
	if (!sigsetjmp(back, 1))
		*nowhere = 1;
	need(caught == 2, "both handlers");
	need(sigaction(SIGSEGV, NULL, &was) == 0 && was.sa_sigaction == on_segv_info, "the handler of one's own");
	pthread_create(&t, NULL, ask, NULL);
	pthread_join(t, NULL);
}

static void segv(void)
{
	uint32_t r[4];

	fault(r);
	*nowhere = 1;
}
#endif

#ifdef __x86_64__
/* A guest that would be told what this CPU says of itself: whoever answers. */
static void own(void)
{
	static const uint32_t leaves[] = { 0, 1, 0x80000002, 0x80000003, 0x80000004 };
	const unsigned n = sizeof(leaves) / sizeof(leaves[0]);
	int kvm = open_kvm(), vm = make(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM"), vcpu = make(vm, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU");
	struct kvm_cpuid2 *t = calloc(1, sizeof(*t) + n * sizeof(t->entries[0]));

	need(t != NULL, "memory");
	t->nent = n;
	for (unsigned i = 0; i < n; i++) {
		struct kvm_cpuid_entry2 *e = &t->entries[i];

		e->function = leaves[i];
		__cpuid(leaves[i], e->eax, e->ebx, e->ecx, e->edx);
	}
	make(vcpu, KVM_SET_CPUID2, (uintptr_t)t, "KVM_SET_CPUID2");
	free(t);
	run(kvm, vcpu);
}
#endif

/* /dev/kvm is no directory, whoever asks. */
static int vain(int code)
{
	need(open("/dev/kvm", O_RDWR | O_DIRECTORY) < 0, "a directory");
	return code;
}

int main(int argc, char **argv)
{
	const char *action = argc > 1 ? argv[1] : "";

	if (strcmp(action, "plain") == 0)
		plain();
	else if (strcmp(action, "dup") == 0)
		dups();
	else if (strcmp(action, "reuse") == 0)
		reuse();
	else if (strcmp(action, "threads") == 0)
		threads();
	else if (strcmp(action, "fork") == 0)
		forks();
	else if (strcmp(action, "exec") == 0)
		execs();
	else if (strcmp(action, "inherited") == 0)
		inherited(atoi(argv[2]));
	else if (strcmp(action, "pointers") == 0)
		pointers();
	else if (strcmp(action, "look") == 0)
		looks();
#ifdef __x86_64__
	else if (strcmp(action, "cpuid") == 0)
		cpuids();
	else if (strcmp(action, "segv") == 0)
		segv();
#endif
	else if (strcmp(action, "exit") == 0)
		return atoi(argv[2]);
#ifdef __x86_64__
	else if (strcmp(action, "own") == 0)
		own();
#endif
	else if (strcmp(action, "vain") == 0)
		return vain(atoi(argv[2]));
	else if (strcmp(action, "die") == 0)
		open_kvm(), abort();
	else if (strcmp(action, "none") != 0)
		return 9;
	return 0;
}
