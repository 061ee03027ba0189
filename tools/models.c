/* SPDX-License-Identifier: MIT */
/* The models of a request, as QEMU's -cpu help lists its own. */
#include "formats/json.h"
#include "tool.h"

#include <string.h>

bool tool_asks_models(const struct tool *t)
{
	const char *request = t->value[OPT_CPU];

	return request && (strcmp(request, "help") == 0 || strcmp(request, "?") == 0);
}

static int row(void *ctx, const struct gcpu_model_info *m)
{
	grid_add(ctx, (const char *const[]){ m->name, m->meaning });
	return 0;
}

static int item(void *ctx, const struct gcpu_model_info *m)
{
	struct json *j = ctx;

	jw_object(j, false);
	jw_key_string(j, "name", m->name);
	jw_key_string(j, "meaning", m->meaning);
	jw_close(j, '}');
	return 0;
}

int tool_host_arch(struct tool *t)
{
	struct gcpu_snapshot *snap;
	int kvm_fd, exit_code;

	if (!t->value[OPT_HOST] || strcmp(t->value[OPT_HOST], "kvm") == 0)
		return 0;
	if (tool_snapshot(t, &snap, &kvm_fd, &exit_code))
		return exit_code;
	gcpu_snapshot_free(snap);
	return 0;
}

int tool_models(struct tool *t)
{
	int exit_code = tool_host_arch(t);
	struct grid *g;
	struct json j;

	if (exit_code)
		return exit_code;
	if (t->json) {
		jw_start(&j, tool_write, stdout);
		jw_object(&j, true);
		jw_key_string(&j, "schema", "guestcpu.models");
		jw_key_int(&j, "version", 1);
		jw_key_string(&j, "arch", gcpu_arch_name(t->arch));
		jw_key(&j, "models");
		jw_array(&j, true);
		gcpu_models(t->arch, item, &j);
		jw_close(&j, ']');
		jw_close(&j, '}');
		jw_end(&j);
		return EXIT_YES;
	}
	g = grid_new(2);
	gcpu_models(t->arch, row, g);
	grid_print(g, stdout, "");
	grid_free(g);
	return EXIT_YES;
}
