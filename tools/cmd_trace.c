/* SPDX-License-Identifier: MIT */
/* trace and sim: run a program, and say what it asked of KVM. */
#include "core/util.h"
#include "model/supported.h"
#include "sim/launch.h"
#include "trace.h"

#include <guestcpu/model.h>

#include <stdlib.h>
#include <string.h>

/* The document to -o FILE or standard output; 0 or an exit code. */
static int document(const struct tool *t, const struct sim_report *r, const struct sim_told *told)
{
	int exit_code, status;
	FILE *f = tool_output(t, &exit_code);

	if (!f)
		return exit_code;
	status = sim_report_write(r, told, tool_write, f);
	exit_code = tool_close_output(t, f);
	return status && !exit_code ? EXIT_LACKS : exit_code;
}

/* People read which release it was; the document has the series as it was asked for. */
static void print(const struct tool *t, const struct sim_report *r, const struct sim_told *told)
{
	const char *release = told->kernel ? supported_release(told->kernel, NULL) : NULL;
	struct sim_told shown = *told;

	if (release)
		shown.kernel = release;
	trace_text(r, &shown, t->value[OPT_ALL] != NULL);
}

static int report(const struct tool *t, const struct sim_ended *e, struct sim_told *told)
{
	struct sim_report r;
	struct gcpu_error err;
	int exit_code = 0;

	told->command = t->rest;
	told->exit_code = e->exit_code;
	told->signal = e->signal;
	told->arch = gcpu_arch_native();
	if (sim_report_make(e->log, &r, &err))
		return tool_fail(t, &err, NULL);
	if (tool_document_only(t) || tool_to_file(t))
		exit_code = document(t, &r, told);
	/* if the file was not written, this is all there is */
	if (!tool_document_only(t))
		print(t, &r, told);
	/* a program that was stopped has done its part */
	if (!exit_code && !atomic_load(&e->log->stopped) && (e->exit_code != 0 || !r.opened))
		/* what it lacked is this machine's; a model is always there */
		exit_code = r.open_error && !told->host ? EXIT_LACKS : EXIT_NO;
	sim_report_free(&r);
	return exit_code;
}

static int launch(struct tool *t, struct sim_launch *l, struct sim_told *told)
{
	struct sim_ended ended;
	struct gcpu_error err;
	int exit_code;

	l->argv = t->rest;
	/* with --json -o FILE we have nothing to say there */
	l->stdout_is_ours = !(t->json && tool_to_file(t));
	if (sim_launch(l, &ended, &err))
		return tool_fail(t, &err, NULL);
	tool_limits_are_errors();
	if (told->is_here && atomic_load(&ended.log->own_cpuid) == SIM_CPUID_LEAKED)
		atomic_store(&ended.log->own_cpuid, SIM_CPUID_MACHINE);
	exit_code = report(t, &ended, told);
	sim_ended_free(&ended);
	return exit_code;
}

static int run_trace(struct tool *t)
{
	struct sim_launch l = { .mode = SIM_TRACE };
	struct sim_told told = { .host = NULL };

	if (!t->rest)
		return tool_usage(t, "no program to run: guestcpu trace -- CMD ...");
	return launch(t, &l, &told);
}

const struct command cmd_trace = {
	.name = "trace",
	.words = "-- CMD ...",
	.help = "run a program, and say which CPU it gives its guest",
	.takes = TAKES(OPT_ALL) | TAKES(OPT_JSON) | TAKES(OPT_OUTPUT),
	.is_launcher = true,
	.run = run_trace,
};

static int run_on(struct tool *t, const struct gcpu_snapshot *snap)
{
	struct gcpu_model_options o = { .size = sizeof(o), .kernel = t->value[OPT_KERNEL] };
	struct sim_launch l = { .mode = SIM_MODEL, .kernel = o.kernel };
	const char *host = t->value[OPT_HOST];
	/* of another kernel it is still this machine's CPU */
	struct sim_told told = { .host = snap, .kernel = o.kernel, .is_here = !host || strcmp(host, "kvm") == 0 };
	struct gcpu_model *model = NULL;
	struct buffer b = { 0 };
	struct gcpu_error err;
	int exit_code;

	/* the program has one of its own: this one is to know now what it would say */
	if (gcpu_model_new(snap, &o, &model, &err)) {
		if (err.code == GCPU_ERR_ARGUMENT)
			tool_about_host(t->value[OPT_HOST] ? t->value[OPT_HOST] : "kvm", &err);
		return tool_fail(t, &err, NULL);
	}
	gcpu_model_free(model);
	if (gcpu_snapshot_write(snap, buffer_append, &b)) {
		free(b.at);
		fputs("guestcpu sim: out of memory\n", stderr);
		return EXIT_LACKS;
	}
	l.snapshot = b.at;
	l.n_snapshot = b.n;
	exit_code = launch(t, &l, &told);
	free(b.at);
	return exit_code;
}

/* It is a model anyhow: "model:HOST@SERIES" says no more than --host HOST --kernel SERIES. */
static int take_model(struct tool *t, char **ret_host)
{
	const char *model = t->value[OPT_HOST] ? tool_model_name(t->value[OPT_HOST]) : NULL, *series = NULL;

	*ret_host = NULL;
	if (!model)
		return 0;
	*ret_host = tool_split_series(model, &series);
	if (!*ret_host) {
		fputs("guestcpu sim: out of memory\n", stderr);
		return EXIT_LACKS;
	}
	if (series && t->value[OPT_KERNEL] && strcmp(series, t->value[OPT_KERNEL]) != 0)
		return tool_usage(t, "--host %.100s and --kernel %.40s are two kernels", t->value[OPT_HOST], t->value[OPT_KERNEL]);
	t->value[OPT_HOST] = *ret_host;
	if (series)
		t->value[OPT_KERNEL] = series;
	return 0;
}

static int run_host(struct tool *t)
{
	struct gcpu_snapshot *snap;
	int fd, exit_code;

	if (tool_snapshot(t, &snap, &fd, &exit_code))
		return exit_code;
	tool_close_kvm(t, fd);
	if (t->arch == gcpu_arch_native())
		exit_code = run_on(t, snap);
	else
		exit_code = tool_usage(t, "a program of this machine cannot be shown an %s host", gcpu_arch_name(t->arch));
	gcpu_snapshot_free(snap);
	return exit_code;
}

static int run_sim(struct tool *t)
{
	char *host;
	int exit_code;

	if (!t->rest)
		return tool_usage(t, "no program to run: guestcpu sim --host HOST -- CMD ...");
	exit_code = take_model(t, &host);
	if (!exit_code)
		exit_code = run_host(t);
	free(host);
	return exit_code;
}

const struct command cmd_sim = {
	.name = "sim",
	.words = "-- CMD ...",
	.help = "run a program on a software KVM, up to its first KVM_RUN, and say which CPU it gives its guest",
	.takes = TAKES(OPT_ALL) | TAKES(OPT_HOST) | TAKES(OPT_JSON) | TAKES(OPT_KERNEL) | TAKES(OPT_KVM) |
		 TAKES(OPT_NO_TRIAL) | TAKES(OPT_OUTPUT),
	.is_launcher = true,
	.run = run_sim,
};
