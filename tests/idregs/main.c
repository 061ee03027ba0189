/* SPDX-License-Identifier: MIT */
/*
 * idregs [--predict | --assert [NAME]]: on this machine's KVM. Exit status 0; 1 if anything is not as it
 * should be; 77 without KVM; 4 if a VM cannot be had.
 */
#include "../live/live_kvm.h"
#include "idregs.h"

int main(int argc, char **argv)
{
	static struct lab l;
	bool predict = argc < 2 || strcmp(argv[1], "--predict") == 0;
	bool promises = argc < 2 || strcmp(argv[1], "--assert") == 0;
	int fd = live_kvm(gcpu_kvm_real(), "idregs"), status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (fd < 0)
		return 77;
	l.mrs = guest_mrs;
	l.only = argc > 2 ? argv[2] : NULL;
	status = idregs_open(&l, gcpu_kvm_real(), fd);
	if (status == 0 && predict) {
		status = idregs_predictions(&l);
		printf("prediction: %u fields tried, %u values tried, disagreements %u\n", l.fields, l.values,
		       l.disagreements);
	}
	if (status == 0 && promises) {
		status = assertions(&l);
		printf("assertions: %u checks, %u failed\n", l.checks, l.failed);
	}
	gcpu_snapshot_free(l.snap);
	gcpu_kvm_real()->ops->close(gcpu_kvm_real()->ctx, fd);
	if (status) {
		printf("FAIL no VM: %s\n", strerror(-status));
		return 4;
	}
	return l.disagreements || l.failed;
}
