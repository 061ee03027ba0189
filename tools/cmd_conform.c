/* SPDX-License-Identifier: MIT */
#include "conform/conform.h"
#include "formats/json.h"
#include "tool.h"

#include <string.h>
#include <unistd.h>

enum form { TEXT, JSON, TAP };

struct report {
	const struct tool *tool;
	enum form form;
	struct json json;
	struct grid *grid;
	unsigned cases, outcome[3], checks, failed;
	bool began;
};

static const char *asked_kvm(const struct tool *t)
{
	return t->value[OPT_BACKEND] ? t->value[OPT_BACKEND] : "kvm";
}

static void begin_json(struct report *r, const struct gcpu_snapshot *snap)
{
	struct json *j = &r->json;

	jw_start(j, tool_write, stdout);
	jw_object(j, true);
	jw_key_string(j, "schema", "guestcpu.conform");
	jw_key_int(j, "version", 1);
	jw_key_string(j, "arch", gcpu_arch_name(gcpu_snapshot_arch(snap)));
	jw_key_string(j, "on", asked_kvm(r->tool));
	jw_key_host(j, snap, true);
	jw_key(j, "cases");
	jw_array(j, true);
}

/* Before the first case, so that an error before it is a document of its own. */
static void begin(struct report *r, const struct gcpu_snapshot *snap)
{
	const char *on = asked_kvm(r->tool);

	if (r->began)
		return;
	r->began = true;
	if (r->form == JSON) {
		begin_json(r, snap);
		return;
	}
	fputs(r->form == TAP ? "TAP version 13\n# conformance of " : "conformance of ", stdout);
	/* a model goes by the name it was asked for: its host's would look like a real one */
	tool_print_host(tool_model_name(on) ? on : gcpu_snapshot_name(snap), snap);
	fputs(r->form == TAP ? "\n" : "\n\n", stdout);
}

static void case_json(struct report *r, const struct conform_result *k)
{
	struct json *j = &r->json;

	jw_object(j, false);
	jw_key_string(j, "name", k->name);
	jw_key_string(j, "source", k->source);
	jw_key_string(j, "outcome", conform_outcome_name(k->outcome));
	jw_key_int(j, "checks", k->checks);
	jw_key_int(j, "failed", k->failed);
	jw_key_string(j, "reason", k->outcome == CONFORM_SKIPPED ? k->reason : NULL);
	jw_key(j, "failures");
	jw_array(j, false);
	for (unsigned i = 0; i < k->n_failures; i++)
		jw_string(j, k->failure[i]);
	jw_close(j, ']');
	jw_close(j, '}');
}

static void case_tap(struct report *r, const struct conform_result *k)
{
	printf("%s %u - %s", k->outcome == CONFORM_FAILED ? "not ok" : "ok", r->cases, k->name);
	if (k->outcome == CONFORM_SKIPPED)
		printf(" # SKIP %s", k->reason);
	printf("\n");
	for (unsigned i = 0; i < k->n_failures; i++)
		printf("# %s\n", k->failure[i]);
}

/* Failures, and what could not be tried, with its reason; the rest for --all. */
static void case_text(struct report *r, const struct conform_result *k)
{
	char more[60];

	if (k->outcome == CONFORM_PASSED && !r->tool->value[OPT_ALL])
		return;
	snprintf(more, sizeof(more), "%u assertion%s", k->checks, k->checks == 1 ? "" : "s");
	grid_add(r->grid, (const char *const[]){ conform_outcome_name(k->outcome), k->name, k->source,
						 k->outcome == CONFORM_SKIPPED  ? k->reason :
						 k->outcome == CONFORM_PASSED ? more :
										k->failure[0] });
	for (unsigned i = 1; i < k->n_failures; i++)
		grid_add(r->grid, (const char *const[]){ "", "", "", k->failure[i] });
	if (k->failed > k->n_failures) {
		snprintf(more, sizeof(more), "and %u more", k->failed - k->n_failures);
		grid_add(r->grid, (const char *const[]){ "", "", "", more });
	}
}

