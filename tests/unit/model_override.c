/* SPDX-License-Identifier: MIT */
/*
 * A KVM that has the last word about tables, and keeps its guests' state itself: what kvm_pvm of 6.18.44
 * was seen to answer, on the software KVM of its recording. The live test differ-here compares the two.
 */
#include "unit.h"

#include "kvm/abi.h"
#include "kvm/abi_more.h"

#include <guestcpu/model.h>

#define HOST "x86-amd-pvm-6-18"
#define HOST_WITHOUT_7_1 "x86-amd-pvm-milan-6-18"
#define SIGNIFICANT GK_CPUID_FLAG_SIGNIFCANT_INDEX
#define AVX_FMA_F16C 0x30001000U
#define XSAVE (1U << 26)
#define AVX2 (1U << 5)

static const struct gcpu_kvm *kvm;
static int system_fd, vm, vcpu;
static struct gk_cpuid2 *table;

static int call(int fd, unsigned long request, const void *arg)
{
	return kvm->ops->ioctl(kvm->ctx, fd, request, (uintptr_t)arg);
}

static struct gk_cpuid_entry2 *entry(uint32_t leaf, uint32_t index, unsigned nth)
{
	for (uint32_t i = 0; i < table->nent; i++)
		if (table->entries[i].function == leaf && table->entries[i].index == index && !nth--)
			return &table->entries[i];
	CHECK(0, "no entry %x.%x", leaf, index);
	return &table->entries[0];
}

static void supported(void)
{
	table->nent = GK_CPUID_ENTRIES_MOST;
	CHECK(call(system_fd, GK_GET_SUPPORTED_CPUID, table) == 0, "supported");
	while (table->nent > 1 && !memcmp(&table->entries[table->nent - 1], &table->entries[GK_CPUID_ENTRIES_MOST],
					  sizeof(table->entries[0])))
		table->nent--;
}

static void add(uint32_t leaf, uint32_t index, uint32_t flags)
{
	table->entries[table->nent++] = (struct gk_cpuid_entry2){ leaf, index, flags, 0x11111111, 0x22222222, 0x33333333,
								  0x44444444, { 0 } };
}

/* What is in force then, with room for more. */
static uint32_t set(void)
{
	uint32_t n = 0;

	CHECK(call(vcpu, GK_SET_CPUID2, table) == 0, "set");
	memset(table->entries, 0, (GK_CPUID_ENTRIES_MOST + 1) * sizeof(table->entries[0]));
	table->nent = GK_CPUID_ENTRIES_MOST;
	CHECK(call(vcpu, GK_GET_CPUID2, table) == 0, "get");
	while (n < GK_CPUID_ENTRIES_MOST && (table->entries[n].function || table->entries[n].eax))
		n++;
	return n;
}

/* Of two entries for one sub-leaf the one that answers is forced, the other stays. */
static void first_one(void)
{
	supported();
	add(7, 0, SIGNIFICANT);
	set();
	CHECK(entry(7, 0, 0)->ebx & AVX2, "forced");
	CHECK(entry(7, 0, 1)->ebx == 0x22222222, "kept");
}

/* Components that no guest has read as nothing, whatever the table says; without room for AVX it is gone. */
static void save_area(void)
{
	uint32_t n;

	supported();
	entry(0xd, 2, 0)->ecx = 5;
	add(0xd, 0x3f, SIGNIFICANT);
	set();
	CHECK(entry(0xd, 2, 0)->eax == 0x100 && !entry(0xd, 2, 0)->ecx, "AVX's");
	CHECK(!entry(0xd, 0x3f, 0)->eax && !entry(0xd, 0x3f, 0)->edx, "nobody's");
	CHECK((entry(1, 0, 0)->ecx & (AVX_FMA_F16C | XSAVE)) == (AVX_FMA_F16C | XSAVE), "AVX");
	supported();
	entry(0xd, 0, 0)->flags = 0;
	set();
	CHECK(!entry(0xd, 0, 0)->eax, "the last sub-leaf that it answers for");
	CHECK((entry(1, 0, 0)->ecx & (AVX_FMA_F16C | XSAVE)) == XSAVE, "AVX without its state");
	CHECK(!(entry(7, 0, 0)->ebx & AVX2), "AVX2 without its state");
	/* no room to make it: not even XSAVE */
	memset(table->entries, 0, (GK_CPUID_ENTRIES_MOST + 1) * sizeof(table->entries[0]));
	table->nent = 1;
	table->entries[0].function = 1;
	table->nent = GK_CPUID_ENTRIES_MOST;
	n = set();
	CHECK(n == 1 && !(table->entries[0].ecx & (AVX_FMA_F16C | XSAVE)), "%u", n);
}

