/* SPDX-License-Identifier: MIT */
/* Which CPU the guest believes to have, and how wide its addresses are. */
#include "x86.h"

#include <string.h>

/* Address widths, bits: what QEMU's named models have, and what 32-bit CPUs have. */
enum { PHYS_NAMED = 40, PHYS_PAE = 36, PHYS_32 = 32, VIRT_48 = 48, VIRT_57 = 57, VIRT_NONE = 0 };

/* The signature's parts: beyond 15 a family is a sum, and a model has two halves. */
enum { FAMILY_EXTENDED = 15, MODEL_HALF = 16 };

void x86_vendor(struct gcpu_plan *p)
{
	const struct prop_said *s = &p->props_said[X86_P_VENDOR];

	if (s->said)
		memcpy(p->vendor, p->request + s->text, sizeof(p->vendor) - 1);
}

bool x86_like_intel(const struct gcpu_plan *p)
{
	return !plan_rule_holds(p, X86_R_COUNTS_CPUS, X86_F_N_LOGICAL_CPU);
}

static uint32_t four(const char *text)
{
	uint32_t v = 0;

	for (unsigned k = 4; k-- > 0;)
		v = v << 8 | (unsigned char)text[k];
	return v;
}

static void vendor_words(struct gcpu_plan *p)
{
	if (!p->props_said[X86_P_VENDOR].said)
		return;
	if (strcmp(p->vendor, gcpu_snapshot_vendor(p->snap)) != 0)
		plan_find(p, X86_R_VENDOR_OTHER, -1, SEVERITY_NOTE, NULL);
	p->value[X86_W_CPUID_0X0_0X0_EBX] = four(p->vendor);
	p->value[X86_W_CPUID_0X0_0X0_EDX] = four(p->vendor + 4);
	p->value[X86_W_CPUID_0X0_0X0_ECX] = four(p->vendor + 8);
	p->value[X86_W_CPUID_0X80000000_0X0_EBX] = x86_like_intel(p) ? 0 : four(p->vendor);
	p->value[X86_W_CPUID_0X80000000_0X0_EDX] = x86_like_intel(p) ? 0 : four(p->vendor + 4);
	p->value[X86_W_CPUID_0X80000000_0X0_ECX] = x86_like_intel(p) ? 0 : four(p->vendor + 8);
}

static void set_family(struct gcpu_plan *p, uint64_t family)
{
	bool extended = family > FAMILY_EXTENDED;

	field_put(p, p->value, X86_F_BASE_FAMILY_ID, extended ? FAMILY_EXTENDED : family);
	field_put(p, p->value, X86_F_EXT_FAMILY, extended ? family - FAMILY_EXTENDED : 0);
}

static void set_model(struct gcpu_plan *p, uint64_t model)
{
	field_put(p, p->value, X86_F_BASE_MODEL, model % MODEL_HALF);
	field_put(p, p->value, X86_F_EXT_MODEL, model / MODEL_HALF);
}

static void signature(struct gcpu_plan *p)
{
	unsigned word = X86_W_CPUID_0X1_0X0_EAX, again = X86_W_CPUID_0X80000001_0X0_EAX;

	if (p->named) {
		p->value[word] = 0;
		set_family(p, p->named->family);
		set_model(p, p->named->model);
		field_put(p, p->value, X86_F_STEPPING, p->named->stepping);
	}
	if (p->props_said[X86_P_FAMILY].said)
		set_family(p, p->props[X86_P_FAMILY]);
	if (p->props_said[X86_P_MODEL].said)
		set_model(p, p->props[X86_P_MODEL]);
	if (p->props_said[X86_P_STEPPING].said)
		field_put(p, p->value, X86_F_STEPPING, p->props[X86_P_STEPPING]);
	/* the vendors that have it again have the same there */
	if (p->value[again])
		p->value[again] = p->value[word];
}

static void brand_text(struct gcpu_plan *p, const char *text, size_t n)
{
	char brand[48] = "";

	memcpy(brand, text, n < sizeof(brand) ? n : sizeof(brand));
	for (unsigned i = 0; i < 12; i++) {
		int w = x86_word_at(p->facts, ADDR_CPUID(X86_BRAND + i / 4, 0, i % 4));

		if (w >= 0)
			p->value[w] = four(brand + i * 4);
	}
}

/* KVM does not pass the brand string on: the host's own CPUID has it. */
static void host_brand(struct gcpu_plan *p)
{
	for (unsigned i = 0; i < p->facts->n_words; i++) {
		uint64_t addr = p->facts->words[i].addr;
		const struct snap_cpuid *e;

		if (ADDR_SPACE(addr) != SPACE_CPUID || ADDR_LEAF(addr) < X86_BRAND ||
		    ADDR_LEAF(addr) > X86_BRAND_END)
			continue;
		e = snapshot_cpuid(p->snap, SNAP_NATIVE, ADDR_LEAF(addr), 0);
		if (e && !p->value[i])
			p->value[i] = e->regs[ADDR_REG(addr)];
	}
}

