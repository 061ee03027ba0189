/* SPDX-License-Identifier: MIT */
/* CPUID of a bare CPU as text: computed for every kernel series, written, read again and planned upon. */
#include "fuzz.h"

static const char *const series[] = { "6.1", "6.12", "6.18", "7.2" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t machine[5] = { 0, 2, 0, 0, 0 };
	int first = 0;

	for (size_t i = 0; i < sizeof(series) / sizeof(*series); i++) {
		struct gcpu_snapshot *s = NULL, *copy;
		struct gcpu_error err;
		int status = gcpu_snapshot_from_cpuid((const char *)data, size, series[i], NULL, &s, &err);

		/* what the text is does not depend on the kernel */
		MUST(i == 0 || status == first);
		first = status;
		if (status) {
			MUST(!s);
			fuzz_error(&err, status, size);
			continue;
		}
		copy = fuzz_again(s);
		MUST(gcpu_snapshot_is_computed(copy) == 1);
		gcpu_snapshot_free(copy);
		if (i == size % (sizeof(series) / sizeof(*series)))
			fuzz_request(s, GCPU_ARCH_X86, "host", machine);
		gcpu_snapshot_free(s);
	}
	return 0;
}
