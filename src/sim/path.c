/* SPDX-License-Identifier: MIT */
/* Is it /dev/kvm? By the words of a path, by where it leads, and by the device that a descriptor is of. */
#include "preload.h"

#include "model/sw.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PAGE 4096U
/* Longer paths lead elsewhere; it has to fit into a small thread's stack. */
#define PATH_MOST 1024U
#define HOPS_MOST 40 /* as many links as the kernel follows */

bool is_kvm_path(const char *path)
{
	static const char kvm[] = "/dev/kvm";
	size_t n = PAGE - (uintptr_t)path % PAGE;
	char text[sizeof(kvm)];

	/* it may lead nowhere, which is the kernel's to refuse; what follows the end need not be there */
	n = n < sizeof(kvm) ? n : sizeof(kvm);
	if (!path || sw_copy_in(text, (uintptr_t)path, n) || memcmp(text, kvm, n) != 0)
		return false;
	return sw_copy_in(text, (uintptr_t)path + n, sizeof(kvm) - n) == 0 && memcmp(text, kvm + n, sizeof(kvm) - n) == 0;
}

/* The program's text, which may end with its memory. */
static bool copy_path(char to[PATH_MOST], const char *path)
{
	size_t done = 0;

	while (path && done < PATH_MOST) {
		size_t n = PAGE - ((uintptr_t)path + done) % PAGE;

		n = n < PATH_MOST - done ? n : PATH_MOST - done;
		if (sw_copy_in(to + done, (uintptr_t)path + done, n))
			return false;
		if (memchr(to + done, 0, n))
			return true;
		done += n;
	}
	return false;
}

/* Past what we took from libc. */
static bool look(int dir, const char *path, int flags, struct stat *ret)
{
	return syscall(SYS_newfstatat, dir, path, ret, flags) == 0;
}

static bool is_dev(int dir, const char *path)
{
	struct stat it, dev;

	return look(dir, path, 0, &it) && look(AT_FDCWD, "/dev", 0, &dev) && it.st_ino == dev.st_ino &&
	       it.st_dev == dev.st_dev;
}

/* Is TEXT the name "kvm" in /dev, written in whatever way? */
static bool names_kvm(int dir, char *text)
{
	char *slash = strrchr(text, '/');
	bool is;

	if (strcmp(slash ? slash + 1 : text, "kvm") != 0)
		return false;
	if (!slash)
		return is_dev(dir, ".");
	slash[1] = 0;
	is = is_dev(dir, text);
	slash[1] = 'k';
	return is;
}

static bool follow(int dir, char text[PATH_MOST])
{
	char target[PATH_MOST];

	for (unsigned i = 0; i < HOPS_MOST; i++) {
		char *slash = strrchr(text, '/');
		size_t kept = slash ? (size_t)(slash + 1 - text) : 0;
		ssize_t n;

		if (names_kvm(dir, text))
			return true;
		n = readlinkat(dir, text, target, sizeof(target));
		if (n <= 0)
			return false;
		kept = target[0] == '/' ? 0 : kept;
		if (kept + (size_t)n >= PATH_MOST)
			return false;
		memcpy(text + kept, target, (size_t)n);
		text[kept + (size_t)n] = 0;
	}
	return false;
}

bool leads_to_kvm(int dir, const char *path, bool follows)
{
	char text[PATH_MOST];
	int error = errno;
	bool leads;

	if (is_kvm_path(path))
		return true;
	leads = copy_path(text, path) && (follows ? follow(dir, text) : names_kvm(dir, text));
	errno = error;
	return leads;
}

bool is_kvm_device(int fd)
{
	int error = errno;
	struct stat st;
	bool is = look(fd, "", AT_EMPTY_PATH, &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(KVM_MAJOR, KVM_MINOR);

	errno = error;
	return is;
}
