/* SPDX-License-Identifier: MIT */
/* Programs look whether there is a /dev/kvm before they open it: with the model there is one. */
#include "preload.h"

#include "model/sw.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static bool takes(const char *path)
{
	return preload.kvm && leads_to_kvm(AT_FDCWD, path, true);
}

static bool takes_at(int dir, const char *path, int flags)
{
	return preload.kvm && leads_to_kvm(dir, path, !(flags & AT_SYMLINK_NOFOLLOW));
}

static int may(int mode)
{
	if (!(mode & X_OK))
		return 0;
	errno = EACCES;
	return -1;
}

static int give(void *to, const void *from, size_t n)
{
	if (sw_copy_out((uintptr_t)to, from, n) == 0)
		return 0;
	errno = EFAULT;
	return -1;
}

static int fill(struct stat *to)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	st.st_mode = S_IFCHR | 0666;
	st.st_nlink = 1;
	st.st_rdev = makedev(KVM_MAJOR, KVM_MINOR);
	st.st_blksize = 4096;
	return give(to, &st, sizeof(st));
}

/* The same structure on 64-bit machines, under another name. */
static int fill64(struct stat64 *to)
{
	_Static_assert(sizeof(struct stat) == sizeof(*to), "struct stat64");
	return fill((struct stat *)to);
}

static int fillx(struct statx *to)
{
	struct statx st;

	memset(&st, 0, sizeof(st));
	st.stx_mask = STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_UID | STATX_GID;
	st.stx_mode = S_IFCHR | 0666;
	st.stx_nlink = 1;
	st.stx_blksize = 4096;
	st.stx_rdev_major = KVM_MAJOR;
	st.stx_rdev_minor = KVM_MINOR;
	return give(to, &st, sizeof(st));
}

NEXT_SLOT(access);
TAKEN int access(const char *path, int mode)
{
	return takes(path) ? may(mode) : NEXT(access)(path, mode);
}

NEXT_SLOT(eaccess);
TAKEN int eaccess(const char *path, int mode)
{
	return takes(path) ? may(mode) : NEXT(eaccess)(path, mode);
}

NEXT_SLOT(euidaccess);
TAKEN int euidaccess(const char *path, int mode)
{
	return takes(path) ? may(mode) : NEXT(euidaccess)(path, mode);
}

NEXT_SLOT(faccessat);
TAKEN int faccessat(int dir, const char *path, int mode, int flags)
{
	return takes_at(dir, path, flags) ? may(mode) : NEXT(faccessat)(dir, path, mode, flags);
}

#define TAKE_STAT(name, type, fill, flags) \
	NEXT_SLOT(name);                                                                         \
	TAKEN int name(const char *path, struct type *st)                                        \
	{                                                                                        \
		return takes_at(AT_FDCWD, path, flags) ? fill(st) : NEXT(name)(path, st); \
	}
/* What programs call that were built with an older libc. */
#define TAKE_XSTAT(name, type, fill, flags) \
	int name(int version, const char *path, struct type *st);                                \
	NEXT_SLOT(name);                                                                         \
	TAKEN int name(int version, const char *path, struct type *st)                           \
	{                                                                                        \
		return takes_at(AT_FDCWD, path, flags) ? fill(st) : NEXT(name)(version, path, st); \
	}
#define TAKE_STATAT(name, type, fill)                                                            \
	NEXT_SLOT(name);                                                                         \
	TAKEN int name(int dir, const char *path, struct type *st, int flags)                    \
	{                                                                                        \
		return takes_at(dir, path, flags) ? fill(st) : NEXT(name)(dir, path, st, flags); \
	}
#define TAKE_XSTATAT(name, type, fill)                                                           \
	int name(int version, int dir, const char *path, struct type *st, int flags);            \
	NEXT_SLOT(name);                                                                         \
	TAKEN int name(int version, int dir, const char *path, struct type *st, int flags)       \
	{                                                                                        \
		return takes_at(dir, path, flags) ? fill(st) : NEXT(name)(version, dir, path, st, flags); \
	}

TAKE_STAT(stat, stat, fill, 0)
TAKE_STAT(stat64, stat64, fill64, 0)
TAKE_STAT(lstat, stat, fill, AT_SYMLINK_NOFOLLOW)
TAKE_STAT(lstat64, stat64, fill64, AT_SYMLINK_NOFOLLOW)
TAKE_STATAT(fstatat, stat, fill)
TAKE_STATAT(fstatat64, stat64, fill64)
TAKE_XSTAT(__xstat, stat, fill, 0)
TAKE_XSTAT(__xstat64, stat64, fill64, 0)
TAKE_XSTAT(__lxstat, stat, fill, AT_SYMLINK_NOFOLLOW)
TAKE_XSTAT(__lxstat64, stat64, fill64, AT_SYMLINK_NOFOLLOW)
TAKE_XSTATAT(__fxstatat, stat, fill)
TAKE_XSTATAT(__fxstatat64, stat64, fill64)

NEXT_SLOT(statx);
TAKEN int statx(int dir, const char *restrict path, int flags, unsigned mask, struct statx *restrict st)
{
	return takes_at(dir, path, flags) ? fillx(st) : NEXT(statx)(dir, path, flags, mask, st);
}
