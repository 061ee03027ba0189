/* SPDX-License-Identifier: MIT */
#include "core/snapshot.h"
#include "tool.h"

#include <string.h>
#include <unistd.h>

/* Nothing is measured: what is about this machine's KVM has no sense beside it. */
static int check_computed(const struct tool *t)
{
	static const enum option others[] = { OPT_HOST, OPT_KVM, OPT_NO_TRIAL };

	const char *name = t->value[OPT_NAME];

	if (name && (!*name || strlen(name) > GCPU_NAME_MOST))
		return tool_usage(t, "--name: %zu bytes are no name, expected 1 to %d", strlen(name), GCPU_NAME_MOST);
	if (!t->value[OPT_FROM_CPUID])
		return t->value[OPT_KERNEL] ? tool_usage(t, "--kernel says whose KVM --from-cpuid is about") : 0;
	if (!t->value[OPT_KERNEL])
		return tool_usage(t, "--from-cpuid needs --kernel SERIES, such as 6.12");
	for (unsigned i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (t->value[others[i]])
			return tool_usage(t, "--from-cpuid is computed: nothing is measured, and %s has no sense",
					  options[others[i]].name);
	if (t->value[OPT_ARCH] && t->arch != GCPU_ARCH_X86)
		return tool_usage(t, "--from-cpuid is about x86, --arch says %s", t->value[OPT_ARCH]);
	return 0;
}

/* What is odd about a dump is said at once; the document has all that was assumed. */
static void warn(const struct tool *t, const struct gcpu_snapshot *snap)
{
	for (size_t i = 0; !t->json && i < snap->assumed.n; i++) {
		const struct snap_assumed *a = LIST_AT(&snap->assumed, struct snap_assumed, i);

		if (a->odd)
			fprintf(stderr, "guestcpu probe: assumed: %s: %s: %s\n", a->what, a->value, a->why);
	}
}

static int run(struct tool *t)
{
	struct gcpu_snapshot *snap;
	int fd = -1, exit_code = check_computed(t), status;
	FILE *f;

	if (exit_code)
		return exit_code;
	if (t->value[OPT_FROM_CPUID] ? tool_computed(t, &snap, &exit_code) : tool_snapshot(t, &snap, &fd, &exit_code))
		return exit_code;
	f = tool_output(t, &exit_code);
	if (f) {
		status = gcpu_snapshot_write(snap, tool_write, f);
		exit_code = tool_close_output(t, f);
		if (status && !exit_code)
			exit_code = EXIT_LACKS;
		if (!exit_code)
			warn(t, snap);
		if (!exit_code && f != stdout && !t->json) {
			tool_print(stdout, gcpu_snapshot_name(snap));
			printf("\n%s  %s\n  written to ", gcpu_snapshot_is_computed(snap) ? "  computed, not measured: what was assumed is in it\n" : "",
			       gcpu_snapshot_hash(snap));
			tool_print(stdout, t->value[OPT_OUTPUT]);
			printf("\n");
		}
	}
	gcpu_snapshot_free(snap);
	tool_close_kvm(t, fd);
	return exit_code;
}

const struct command cmd_probe = {
	.name = "probe",
	.help = "measure this host's KVM: a snapshot, JSON",
	.takes = TAKES(OPT_ARCH) | TAKES(OPT_FROM_CPUID) | TAKES(OPT_HOST) | TAKES(OPT_JSON) |
		 TAKES(OPT_KERNEL) | TAKES(OPT_KVM) |
		 TAKES(OPT_NAME) | TAKES(OPT_NO_TRIAL) | TAKES(OPT_OUTPUT),
	.run = run,
};
