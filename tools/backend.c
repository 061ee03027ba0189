/* SPDX-License-Identifier: MIT */
/* Which KVM a command works on: this machine's, or the software KVM that --host model: names. */
#include "core/snapshot.h"
#include "model/supported.h"
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
	if (t->model_kernel)
		t->model_host->kernel = NULL;
	gcpu_snapshot_free(t->model_host);
	free(t->model_kernel);
	t->model_kernel = NULL;
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

/* A series has one release that it is played as, and the host's own can be played as another one of
 * it: what is measured there has the name of the one that it was. A bundled host's own name is constant. */
static int name_release(struct tool *t, const char *kernel, struct gcpu_error *err)
{
	const char *release = kernel ? supported_release(kernel, err) : NULL;

	if (!release || gcpu_model_host(t->model) != t->model_host)
		return 0;
	t->model_kernel = strdup(release);
	if (!t->model_kernel)
		return error_memory(err);
	if (!t->model_host->borrowed)
		free(t->model_host->kernel);
	t->model_host->kernel = t->model_kernel;
	return 0;
}

void tool_about_host(const char *name, struct gcpu_error *err)
{
	tool_about_file(name, err->code, err);
	if (!err->expected[0] && err->code == GCPU_ERR_ARGUMENT)
		snprintf(err->expected, sizeof(err->expected),
			 "what a KVM offers, and as host.kernel the release of it, such as 6.12.5");
}

void tool_about_model(const char *host, struct gcpu_error *err)
{
	tool_about_file(host, err->code, err);
	if (!err->expected[0])
		snprintf(err->expected, sizeof(err->expected),
			 "a host that a KVM can be: a document that was changed by hand can contradict itself");
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
	if (status == GCPU_ERR_ARGUMENT)
		tool_about_host(name, err);
	if (status == 0)
		status = name_release(t, o.kernel, err);
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
