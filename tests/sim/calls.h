/* SPDX-License-Identifier: MIT */
/* What the programs under trace and sim share: calls that must succeed. */
#ifndef GCPU_TESTS_SIM_CALLS_H
#define GCPU_TESTS_SIM_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static void need(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, PROGRAM ": %s: %s\n", what, strerror(errno));
	exit(9);
}

static int open_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	need(fd >= 0, "/dev/kvm");
	return fd;
}

static int make(int fd, unsigned long request, uintptr_t arg, const char *what)
{
	int r = ioctl(fd, request, arg);

	need(r >= 0, what);
	return r;
}

#endif
