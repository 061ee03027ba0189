/* SPDX-License-Identifier: MIT */
/*
 * KVM_IOEVENTFD: places where a guest's write signals an event descriptor. Nothing here writes to one; that no
 * two are the same, and that one is there that is to be taken away, a VMM finds out all the same.
 */
#include "sw.h"
#include "kvm/abi_more.h"

#define KINDS (GK_IOEVENTFD_FLAG_PIO | GK_IOEVENTFD_FLAG_CCW) /* memory, ports, a channel of s390 */

static bool same_place(const struct gk_ioeventfd *a, const struct gk_ioeventfd *b)
{
	return !((a->flags ^ b->flags) & KINDS) && a->addr == b->addr;
}

static bool any_value(const struct gk_ioeventfd *e)
{
	return !(e->flags & GK_IOEVENTFD_FLAG_DATAMATCH);
}

/* Would one write signal both? */
static bool collide(const struct gk_ioeventfd *a, const struct gk_ioeventfd *b)
{
	if (!same_place(a, b))
		return false;
	if (!a->len || !b->len)
		return true;
	return a->len == b->len && (any_value(a) || any_value(b) || a->datamatch == b->datamatch);
}

static bool is_it(const struct gk_ioeventfd *a, const struct gk_ioeventfd *b)
{
	return same_place(a, b) && a->fd == b->fd && a->len == b->len && any_value(a) == any_value(b) &&
	       (any_value(a) || a->datamatch == b->datamatch);
}

static int take_away(struct list *places, const struct gk_ioeventfd *e)
{
	for (size_t i = 0; i < places->n; i++)
		if (is_it(LIST_AT(places, struct gk_ioeventfd, i), e)) {
			*LIST_AT(places, struct gk_ioeventfd, i) = *LIST_AT(places, struct gk_ioeventfd, places->n - 1);
			places->n--;
			return 0;
		}
	return -ENOENT;
}

static int add(struct list *places, const struct gk_ioeventfd *e)
{
	struct gk_ioeventfd *made;

	for (size_t i = 0; i < places->n; i++)
		if (collide(LIST_AT(places, struct gk_ioeventfd, i), e))
			return -EEXIST;
	made = list_add(places, sizeof(*made));
	if (!made)
		return -ENOMEM;
	*made = *e;
	return 0;
}

int sw_ioeventfd(void *object, uintptr_t arg)
{
	struct list *places = &((struct sw_vm *)object)->places;
	struct gk_ioeventfd e;

	if (sw_copy_in(&e, arg, sizeof(e)))
		return -EFAULT;
	if (e.flags & GK_IOEVENTFD_FLAG_DEASSIGN)
		return e.fd < 0 ? -EBADF : take_away(places, &e);
	if (e.len > 8 || (e.len & (e.len - 1)) || e.addr + e.len < e.addr || (e.flags & ~GK_IOEVENTFD_FLAGS) ||
	    (!e.len && (e.flags & GK_IOEVENTFD_FLAG_DATAMATCH)))
		return -EINVAL;
	return e.fd < 0 ? -EBADF : add(places, &e);
}
