/* SPDX-License-Identifier: MIT */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { LINKS_MOST = 40, TRIES = 100 }; /* the kernel follows as many */

/* Where NAME stands, with its slash; empty: here. */
static size_t folder(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? (size_t)(slash - name) + 1 : 0;
}

/* FOLDER/NAME of FOLDER/OTHER; NULL: no memory. */
static char *beside(const char *other, const char *name)
{
	size_t n = *name == '/' ? 0 : folder(other), length = strlen(name);
	char *path = malloc(n + length + 1);

	if (path) {
		memcpy(path, other, n);
		memcpy(path + n, name, length + 1);
	}
	return path;
}

/* Links of /proc lead to what is open, whatever their text says. */
static bool is_of_proc(const char *path)
{
	struct stat st, proc, root;

	return lstat(path, &st) == 0 && stat("/proc", &proc) == 0 && stat("/", &root) == 0 &&
	       st.st_dev == proc.st_dev && st.st_dev != root.st_dev;
}

/* A list of who may do what, which a new file would not have. */
static bool has_list(const char *path)
{
	return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

/* What NAME leads to, there or not: 0 or an errno. */
static int resolve(const char *name, char **ret)
{
	char *path = strdup(name), text[PATH_MAX];
	struct stat st;

	for (int i = 0; path && lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && !is_of_proc(path); i++) {
		ssize_t n = i < LINKS_MOST ? readlink(path, text, sizeof(text) - 1) : -1;
		char *next;

		if (n < 0) {
			free(path);
			return i < LINKS_MOST ? errno : ELOOP;
		}
		text[n] = 0;
		next = beside(path, text);
		free(path);
		path = next;
	}
	*ret = path;
	return path ? 0 : ENOMEM;
}

/* A new file beside o->target, like WAS if that is one: 0 or an errno. */
static int open_beside(struct outfile *o, const struct stat *was)
{
	mode_t mode = was ? was->st_mode & 07777 : 0666;
	struct timespec now;
	struct stat st;
	char name[64];
	int fd = -1, error;

	clock_gettime(CLOCK_REALTIME, &now);
	for (int i = 0; i < TRIES && fd < 0; i++) {
		snprintf(name, sizeof(name), "guestcpu-%lx-%llx-%d.tmp", (long)getpid(), (unsigned long long)now.tv_nsec, i);
		free(o->temp);
		o->temp = beside(o->target, name);
		if (!o->temp)
			return ENOMEM;
		fd = open(o->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	error = errno;
	if (fd >= 0 && was &&
	    (fstat(fd, &st) ||
	     ((st.st_uid != was->st_uid || st.st_gid != was->st_gid) && fchown(fd, was->st_uid, was->st_gid)) ||
	     fchmod(fd, mode)))
		error = errno;
	else if (fd >= 0 && was && has_list(o->temp))
		error = EEXIST; /* of its folder, and would let others in */
	else if (fd >= 0 && (o->f = fdopen(fd, "w")) != NULL)
		return 0;
	if (fd >= 0) {
		unlink(o->temp);
		close(fd);
	}
	free(o->temp);
	o->temp = NULL;
	return error;
}

/* A file whose other names would not follow, or in a place where none can be made: what goes into it is collected. */
static int open_in_place(struct outfile *o)
{
	o->fd = open(o->target, O_WRONLY | O_CLOEXEC);
	if (o->fd < 0)
		return errno;
	o->f = open_memstream(&o->text, &o->n);
	return o->f ? 0 : ENOMEM;
}

static void forget(struct outfile *o)
{
	if (o->fd >= 0)
		close(o->fd);
	free(o->text);
	free(o->temp);
	free(o->target);
	*o = (struct outfile){ .fd = -1 };
}

/* 0 or an errno; o->f NULL: neither a file nor to become one. */
static int begin(struct outfile *o, const char *name)
{
	struct statx more;
	struct stat st;
	int error;

	*o = (struct outfile){ .fd = -1 };
	/* the kernel follows a link first, and may refuse to */
	error = !*name ? ENOENT : stat(name, &st) && errno != ENOENT ? errno : resolve(name, &o->target);
	if (error)
		return error;
	if (stat(o->target, &st))
		return errno == ENOENT ? open_beside(o, NULL) : errno;
	if (statx(AT_FDCWD, o->target, 0, 0, &more))
		more.stx_attributes = 0;
	if (more.stx_attributes & (STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE))
		return EPERM;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	/* a file that may not be written is not replaced either */
	if (faccessat(AT_FDCWD, o->target, W_OK, AT_EACCESS))
		return errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (st.st_nlink == 1 && !(more.stx_attributes & STATX_ATTR_MOUNT_ROOT) && !has_list(o->target) &&
	    !is_of_proc(o->target) && open_beside(o, &st) == 0)
		return 0;
	return open_in_place(o);
}

int outfile_open(struct outfile *o, const char *name)
{
	int error = begin(o, name);

	if (!error && !o->f && !(o->f = fopen(o->target, "we")))
		error = errno;
	if (error)
		forget(o);
	return error;
}

static int write_all(int fd, const char *text, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t done = pwrite(fd, text + at, n - at, (off_t)at);

		if (done < 0 && errno != EINTR)
			return errno;
		at += done > 0 ? (size_t)done : 0;
	}
	return ftruncate(fd, (off_t)n) ? errno : 0;
}

/* What a disk, a quota or a limit has no room for is found before anything is overwritten. */
static int put_in_place(const struct outfile *o)
{
	struct stat st;

	if (fstat(o->fd, &st))
		return errno;
	if (o->n && fallocate(o->fd, 0, 0, (off_t)o->n) && errno != EOPNOTSUPP && errno != ENOSYS) {
		int error = errno;

		return ftruncate(o->fd, st.st_size) ? errno : error;
	}
	return write_all(o->fd, o->text, o->n);
}

int outfile_close(struct outfile *o, bool bad)
{
	int error = bad || ferror(o->f) ? (errno ? errno : EIO) : 0;

	if (fclose(o->f) && !error)
		error = errno;
	if (!error && o->fd >= 0)
		error = put_in_place(o);
	if (!error && o->temp && rename(o->temp, o->target))
		error = errno;
	if (error && o->temp)
		unlink(o->temp);
	forget(o);
	return error;
}

bool outfile_is_stdout(const char *name)
{
	struct stat st, out;
	char *target = NULL;
	bool is = stat(name, &st) == 0 && fstat(STDOUT_FILENO, &out) == 0 && st.st_dev == out.st_dev &&
		  st.st_ino == out.st_ino && resolve(name, &target) == 0 && is_of_proc(target);

	free(target);
	return is;
}

int outfile_check(const char *name)
{
	struct outfile o;
	int error = begin(&o, name);

	if (o.f)
		fclose(o.f);
	if (o.temp)
		unlink(o.temp);
	forget(&o);
	return error;
}
