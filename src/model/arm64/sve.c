/* SPDX-License-Identifier: MIT */
/* Registers of SVE, and the set of vector lengths. */
#include "arm64.h"

#include <string.h>

#define SLICE_MASK 0x1fU
#define Z0 (GK_REG_ARM64 | GK_REG_SIZE_U2048 | GK_REG_ARM64_SVE)
#define P0 (GK_REG_ARM64 | GK_REG_SIZE_U256 | GK_REG_ARM64_SVE | 0x400)
#define N_Z 32U
#define N_P 17U /* and FFR */

static bool is_architectural(uint64_t id)
{
	return (id >= Z0 && id < Z0 + N_Z * (SLICE_MASK + 1)) || (id >= P0 && id < P0 + N_P * (SLICE_MASK + 1));
}

static int there(const struct arm64_vcpu *x, uint64_t id)
{
	if (!is_architectural(id))
		return -EINVAL;
	if (!arm64_has(x, ARM64_F_SVE) || arm64_index(arm64_model(x), id & ~(uint64_t)SLICE_MASK) < 0 || (id & SLICE_MASK))
		return -ENOENT;
	return x->finalised ? 0 : -EPERM;
}

int arm64_get_sve(struct arm64_vcpu *x, uint64_t id, void *value)
{
	const uint64_t *kept = arm64_kept(x, id);
	int status;

	if (id == GK_REG_ARM64_SVE_VLS) {
		memcpy(value, x->sve, sizeof(x->sve));
		return arm64_has(x, ARM64_F_SVE) ? 0 : -ENOENT;
	}
	status = there(x, id);
	if (status == 0 && kept)
		memcpy(value, kept, REG_BYTES(id));
	return status;
}

int arm64_set_sve(struct arm64_vcpu *x, uint64_t id, const void *value)
{
	const struct snap_reg *r = snapshot_reg(arm64_model(x)->host, GK_REG_ARM64_SVE_VLS);
	struct predict_vm p = arm64_view(x);
	struct prediction is;
	int status;

	if (id != GK_REG_ARM64_SVE_VLS) {
		status = there(x, id);
		return status ? status : arm64_keep(x, id, value);
	}
	if (!r)
		return -ENOENT;
	/* a VM of which another vCPU has run changes nothing about it */
	p.state = x->finalised ? PREDICT_FINALIZED : PREDICT_INITIALISED;
	is = predict_sve(&p, r->value, value);
	if (!is.error)
		memcpy(x->sve, value, sizeof(x->sve));
	return -is.error;
}

bool arm64_lists_sve(const struct arm64_vcpu *x, uint64_t id)
{
	(void)id;
	return arm64_has(x, ARM64_F_SVE);
}
