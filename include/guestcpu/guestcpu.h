/* SPDX-License-Identifier: MIT */
/**
 * libguestcpu: decides, explains, applies and proves the CPU that a KVM guest
 * sees, on x86-64 and arm64.
 *
 * The library never opens /dev/kvm, starts a thread, prints or exits: the
 * caller owns descriptors and policy. Objects are opaque; each function says
 * who frees what. Not thread-safe per object, no global state.
 */
#ifndef GUESTCPU_GUESTCPU_H
#define GUESTCPU_GUESTCPU_H

#include <guestcpu/catalogue.h>
#include <guestcpu/error.h>
#include <guestcpu/feature.h>
#include <guestcpu/kvm.h>
#include <guestcpu/machine.h>
#include <guestcpu/model.h>
#include <guestcpu/plan.h>
#include <guestcpu/request.h>
#include <guestcpu/snapshot.h>
#include <guestcpu/verify.h>

#endif
