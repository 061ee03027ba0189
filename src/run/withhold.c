/* SPDX-License-Identifier: MIT */
/*
 * Whoever waits for a page of ours may be KVM inside the kernel, where no
 * signal reaches it. So the thread never ends without closing the descriptor:
 * that takes our hand off the memory, and all who wait go on.
 */
#define _GNU_SOURCE 1
#include "withhold.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest_priv.h"

/* Since Linux 6.1, and so not in every system's header. */
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

struct withhold {
	struct gcpu_kvm kvm;
	struct uffdio_range range;
	unsigned delay_ms;
	int faults; /* userfaultfd; once there is a thread, the thread's */
	int stop;   /* eventfd */
	int started;
	int given; /* of the thread, while it runs */
	pthread_t thread;
	unsigned char contents[];
};

static int control(const struct withhold *w, unsigned long request, void *arg)
{
	return w->kvm.ops->ioctl(w->kvm.ctx, w->faults, request, (uintptr_t)arg);
}

static void give(struct withhold *w)
{
	struct uffdio_copy copy;
	int r;

	do {
		memset(&copy, 0, sizeof(copy));
		copy.dst = w->range.start;
		copy.src = (uintptr_t)w->contents;
		copy.len = w->range.len;
		r = control(w, UFFDIO_COPY, &copy);
		/* EAGAIN: the address space is about to change. */
	} while (r == -EAGAIN);
	w->given = r == 0;
}

static void *serve(void *arg)
{
	struct withhold *w = arg;
	struct pollfd fds[] = { { .fd = w->stop, .events = POLLIN }, { .fd = w->faults, .events = POLLIN } };
	struct uffd_msg msg;
	ssize_t n;

	for (;;) {
		if (poll(fds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		if (fds[0].revents)
			break;
		n = read(w->faults, &msg, sizeof(msg));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n != (ssize_t)sizeof(msg))
			break;
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		/* Told to stop meanwhile, or it was given: no more to do. */
		poll(fds, 1, (int)w->delay_ms);
		if (!fds[0].revents)
			give(w);
		break;
	}
	close(w->faults);
	return NULL;
}

/* The descriptor or -errno. A fault of KVM's is one in the kernel: not every user may withhold those. */
static int open_faults(const struct gcpu_kvm *kvm)
{
	int fd, dev, r;

#ifdef __NR_userfaultfd
	fd = (int)syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	r = fd < 0 ? -errno : fd;
#else
	r = -ENOSYS;
#endif
	if (r >= 0 || r == -ENOSYS)
		return r;
	/* Who may open this may do it without further questions. */
	dev = kvm->ops->open(kvm->ctx, "/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		return r;
	fd = kvm->ops->ioctl(kvm->ctx, dev, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
	kvm->ops->close(kvm->ctx, dev);
	return fd < 0 ? r : fd;
}

static int prepare(struct withhold *w, void *page, struct gcpu_error *err)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = w->range, .mode = UFFDIO_REGISTER_MODE_MISSING };
	int r;

	r = control(w, UFFDIO_API, &api);
	if (r < 0)
		return run_fail(err, GCPU_ERR_REFUSED, -r, "UFFDIO_API: %s", strerror(-r));
	/* Else a neighbour's huge page could bring it back. Kernels without huge pages need not know the word. */
	madvise(page, w->range.len, MADV_NOHUGEPAGE);
	r = control(w, UFFDIO_REGISTER, &reg);
	if (r < 0)
		return run_fail(err, GCPU_ERR_REFUSED, -r, "UFFDIO_REGISTER: %s", strerror(-r));
	if (madvise(page, w->range.len, MADV_DONTNEED) < 0)
		return run_fail(err, GCPU_ERR_REFUSED, errno, "MADV_DONTNEED: %s", strerror(errno));
	return 0;
}

/* The program's signals have no business on this thread. */
static int start(struct withhold *w)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	r = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (r)
		return r;
	r = pthread_create(&w->thread, NULL, serve, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->started = !r;
	return r;
}

int withhold_new(const struct gcpu_kvm *kvm, void *page, size_t size, const void *contents, unsigned delay_ms,
		 struct withhold **ret, struct gcpu_error *err)
{
	struct withhold *w = calloc(1, sizeof(*w) + size);
	int r;

	if (!w)
		return run_fail(err, GCPU_ERR_MEMORY, ENOMEM, "out of memory");
	w->kvm = *kvm;
	w->range.start = (uintptr_t)page;
	w->range.len = size;
	w->delay_ms = delay_ms;
	memcpy(w->contents, contents, size);
	w->stop = eventfd(0, EFD_CLOEXEC);
	r = w->stop < 0 ? -errno : 0;
	w->faults = open_faults(kvm);
	if (w->faults < 0)
		r = run_fail(err, GCPU_ERR_REFUSED, -w->faults, "userfaultfd: %s%s", strerror(-w->faults),
			     w->faults == -EPERM ? " (vm.unprivileged_userfaultfd says who may)" : "");
	else if (r)
		r = run_fail(err, GCPU_ERR_REFUSED, -r, "eventfd: %s", strerror(-r));
	else
		r = prepare(w, page, err);
	if (r == 0) {
		r = start(w);
		if (r)
			r = run_fail(err, GCPU_ERR_MEMORY, r, "no thread: %s", strerror(r));
	}
	if (r) {
		withhold_end(w);
		return r;
	}
	*ret = w;
	return 0;
}

int withhold_end(struct withhold *w)
{
	const uint64_t one = 1;
	int given;

	if (!w)
		return 0;
	if (w->started) {
		/* cannot fail: nobody else adds to it */
		while (write(w->stop, &one, sizeof(one)) < 0 && errno == EINTR)
			;
		pthread_join(w->thread, NULL);
	} else if (w->faults >= 0) {
		close(w->faults);
	}
	if (w->stop >= 0)
		close(w->stop);
	given = w->given;
	free(w);
	return given;
}
