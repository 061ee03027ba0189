/* SPDX-License-Identifier: MIT */
/*
 * What a VMM says before its guest runs and that no CPU feature depends on:
 * accepted as it is, and given back to the call that reads it. What was never
 * said reads as zeros.
 */
#include "sw.h"
#include "kvm/abi_more.h"

#include <stdlib.h>
#include <string.h>

#define X86 (1U << GCPU_ARCH_X86)
#define ARM64 (1U << GCPU_ARCH_ARM64)

/* A call that says something, and the one that asks for it (0: none). */
static const struct stored {
	uint8_t kind, archs;
	unsigned long set, get;
} stored[] = {
	{ SW_VM, X86, GK_SET_IDENTITY_MAP_ADDR, 0 },
	{ SW_VM, X86, GK_SET_PMU_EVENT_FILTER, 0 },
	{ SW_VM, X86 | ARM64, GK_SET_GSI_ROUTING, 0 },
	{ SW_VM, X86 | ARM64, GK_IRQFD, 0 },
	{ SW_VCPU, X86, GK_TPR_ACCESS_REPORTING, 0 },
};

static struct sw_blob *blob_of(const struct list *blobs, unsigned long request)
{
	for (size_t i = 0; i < blobs->n; i++)
		if (LIST_AT(blobs, struct sw_blob, i)->request == request)
			return LIST_AT(blobs, struct sw_blob, i);
	return NULL;
}

static int keep(struct list *blobs, unsigned long request, uintptr_t arg)
{
	struct sw_blob *b = blob_of(blobs, request);
	uint32_t size = SW_IOC_SIZE(request);

	if (sw_bad_pointer(arg, size))
		return -EFAULT;
	if (!size)
		return 0;
	if (!b) {
		void *data = malloc(size);

		b = data ? list_add(blobs, sizeof(*b)) : NULL;
		if (!b) {
			free(data);
			return -ENOMEM;
		}
		*b = (struct sw_blob){ request, size, data };
	}
	memcpy(b->data, (const void *)arg, size);
	return 0;
}

static int give(const struct list *blobs, const struct stored *s, uintptr_t arg)
{
	const struct sw_blob *b = blob_of(blobs, s->set);
	uint32_t size = SW_IOC_SIZE(s->get), n = b && b->size < size ? b->size : size;

	if (sw_bad_target(arg, size))
		return -EFAULT;
	memset((void *)arg, 0, size);
	if (b)
		memcpy((void *)arg, b->data, n);
	return 0;
}

bool sw_store(struct list *blobs, enum sw_kind kind, enum gcpu_arch arch, unsigned long request, uintptr_t arg,
	      int *ret)
{
	for (size_t i = 0; i < sizeof(stored) / sizeof(stored[0]); i++) {
		const struct stored *s = &stored[i];

		if (s->kind != kind || !(s->archs >> arch & 1) || (request != s->set && request != s->get) || !request)
			continue;
		*ret = request == s->set ? keep(blobs, request, arg) : give(blobs, s, arg);
		return true;
	}
	return false;
}

void sw_blobs_free(struct list *blobs)
{
	for (size_t i = 0; i < blobs->n; i++)
		free(LIST_AT(blobs, struct sw_blob, i)->data);
	list_free(blobs);
}
