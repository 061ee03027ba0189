/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <unistd.h>

static int run(struct tool *t)
{
	struct gcpu_snapshot *snap;
	int fd, exit_code, status;
	FILE *f;

	if (tool_snapshot(t, &snap, &fd, &exit_code))
		return exit_code;
	f = tool_output(t, &exit_code);
	if (f) {
		status = gcpu_snapshot_write(snap, tool_write, f);
		exit_code = tool_close_output(t, f);
		if (status && !exit_code)
			exit_code = EXIT_LACKS;
		if (!exit_code && f != stdout && !t->json) {
			tool_print(stdout, gcpu_snapshot_name(snap));
			printf("\n  %s\n  written to ", gcpu_snapshot_hash(snap));
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
	.takes = TAKES(OPT_ARCH) | TAKES(OPT_HOST) | TAKES(OPT_JSON) | TAKES(OPT_KVM) |
		 TAKES(OPT_NAME) | TAKES(OPT_NO_TRIAL) | TAKES(OPT_OUTPUT),
	.run = run,
};
