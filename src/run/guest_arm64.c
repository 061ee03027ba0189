/* SPDX-License-Identifier: MIT */
/*
 * arm64: the payload starts at EL1 with the MMU on. Not for translation: with
 * it off the guest's accesses would bypass the caches, through which this
 * process reads and writes the same memory.
 *
 * One page of tables, at the guest's base + GUEST_TABLES, maps gigabytes one to
 * one: the first for devices, the next three memory.
 */
#include "guest_priv.h"

#include <string.h>

#include "../kvm/abi_arm64.h"
#include "boot_arm64.h"
#include "payload.h"

/* Blocks of 1 GiB: valid, accessed, and what memory it is (index into MAIR). */
#define BLOCK_NORMAL 0x0000000000000701ULL /* inner shareable, index 0 */
#define BLOCK_DEVICE 0x0060000000000405ULL /* never executed, index 1 */

const char run_arch_pc_name[] = "PC";

static struct guest_head payload_head(void)
{
	struct guest_head h;

	memcpy(&h, gcpu_payload, sizeof(h));
	return h;
}

int run_arch_load(struct run_guest *g, struct gcpu_error *err)
{
	const struct guest_head head = payload_head();
	uint64_t table[4] = {BLOCK_DEVICE};
	uint64_t i;

	if (head.magic != GUEST_HEAD_MAGIC || head.load != g->base + GUEST_PAYLOAD ||
	    sizeof(gcpu_payload) > GUEST_PAYLOAD_MAX)
		return run_fail(err, GCPU_ERR_INTERNAL, 0, "the payload was linked for elsewhere");
	memcpy(g->memory + GUEST_PAYLOAD, gcpu_payload, sizeof(gcpu_payload));
	for (i = 1; i < 4; i++)
		table[i] = i << 30 | BLOCK_NORMAL;
	memcpy(g->memory + GUEST_TABLES, table, sizeof(table));
	return 0;
}

int run_arch_start(struct run_vcpu *v, struct gcpu_error *err)
{
	const struct guest_head head = payload_head();

	return run_arm64_boot(v, head.entry, head.vectors, err);
}

int run_arch_pc(struct run_vcpu *v, uint64_t *ret)
{
	uint64_t value = 0;
	const struct gk_one_reg reg = {.id = GK_REG_ARM_PC, .addr = (uintptr_t)&value};
	int r = run_ioctl(v->guest, v->fd, GK_GET_ONE_REG, &reg);

	if (r < 0)
		return r;
	*ret = value;
	return 0;
}

enum run_exit run_arch_exit(struct run_vcpu *v)
{
	const struct gk_run *run = v->run;

	if (run->exit_reason != GK_EXIT_MMIO || !run->mmio.is_write)
		return RUN_EXIT_BAD;
	if (run->mmio.phys_addr == GUEST_ARM64_MMIO_DONE)
		return RUN_EXIT_DONE;
	if (run->mmio.phys_addr == GUEST_ARM64_MMIO_DEAD)
		return RUN_EXIT_DEAD;
	return RUN_EXIT_BAD;
}
