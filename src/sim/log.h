/* SPDX-License-Identifier: MIT */
/*
 * What the preloaded library and the command that started the program share: one stretch of
 * memory (a memfd of the command), mapped by every process of the program that comes to life.
 * No descriptor is needed for it, no lock and no allocation, and what was written stays when
 * the program dies.
 *
 * Behind the header lie the snapshot's document (sim), then events, each as long as it says.
 * An event's room is claimed by adding to `used`; its `size` is written last.
 */
#ifndef GCPU_SIM_LOG_H
#define GCPU_SIM_LOG_H

#include "kvm/wrap.h"

#include <stdatomic.h>

/* For the library: a word for the mode, and the path of the memory. Its last part is a descriptor's number, which
 * a process may have, too. */
#define SIM_ENV "GUESTCPU_SIM"
#define SIM_ENV_TRACE "trace:"
#define SIM_ENV_MODEL "sim:"
#define SIM_MAGIC 0x5550434753494d31ULL
#define SIM_LOG_ROOM (64U << 20)
/* Its descriptor, or the next that is free: out of the way of what programs count on. */
#define SIM_FIRST_FD 200
/* More of an argument is not kept. */
#define SIM_BYTES_MOST (64U << 10)

enum sim_mode { SIM_TRACE = 1, SIM_MODEL = 2 };

/* The program's own CPUID instructions. */
enum sim_cpuid { SIM_CPUID_MACHINE, SIM_CPUID_ANSWERED, SIM_CPUID_LEAKED };

/* How the program was ended at KVM_RUN: when all was quiet, or while something still called. */
enum sim_stopped { SIM_STOPPED = 1, SIM_STOPPED_BUSY };

struct sim_log {
	uint64_t magic;
	uint64_t size; /* of all */
	uint32_t mode; /* enum sim_mode */
	uint32_t n_snapshot;
	uint64_t snapshot_at; /* from the beginning of this */
	uint64_t events_at;
	char kernel[32]; /* series, "": the snapshot's own */

	_Atomic uint64_t used;	      /* bytes of events */
	_Atomic uint32_t lost;	      /* events without room */
	_Atomic uint32_t attached;    /* processes that have the library */
	_Atomic uint32_t opened;      /* times that /dev/kvm was opened, or asked for and not there */
	_Atomic uint32_t n_objects;   /* numbers given to descriptors */
	_Atomic uint32_t stopped;     /* enum sim_stopped, or 0 */
	_Atomic uint32_t own_cpuid;   /* enum sim_cpuid */
	_Atomic uint32_t n_cpuid;     /* instructions that were answered */
	_Atomic uint32_t failed;      /* the library could not do its part: why */
	char why[256];
};

/* SIM_FOUND: a descriptor came from elsewhere; arg is a vCPU's id. SIM_PERM: arch_prctl(request, arg).
 * SIM_UNSEEN: a program into which nothing is preloaded; arg is why (enum inspected), the argument its path. */
enum sim_kind { SIM_OPEN = 1, SIM_IOCTL, SIM_CLOSE, SIM_FOUND, SIM_PERM, SIM_UNSEEN };

struct sim_event {
	_Atomic uint32_t size; /* with all that follows, a multiple of 8; 0: not there yet */
	uint16_t kind;	       /* enum sim_kind */
	uint16_t role;	       /* enum wrap_role of the descriptor */
	uint32_t pid;
	uint32_t object; /* which descriptor; numbers are not used twice */
	uint32_t made;	 /* the one that the call made, or 0 */
	int32_t result;	 /* or -errno */
	uint64_t request, arg;
	uint32_t n[2]; /* bytes of the argument, and of what a pointer in it leads to */
	/* those, each filled up to a multiple of 8 */
};

#define SIM_PAD(n) (((size_t)(n) + 7) & ~(size_t)7)

/* Where events go, as it was when the memory was mapped: what is written there later does not move it. */
struct sim_place {
	struct sim_log *log;
	char *events;
	uint64_t room;
};

/* SIZE bytes are there: are they such memory, and where are its parts? */
bool sim_log_place(struct sim_log *log, uint64_t size, struct sim_place *ret);
/* Write an event; ARG[i] may be NULL where n[i] is 0. */
void sim_log_event(const struct sim_place *place, const struct sim_event *e, const void *const arg[2]);
/* The event behind E (NULL: the first), or NULL. */
const struct sim_event *sim_log_next(const struct sim_log *log, const struct sim_event *e);
/* Its bytes: PART 0 or 1. */
const void *sim_event_bytes(const struct sim_event *e, unsigned part);

#endif
