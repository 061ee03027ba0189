/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <string.h>

/* Guest physical addresses of arm64, in bits: the least type of a VM, and the architecture's most. */
#define IPA_LEAST 32
#define IPA_MOST 56

void gcpu_machine_init(struct gcpu_machine *m)
{
	if (!m)
		return;
	memset(m, 0, sizeof(*m));
	m->size = sizeof(*m);
	m->irqchip = GCPU_IRQCHIP_KERNEL;
	m->gic = GCPU_GIC_V3;
	m->vcpus = 1;
	m->pmu_irq = 23;
}

static int number_by_name(const struct number_fact *t, unsigned n, const char *name)
{
	for (unsigned i = 0; name && i < n; i++)
		if (name_same(name, strlen(name), t[i].name))
			return (int)t[i].number;
	return -1;
}

int gcpu_exit_by_name(const char *name)
{
	return number_by_name(gcpu_exits, gcpu_n_exits, name);
}

int gcpu_handle_by_name(const char *name)
{
	return number_by_name(gcpu_handles, gcpu_n_handles, name);
}

const char *gcpu_exit_name(unsigned index)
{
	return index < gcpu_n_exits ? gcpu_exits[index].name : NULL;
}

const char *gcpu_handle_name(unsigned index)
{
	return index < gcpu_n_handles ? gcpu_handles[index].name : NULL;
}

static int check_topology(struct gcpu_machine *m, struct gcpu_error *err)
{
	uint64_t inner;

	m->dies = m->dies ? m->dies : 1;
	m->modules = m->modules ? m->modules : 1;
	m->cores = m->cores ? m->cores : 1;
	m->threads = m->threads ? m->threads : 1;
	if (m->dies > GCPU_MAX_VCPUS || m->modules > GCPU_MAX_VCPUS || m->cores > GCPU_MAX_VCPUS ||
	    m->threads > GCPU_MAX_VCPUS || m->sockets > GCPU_MAX_VCPUS)
		return error_set(err, GCPU_ERR_MACHINE, "a topology level above %d", GCPU_MAX_VCPUS);
	inner = (uint64_t)m->dies * m->modules * m->cores * m->threads;
	if (inner <= m->vcpus && !m->sockets)
		m->sockets = m->vcpus / (unsigned)inner;
	if (inner <= m->vcpus && m->sockets * inner == m->vcpus)
		return 0;
	if (m->sockets)
		error_set(err, GCPU_ERR_MACHINE,
			  "%u sockets x %u dies x %u modules x %u cores x %u threads are not %u vCPUs",
			  m->sockets, m->dies, m->modules, m->cores, m->threads, m->vcpus);
	else
		error_set(err, GCPU_ERR_MACHINE,
			  "%u dies x %u modules x %u cores x %u threads are more than %u vCPUs", m->dies,
			  m->modules, m->cores, m->threads, m->vcpus);
	error_expected(err, "sockets x dies x modules x cores x threads = vCPUs");
	return GCPU_ERR_MACHINE;
}

static int check_leaf(const struct gcpu_machine *m, struct gcpu_error *err)
{
	if (!m->kvm_leaf || (m->kvm_leaf >= KVM_LEAF_BASE && m->kvm_leaf < KVM_LEAF_END &&
			     m->kvm_leaf % 256 == 0))
		return 0;
	error_set(err, GCPU_ERR_MACHINE, "the KVM leaves cannot be at 0x%x", m->kvm_leaf);
	error_expected(err, "0x%x to 0x%x in steps of 0x100", KVM_LEAF_BASE,
		       KVM_LEAF_END - 256);
	return GCPU_ERR_MACHINE;
}

static int check_ipa(const struct gcpu_snapshot *snap, const struct gcpu_machine *m, struct gcpu_error *err)
{
	int most = gcpu_snapshot_capability(snap, CAP_ARM_VM_IPA_SIZE);

	if (most < IPA_LEAST || most > IPA_MOST)
		most = IPA_MOST;
	if (!m->ipa_bits || (m->ipa_bits >= IPA_LEAST && m->ipa_bits <= (unsigned)most))
		return 0;
	error_set(err, GCPU_ERR_MACHINE, "guest physical addresses cannot have %u bits", m->ipa_bits);
	error_expected(err, "%d to %d", IPA_LEAST, most);
	return GCPU_ERR_MACHINE;
}

int machine_check(const struct gcpu_snapshot *snap, struct gcpu_machine *m, struct gcpu_error *err)
{
	unsigned most = (unsigned)gcpu_snapshot_capability(snap, CAP_MAX_VCPUS);
	unsigned exits = 0, handles = 0;
	int status;

	if ((unsigned)m->irqchip > GCPU_IRQCHIP_NONE || (unsigned)m->gic > GCPU_GIC_V3)
		return error_set(err, GCPU_ERR_ARGUMENT, "no such irqchip or GIC");
	if (!most || most > GCPU_MAX_VCPUS)
		most = GCPU_MAX_VCPUS;
	if (m->vcpus < 1 || m->vcpus > most) {
		error_set(err, GCPU_ERR_MACHINE, "%u vCPUs", m->vcpus);
		error_expected(err, "1 to %u, what this KVM allows", most);
		return GCPU_ERR_MACHINE;
	}
	for (unsigned i = 0; i < gcpu_n_exits; i++)
		exits |= 1U << gcpu_exits[i].number;
	if (m->disable_exits & ~exits)
		return error_set(err, GCPU_ERR_MACHINE, "unknown exits 0x%x", m->disable_exits & ~exits);
	for (unsigned i = 0; i < gcpu_n_handles; i++)
		handles |= 1U << gcpu_handles[i].number;
	if (m->handles & ~handles)
		return error_set(err, GCPU_ERR_MACHINE, "unknown things handled 0x%x", m->handles & ~handles);
	if (m->pmu_irq < 16 || m->pmu_irq > 31) {
		error_set(err, GCPU_ERR_MACHINE, "the PMU's interrupt cannot be %u", m->pmu_irq);
		error_expected(err, "a PPI, 16 to 31");
		return GCPU_ERR_MACHINE;
	}
	status = check_ipa(snap, m, err);
	if (status == 0)
		status = check_topology(m, err);
	return status ? status : check_leaf(m, err);
}