static void tiles(void)
{
	table->nent = 0;
	add(0x24, 0, 0);
	add(0x1d, 1, SIGNIFICANT);
	add(0x1e, 0, 0);
	add(0x23, 0, 0);
	CHECK(set() == 1 && table->entries[0].function == 0x23, "leaves of tiles");
}

static void registers(void)
{
	struct gk_x86_sregs s;
	struct gk_xcrs xcrs;
	struct {
		uint32_t n, pad;
		struct gk_msr_entry e;
	} m = { 1, 0, { 0x1a0, 0, 0 } };

	CHECK(call(vcpu, GK_GET_SREGS, &s) == 0 && s.cs.type == 0xb, "CS begins as on Intel's CPUs");
	s.cs.dpl = 1;
	s.cs.avl = 1;
	s.cr0 |= 0x80000001ULL;
	s.cr4 |= 0x750000;
	CHECK(call(vcpu, GK_SET_SREGS, &s) == 0, "whatever CPUID says");
	CHECK(call(vcpu, GK_GET_SREGS, &s) == 0 && s.cs.dpl == 1 && s.cs.type == 0xb, "as it was set");
	CHECK(!(s.cr0 >> 31) && (s.cr0 & 1) && s.cr4 == 0x750000, "%llx %llx", (unsigned long long)s.cr0,
	      (unsigned long long)s.cr4);
	CHECK(call(vcpu, GK_GET_MSRS, &m) == 1 && m.e.data == 1, "IA32_MISC_ENABLE");
	m.e = (struct gk_msr_entry){ 0x277, 0, ~0ULL };
	CHECK(call(vcpu, GK_SET_MSRS, &m) == 1, "any PAT");
	m.e = (struct gk_msr_entry){ 0xc0010114, 0, 0 };
	CHECK(call(vcpu, GK_GET_MSRS, &m) == 0, "VM_CR is kvm_amd's");
	CHECK(call(vcpu, GK_GET_XCRS, &xcrs) == 0 && xcrs.nr_xcrs == 1, "XCR0 is there, though no guest is offered XSAVE");
}

/* Leaf 7.1 is this KVM's own where the CPU has none as well; 7.2 is the table's. */
static void second_subleaf(void)
{
	supported();
	add(7, 1, SIGNIFICANT);
	add(7, 2, SIGNIFICANT);
	set();
	CHECK(!entry(7, 1, 0)->eax && !entry(7, 1, 0)->ebx && !entry(7, 1, 0)->edx, "7.1 is %x", entry(7, 1, 0)->eax);
	CHECK(entry(7, 2, 0)->edx == 0x44444444, "7.2 is as it was given");
	supported();
	entry(7, 0, 0)->flags = 0;
	set();
	CHECK(!entry(7, 0, 0)->ebx, "an entry that answers for both is the last one's");
}

static void all(void)
{
	first_one();
	save_area();
	tiles();
	registers();
}

static void on(const char *name, void (*body)(void))
{
	struct gcpu_snapshot *host;
	struct gcpu_model *model;
	struct gcpu_error err;

	CHECK(gcpu_snapshot_bundled(name, &host, &err) == 0, "%s", err.text);
	CHECK(gcpu_model_new(host, NULL, &model, &err) == 0, "%s", err.text);
	kvm = gcpu_model_kvm(model);
	system_fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 0);
	vm = call(system_fd, GK_CREATE_VM, NULL);
	vcpu = call(vm, GK_CREATE_VCPU, NULL);
	body();
	gcpu_model_free(model);
	gcpu_snapshot_free(host);
}

int main(void)
{
	table = calloc(1, sizeof(*table) + (GK_CPUID_ENTRIES_MOST + 1) * sizeof(table->entries[0]));
	on(HOST, all);
	on(HOST_WITHOUT_7_1, second_subleaf);
	free(table);
	return unit_end();
}