static void progress(void *ctx, const char *name, unsigned number, unsigned all)
{
	const struct report *r = ctx;

	if (r->form == TEXT && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%u of %u: %s", number + 1, all, name);
}

struct visiting {
	struct report *report;
	const struct gcpu_snapshot *snap;
};

static int visit(void *ctx, const struct conform_result *k)
{
	struct visiting *v = ctx;
	struct report *r = v->report;

	begin(r, v->snap);
	r->cases++;
	r->outcome[k->outcome]++;
	r->checks += k->checks;
	r->failed += k->failed;
	if (r->form == JSON)
		case_json(r, k);
	else if (r->form == TAP)
		case_tap(r, k);
	else
		case_text(r, k);
	return 0;
}

static void visit_progress(void *ctx, const char *name, unsigned number, unsigned all)
{
	struct visiting *v = ctx;

	progress(v->report, name, number, all);
}

static void end(struct report *r)
{
	struct json *j = &r->json;

	if (r->form == TAP) {
		printf("1..%u\n", r->cases);
		return;
	}
	if (r->form == TEXT) {
		if (isatty(STDERR_FILENO))
			fputs("\r\033[K", stderr);
		if (grid_rows(r->grid)) {
			grid_print(r->grid, stdout, "");
			printf("\n");
		}
		printf("%u cases: %u passed, %u failed, %u skipped; %u assertions, %u failed\n", r->cases,
		       r->outcome[CONFORM_PASSED], r->outcome[CONFORM_FAILED], r->outcome[CONFORM_SKIPPED], r->checks,
		       r->failed);
		return;
	}
	jw_close(j, ']');
	jw_key(j, "summary");
	jw_object(j, true);
	jw_key_int(j, "cases", r->cases);
	jw_key_int(j, "passed", r->outcome[CONFORM_PASSED]);
	jw_key_int(j, "failed", r->outcome[CONFORM_FAILED]);
	jw_key_int(j, "skipped", r->outcome[CONFORM_SKIPPED]);
	jw_key_int(j, "checks", r->checks);
	jw_key_int(j, "checks_failed", r->failed);
	jw_close(j, '}');
	jw_close(j, '}');
	jw_end(j);
}

static int conform(struct tool *t, enum form form, const struct gcpu_kvm *kvm, int kvm_fd)
{
	const struct gcpu_probe_options probe = { .size = sizeof(probe) };
	struct report r = { .tool = t, .form = form, .grid = form == TEXT ? grid_new(4) : NULL };
	struct gcpu_snapshot *snap = NULL;
	struct visiting v = { &r, NULL };
	struct conform_options o = { .kvm = kvm, .kvm_fd = kvm_fd, .only = t->value[OPT_ONLY],
				     .progress = visit_progress, .visit = visit, .ctx = &v };
	struct gcpu_error err = { 0 };
	int status = gcpu_snapshot_probe(kvm, kvm_fd, &probe, &snap, &err);

	if (status && t->model)
		tool_about_model(t->value[OPT_BACKEND], &err);
	v.snap = o.snapshot = snap;
	if (status == 0)
		status = conform_run(&o, &err);
	if (status == 0) {
		end(&r);
		status = r.outcome[CONFORM_FAILED] ? EXIT_NO : EXIT_YES;
	} else {
		if (err.offset == 0 && err.length == 0)
			err.offset = (size_t)-1;
		status = tool_fail(t, &err, NULL);
	}
	grid_free(r.grid);
	gcpu_snapshot_free(snap);
	return status;
}

static int run(struct tool *t)
{
	const char *on = asked_kvm(t);
	enum form form = t->json ? JSON : t->value[OPT_TAP] ? TAP : TEXT;
	struct gcpu_error err;
	static char hint[120];
	int fd, status;

	if (t->json && t->value[OPT_TAP])
		return tool_usage(t, "--json and --tap are two forms of one output");
	snprintf(hint, sizeof(hint), "conform --on model:%.100s", on);
	if (strcmp(on, "kvm") != 0 && !tool_model_name(on)) {
		t->hint = strcmp(on, "model") == 0 ? "features --hosts" : *on ? hint : NULL;
		return tool_usage(t, "--on: no such backend '%.60s', expected %s", on, options[OPT_BACKEND].value);
	}
	if (tool_model_name(on) && t->value[OPT_KVM])
		return tool_usage(t, "--on %.60s is no device: --kvm has no sense with it", on);
	fd = tool_model_name(on) ? tool_model_open(t, tool_model_name(on), &err) : tool_open_kvm(t, &err);
	if (fd < 0)
		return tool_fail(t, &err, NULL);
	status = conform(t, form, tool_kvm(t), fd);
	tool_close_kvm(t, fd);
	return status;
}

const struct command cmd_conform = {
	.name = "conform",
	.help = "ask a KVM to do what it promises about CPUs, case by case",
	.takes = TAKES(OPT_ALL) | TAKES(OPT_BACKEND) | TAKES(OPT_JSON) | TAKES(OPT_KVM) | TAKES(OPT_ONLY) |
		 TAKES(OPT_TAP),
	.run = run,
};
