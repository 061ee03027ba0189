/* SPDX-License-Identifier: MIT */
/* Which KVM a command works on: this machine's, or the software KVM that --host model: names. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX "model:"

const char *tool_model_name(const char *host)
{
	return host && strncmp(host, PREFIX, strlen(PREFIX)) == 0 ? host + strlen(PREFIX) : NULL;
}

const struct gcpu_kvm *tool_kvm(const struct tool *t)
{
	return t->model ? gcpu_model_kvm(t->model) : gcpu_kvm_real();
}

void tool_close_kvm(const struct tool *t, int fd)
{
	if (fd >= 0)
		tool_kvm(t)->ops->close(tool_kvm(t)->ctx, fd);
}

void tool_model_free(struct tool *t)
{
	gcpu_model_free(t->model);
	gcpu_snapshot_free(t->model_host);
	t->model = NULL;
	t->model_host = NULL;
}

char *tool_split_series(const char *text, const char **ret_series)
{
	char *name = strdup(text), *at = name ? strrchr(name, '@') : NULL;

	/* a folder may have one in its name */
	if (at && strchr(at, '/'))
		at = NULL;
	if (at)
		*at = 0;
	*ret_series = at ? at + 1 : NULL;
	return name;
}

int tool_model_open(struct tool *t, const char *text, struct gcpu_error *err)
{
	struct gcpu_model_options o = { .size = sizeof(o) };
	char *name = tool_split_series(text, &o.kernel);
	int status, fd;

	memset(err, 0, sizeof(*err));
	err->offset = (size_t)-1;
	tool_model_free(t); /* an earlier one */
	if (!name) {
		err->code = GCPU_ERR_MEMORY;
		snprintf(err->text, sizeof(err->text), "out of memory");
		return err->code;
	}
	status = tool_load(name, &t->model_host, err);
	if (status == 0)
		status = gcpu_model_new(t->model_host, &o, &t->model, err);
	free(name);
	if (status == 0) {
		fd = tool_kvm(t)->ops->open(tool_kvm(t)->ctx, "/dev/kvm", 0);
		if (fd >= 0)
			return fd;
		status = err->code = GCPU_ERR_MEMORY;
		snprintf(err->text, sizeof(err->text), "out of memory");
	}
	tool_model_free(t);
	return status;
}

/* A host that is only found where it is named otherwise: what to write instead. */
void tool_hint_model(const struct tool *t, const char *host, struct gcpu_error *err)
{
	struct gcpu_snapshot *found = NULL;
	const char *series = NULL;
	char *name = tool_split_series(host, &series);
	struct gcpu_error other;

	if (name && series && *series && tool_load(name, &found, &other) == 0) {
		if (t->command == &cmd_sim)
			snprintf(err->expected, sizeof(err->expected), "--host %.100s --kernel %.40s", name, series);
		else
			snprintf(err->expected, sizeof(err->expected),
				 "a host; --host model:%.120s is a software KVM of it, as of that kernel series", host);
		memset(err->near, 0, sizeof(err->near));
	}
	gcpu_snapshot_free(found);
	free(name);
}