void x86_identity(struct gcpu_plan *p)
{
	const struct prop_said *brand = &p->props_said[X86_P_MODEL_ID];

	if (p->props_said[X86_P_UCODE_REV].said)
		p->value[X86_W_MSR_0X8B] = p->props[X86_P_UCODE_REV];
	vendor_words(p);
	signature(p);
	if (brand->said)
		brand_text(p, p->request + brand->text, brand->text_length);
	else if (p->named)
		brand_text(p, p->named->model_id, strlen(p->named->model_id));
	else
		host_brand(p);
}

/* What was asked for: not wider than the host, whose hardware faults beyond. */
static uint64_t physical(struct gcpu_plan *p, uint64_t host)
{
	uint64_t asked = p->props[X86_P_PHYS_BITS], limit = p->props[X86_P_HOST_PHYS_BITS_LIMIT];
	bool as_host = p->props[X86_P_HOST_PHYS_BITS];

	if (asked && as_host && p->props_said[X86_P_HOST_PHYS_BITS].said)
		plan_find(p, X86_R_PHYS_BITS_TWICE, X86_F_PHYS_ADDR_BITS, SEVERITY_WARNING, NULL);
	if (asked && (!as_host || !p->props_said[X86_P_HOST_PHYS_BITS].said)) {
		if (host && asked > host && !p->props[X86_P_X_FORCE_FEATURES]) {
			p->lacking++;
			plan_find(p, X86_R_PHYS_BITS_MORE, X86_F_PHYS_ADDR_BITS, SEVERITY_WARNING,
				  "phys-bits=%llu is more than the %llu of this host, which are kept",
				  (unsigned long long)asked, (unsigned long long)host);
			return host;
		}
		if (host && asked != host)
			plan_find(p, X86_R_PHYS_BITS_OTHER, X86_F_PHYS_ADDR_BITS, SEVERITY_NOTE, NULL);
		return asked;
	}
	if (!as_host)
		return host && host < PHYS_NAMED ? host : PHYS_NAMED;
	return limit && limit < host ? limit : host;
}

/* Physical widths of a guest's own tables: KVM's word, and never beyond the CPU's. */
static uint64_t guest_physical(struct gcpu_plan *p, uint64_t phys)
{
	uint64_t host = field_get(p, p->offer, X86_F_GUEST_PHYS_ADDR_BITS);
	uint64_t asked = p->props[X86_P_GUEST_PHYS_BITS];

	if (asked > phys || (asked && host && asked > host)) {
		plan_lacking(p, X86_R_GUEST_PHYS_BITS_MORE, X86_F_GUEST_PHYS_ADDR_BITS);
		asked = 0;
	}
	asked = asked ? asked : host;
	return asked > phys ? phys : asked;
}

/* No CPU has less or more: a host that says so is told wrong. */
static uint64_t possible(const struct gcpu_plan *p, uint64_t bits)
{
	const struct property_fact *can = &p->facts->props[X86_P_PHYS_BITS];

	return bits < can->min ? PHYS_PAE : bits > can->max ? can->max : bits;
}

void x86_widths(struct gcpu_plan *p)
{
	uint64_t host = possible(p, field_get(p, p->offer, X86_F_PHYS_ADDR_BITS)), phys, virt;
	bool pae = field_get(p, p->value, X86_F_PAE) || field_get(p, p->value, X86_F_PSE36);

	if (!field_get(p, p->value, X86_F_LM)) {
		if (p->props[X86_P_PHYS_BITS] || p->props[X86_P_GUEST_PHYS_BITS])
			plan_lacking(p, X86_R_WIDTHS_32_BIT, X86_F_PHYS_ADDR_BITS);
		field_put(p, p->value, X86_F_PHYS_ADDR_BITS, pae ? PHYS_PAE : PHYS_32);
		/* 32 would be true, but KVM takes a table with 48, 57 or 0 only */
		field_put(p, p->value, X86_F_VIRT_ADDR_BITS, VIRT_NONE);
		field_put(p, p->value, X86_F_GUEST_PHYS_ADDR_BITS, 0);
		return;
	}
	phys = physical(p, host);
	virt = field_get(p, p->value, X86_F_LA57) ? VIRT_57 : VIRT_48;
	field_put(p, p->value, X86_F_PHYS_ADDR_BITS, phys);
	field_put(p, p->value, X86_F_VIRT_ADDR_BITS, virt);
	field_put(p, p->value, X86_F_GUEST_PHYS_ADDR_BITS, guest_physical(p, phys));
}
