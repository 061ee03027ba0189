/* SPDX-License-Identifier: MIT */
/* What a plan remembers of how it came about: steps and findings. */
#include "plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void plan_record(struct gcpu_plan *p, unsigned field, unsigned rule, uint64_t before, uint64_t after)
{
	struct plan_step *s = list_add(&p->steps, sizeof(*s));

	if (!s) {
		p->memory = true;
		return;
	}
	s->field = (uint16_t)field;
	s->rule = (uint16_t)rule;
	s->before = before;
	s->after = after;
}

void plan_set(struct gcpu_plan *p, unsigned field, uint64_t value, unsigned rule)
{
	uint64_t before = field_get(p, p->value, field);

	field_put(p, p->value, field, value);
	plan_record(p, field, rule, before, value);
}

void plan_unavailable(struct gcpu_plan *p, unsigned field, unsigned rule)
{
	p->fields[field].unavailable = true;
	p->fields[field].why = (uint16_t)rule;
}

void plan_lacking(struct gcpu_plan *p, unsigned rule, int field)
{
	p->lacking++;
	plan_find(p, rule, field, SEVERITY_WARNING, NULL);
}

void plan_find(struct gcpu_plan *p, unsigned rule, int field, unsigned severity, const char *format,
	       ...)
{
	struct plan_finding *f = list_add(&p->findings, sizeof(*f));
	char buf[GCPU_ERROR_TEXT];
	va_list ap;

	if (!f) {
		p->memory = true;
		return;
	}
	f->rule = (uint16_t)rule;
	f->field = field;
	f->prop = -1;
	f->severity = (uint8_t)severity;
	if (!format)
		return;
	va_start(ap, format);
	vsnprintf(buf, sizeof(buf), format, ap);
	va_end(ap);
	f->text = text_copy(buf, strlen(buf));
	if (!f->text)
		p->memory = true;
}

void plan_find_about(struct gcpu_plan *p, unsigned prop)
{
	if (p->findings.n)
		LIST_AT(&p->findings, struct plan_finding, p->findings.n - 1)->prop = (int)prop;
}
