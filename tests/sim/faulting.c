/* SPDX-License-Identifier: MIT */
/*
 * Preloaded behind the library of sim: arch_prctl says that CPUID instructions fault from now
 * on, as on a CPU that can do that. client.c then makes the signal itself.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012

long syscall(long number, ...)
{
	long (*next)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
#ifdef SYS_arch_prctl
	if (number == SYS_arch_prctl && a[0] == ARCH_SET_CPUID)
		return 0;
#endif
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
