/* SPDX-License-Identifier: MIT */
/* Between guest.c, guest_thread.c and the architecture the build has chosen. */
#ifndef GCPU_RUN_GUEST_PRIV_H
#define GCPU_RUN_GUEST_PRIV_H

#include <pthread.h>

#include "../kvm/abi.h"
#include "guest.h"
#include "layout.h"

enum run_exit {
	RUN_EXIT_AGAIN, /* taken care of, run on */
	RUN_EXIT_DONE,  /* the payload finished its list */
	RUN_EXIT_DEAD,  /* the payload broke down */
	RUN_EXIT_HALT,  /* halted, and nothing can wake it */
	RUN_EXIT_BAD,   /* not to be handled */
};

struct run_vcpu {
	struct run_guest *guest;
	unsigned index;
	unsigned id;
	int fd;
	struct gk_run *run; /* NULL before the first run */
	int fresh;	    /* registers have to be set before the next run */
	int pin;	    /* the CPU it runs on, or -1 */
	int paused;	    /* stopped amid a list: the next finish() goes on */

	/* the thread, see guest_thread.c */
	pthread_t thread;
	int started;
	int tid; /* of the thread, for the kernel */
	pthread_mutex_t lock;
	pthread_cond_t wake;  /* the thread: there is work */
	pthread_cond_t done;  /* the caller: it is done */
	enum { RUN_IDLE, RUN_GO, RUN_CLOSING, RUN_QUIT } state;
	int out;	      /* run_thread_go() without run_thread_wait() */
	int stop;	      /* the time is up; read without the lock */
	enum run_exit result; /* of the last job */
	int os_error;	      /* KVM_RUN itself failed, else 0 */
};

struct run_guest {
	struct gcpu_kvm kvm;
	int vm_fd;
	uint64_t base; /* of RAM */
	struct sw_port *sw; /* the model's port, or NULL: a real VM */
	unsigned n;
	size_t run_size;
	unsigned char *memory;
	size_t memory_size;
	int slot_set;
	struct guest_port port;
	int (*exit_fn)(void *ctx, unsigned vcpu, struct gk_run *run);
	void *exit_ctx;
	struct run_vcpu vcpu[];
};

/* guest.c */

/* Fill ERR (NULL: do not) and return CODE. os_error: an errno, or 0. */
int run_fail(struct gcpu_error *err, int code, int os_error, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int run_ioctl(const struct run_guest *g, int fd, unsigned long request, const void *arg);
struct guest_area *run_area(const struct run_guest *g, unsigned vcpu);
uint64_t run_area_address(const struct run_guest *g, unsigned vcpu);
int run_busy(const struct run_guest *g, unsigned vcpu);

/* guest_thread.c */

int run_thread_init(struct run_vcpu *v);
void run_thread_free(struct run_vcpu *v);
/* Begin KVM_RUN until the payload is done. */
int run_thread_go(struct run_vcpu *v, struct gcpu_error *err);
/* After that: v->result, v->os_error; or GCPU_ERR_TIMEOUT, and it has been stopped. */
int run_thread_wait(struct run_vcpu *v, const struct timespec *deadline);

/* guest_x86.c, guest_arm64.c */

/* Where RAM begins; the most that may follow: devices come then. */
#define RUN_X86_BASE 0x0U
#define RUN_ARM64_BASE 0x40000000U
#define RUN_MEMORY_MAX 0xc0000000U
/* The payload, and the tables in guest memory: once. */
int run_arch_load(struct run_guest *g, struct gcpu_error *err);
/* Registers of a vCPU that is to start from the beginning. */
int run_arch_start(struct run_vcpu *v, struct gcpu_error *err);
/* Where it stands; 0 or -errno. Name of that register. */
int run_arch_pc(struct run_vcpu *v, uint64_t *ret);
extern const char run_arch_pc_name[];
/* The exits of this architecture. */
enum run_exit run_arch_exit(struct run_vcpu *v);

#endif
