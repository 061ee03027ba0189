/* SPDX-License-Identifier: MIT */
/* What a library asks of /proc and /sys, answered from the snapshot. */
#include "sw.h"

#include <stdio.h>
#include <string.h>

static int give(char *buf, size_t size, const char *text)
{
	size_t n = text ? strlen(text) : 0;

	if (!text)
		return -ENOENT;
	n = n < size ? n : size;
	memcpy(buf, text, n);
	return (int)n;
}

static int cpuinfo(const struct gcpu_snapshot *s, char *buf, size_t size)
{
	int n = 0;

	if (s->brand)
		n += snprintf(buf, size, "model name\t: %s\n", s->brand);
	if (s->microcode && (size_t)n < size)
		n += snprintf(buf + n, size - (size_t)n, "microcode\t: %s\n", s->microcode);
	return (size_t)n < size ? n : (int)size;
}

static int parameter(const struct gcpu_snapshot *s, const char *path, char *buf, size_t size)
{
	static const char before[] = "/sys/module/", between[] = "/parameters/";
	const char *module = path + strlen(before), *name;
	size_t n;

	if (strncmp(path, before, strlen(before)) != 0)
		return -ENOENT;
	n = strcspn(module, "/");
	if (strncmp(module + n, between, strlen(between)) != 0)
		return -ENOENT;
	name = module + n + strlen(between);
	for (size_t i = 0; i < s->params.n; i++) {
		const struct snap_param *p = LIST_AT(&s->params, struct snap_param, i);

		if (strcmp(p->name, name) == 0 && strncmp(p->module, module, n) == 0 && !p->module[n])
			return give(buf, size, p->value);
	}
	return -ENOENT;
}

int sw_read_host_file(void *ctx, const char *path, char *buf, size_t size)
{
	const struct gcpu_model *m = ctx;
	const struct gcpu_snapshot *s = m->host;

	if (strcmp(path, "/proc/sys/kernel/osrelease") == 0)
		return give(buf, size, m->kernel);
	if (strcmp(path, "/proc/cpuinfo") == 0)
		return cpuinfo(s, buf, size);
	if (strcmp(path, "/sys/devices/system/cpu/online") == 0)
		return give(buf, size, s->cpuid[SNAP_VARIES].n ? "0-1" : "0");
	return parameter(s, path, buf, size);
}
