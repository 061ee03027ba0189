/* SPDX-License-Identifier: MIT */
/* What the commands share. */
#ifndef GCPU_TOOLS_TOOL_H
#define GCPU_TOOLS_TOOL_H

#include <guestcpu/guestcpu.h>
#include <stdbool.h>
#include <stdio.h>

enum { EXIT_YES = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_LACKS = 3, EXIT_FAULT = 4 };

/* Options, in the order of options[] in options.c. */
enum option {
	OPT_ALIVE,
	OPT_ALL,
	OPT_ARCH,
	OPT_BACKEND,
	OPT_CPU,
	OPT_DISABLE_EXITS,
	OPT_FORMAT,
	OPT_FROM_CPUID,
	OPT_GIC,
	OPT_HANDLES,
	OPT_HELP,
	OPT_HOST,
	OPT_HOSTS,
	OPT_IPA_BITS,
	OPT_IRQCHIP,
	OPT_JSON,
	OPT_KERNEL,
	OPT_KIND,
	OPT_KVM,
	OPT_KVM_LEAF,
	OPT_MISSING,
	OPT_NAME,
	OPT_NO_TRIAL,
	OPT_ON,
	OPT_ONLY,
	OPT_OUTPUT,
	OPT_PRESETS,
	OPT_SMP,
	OPT_TAP,
	OPT_TIMEOUT,
	OPT_TRACE,
	OPT_VCPUS,
	OPT_VERSION,
	OPT_X2APIC_IDS,
	N_OPTIONS
};

struct option_fact {
	const char *name;  /* "--host" */
	char letter;	   /* 0: none */
	const char *value; /* what it takes, or NULL */
	const char *help;
};
extern const struct option_fact options[N_OPTIONS];

#define WORDS_MOST 64

struct tool {
	const struct command *command;
	const char *value[N_OPTIONS]; /* "" where an option without value was given */
	const char *words[WORDS_MOST];
	int n_words;
	char **rest; /* of a launcher: the program to run and its arguments, NULL at their end; or NULL */
	bool json;
	struct gcpu_machine machine;
	enum gcpu_arch arch;
	struct gcpu_model *model; /* what stands in for KVM, or NULL */
	struct gcpu_snapshot *model_host;
	char *model_kernel; /* the release that it was played as instead of its own, or NULL */
	const char *hint; /* what to try, where an error has more to say than --help */
};

struct command {
	const char *name;
	const char *words; /* operands, or NULL */
	const char *help;
	uint64_t takes; /* bit per option */
	bool is_launcher; /* operands are the command line of a program: from "--" or the first of them on */
	int (*run)(struct tool *t);
};
extern const struct command cmd_probe, cmd_features, cmd_plan, cmd_explain, cmd_verify, cmd_conform, cmd_trace, cmd_sim;
extern const struct command *const commands[];

#define TAKES(option) (1ULL << (option))
/* Options that describe a machine and what to plan on it. */
#define MACHINE_OPTIONS                                                                            \
	(TAKES(OPT_ARCH) | TAKES(OPT_CPU) | TAKES(OPT_DISABLE_EXITS) | TAKES(OPT_GIC) |            \
	 TAKES(OPT_HANDLES) | TAKES(OPT_HOST) | TAKES(OPT_IPA_BITS) | TAKES(OPT_IRQCHIP) |         \
	 TAKES(OPT_JSON) |                                                                        \
	 TAKES(OPT_KVM) | TAKES(OPT_KVM_LEAF) | TAKES(OPT_NO_TRIAL) | TAKES(OPT_SMP) |             \
	 TAKES(OPT_VCPUS) | TAKES(OPT_X2APIC_IDS))

/* Report an error, as JSON on stdout if asked for, else on stderr. TEXT is what
 * err->offset points into, or NULL. The exit code. */
int tool_fail(const struct tool *t, const struct gcpu_error *err, const char *text);
int tool_usage(const struct tool *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Is WORD (with the one after it, or NULL) a wish for JSON? */
bool tool_asks_json(const char *word, const char *next);
/* Parse the command line; 0 or an exit code. */
int tool_parse(struct tool *t, int argc, char **argv);
/* t->machine from the options; 0 or an exit code. */
int tool_machine(struct tool *t);
/* Names of the values of --irqchip and --gic. */
extern const char *const tool_irqchips[], *const tool_gics[];

/* Do N bytes of TEXT mean the name? '_' and '-' are the same, and case does not matter. */
bool tool_same_name(const char *text, size_t n, const char *name);
/* Report that WORD is no feature and no property, with the nearest names; the exit code. */
int tool_unknown_name(const struct tool *t, const char *word);

/* -c help, or -c '?': which models there are; the exit code. */
bool tool_asks_models(const struct tool *t);
int tool_models(struct tool *t);

/* t->arch as --host has it: a host elsewhere may be of another architecture; this one's KVM
 * need not be asked. 0 or an exit code. */
int tool_host_arch(struct tool *t);
/* features --presets, of the features that are named, or of all; the exit code. */
int tool_presets(struct tool *t);

/* Patterns with * ? and [], over names and aliases; '_' and '-' are the same. */
bool match_is_pattern(const char *word);
bool match_name(const char *pattern, const char *name);
bool match_feature(enum gcpu_arch arch, const char *pattern, const char *name);
/* Report a pattern that matches nothing; the exit code. */
int match_none(const struct tool *t, const char *pattern);

/* backend.c: the KVM that the command works on. */
const struct gcpu_kvm *tool_kvm(const struct tool *t);
void tool_close_kvm(const struct tool *t, int fd); /* -1 is fine */
/* What follows "model:", or NULL if HOST does not begin with it. */
const char *tool_model_name(const char *host);
/* From now on the KVM is the software one of "HOST" or "HOST@SERIES": its descriptor, or a code. */
int tool_model_open(struct tool *t, const char *text, struct gcpu_error *err);
void tool_model_free(struct tool *t);
/* NAME and SERIES of "NAME@SERIES", to be freed; SERIES is NULL without an @. NULL: out of memory. */
char *tool_split_series(const char *text, const char **ret_series);
/* HOST was not found: *err says what to write if it is one with a kernel series behind it. */
void tool_hint_model(const struct tool *t, const char *host, struct gcpu_error *err);
/* The bytes of a file of at most MOST, to be freed; EXPECTED: what it is to be. An error about it names it. */
int tool_read_file(const char *path, size_t most, const char *expected, char **ret, size_t *ret_n,
		   struct gcpu_error *err);
int tool_about_file(const char *path, int status, struct gcpu_error *err);
/* A bundled snapshot, or that of a file (with / or .): 0 or a code. */
int tool_load(const char *host, struct gcpu_snapshot **ret, struct gcpu_error *err);

/* /dev/kvm or --kvm; a descriptor or a negative gcpu_code. */
int tool_open_kvm(const struct tool *t, struct gcpu_error *err);
/* --from-cpuid: a snapshot that is computed, which the caller frees. 0, or a code and *ret_exit. */
int tool_computed(struct tool *t, struct gcpu_snapshot **ret, int *ret_exit);
/* The snapshot that --host names; *ret_kvm_fd is >= 0 if it is a KVM's, tool_kvm(). */
int tool_snapshot(struct tool *t, struct gcpu_snapshot **ret, int *ret_kvm_fd, int *ret_exit);
/* Where nobody named a GIC: the best that the host has. */
void tool_best_gic(const struct tool *t, const struct gcpu_snapshot *snap, struct gcpu_machine *m);
/* Snapshot, request and plan in one; 0 or an exit code. */
struct planned {
	struct gcpu_snapshot *snap;
	struct gcpu_plan *plan;
	int kvm_fd;
};
int tool_plan(struct tool *t, struct planned *ret);
void tool_planned_free(const struct tool *t, struct planned *p);

/* A gcpu_write to a FILE. */
int tool_write(void *file, const char *data, size_t length);
/* What the library says of a host that no model can be made of knows nothing of its name. */
void tool_about_host(const char *name, struct gcpu_error *err);
/* An error of a software KVM of HOST, "model:...", says whose it was. */
void tool_about_model(const char *host, struct gcpu_error *err);
/* Does the document go to a file, -o FILE? */
bool tool_to_file(const struct tool *t);
/* Is it all that standard output gets, by --json or -o -? Without --json errors are text all the same. */
bool tool_document_only(const struct tool *t);
/* A file that grows beyond its limit (ulimit -f) is an error of writing, not our end. A child would take that over. */
void tool_limits_are_errors(void);
/* Can it be written, as far as can be seen without doing it? 0 or an exit code: asked before any work is done. */
int tool_check_output(const struct tool *t);
/* Where the document goes: -o FILE or stdout. NULL after reporting. */
FILE *tool_output(const struct tool *t, int *ret_exit);
int tool_close_output(const struct tool *t, FILE *f);

/* Write what came from outside: control characters and what is no UTF-8 as '?'. */
void tool_print(FILE *f, const char *text);
/* "0x2 (PMULL)": a value and the name that it has, if it has one. */
void tool_value(enum gcpu_arch arch, const char *field, uint64_t value, char *buf, size_t n);
/* "NAME (MODULE, Linux KERNEL)", and the same with "REQUEST on " before it. */
void tool_print_host(const char *name, const struct gcpu_snapshot *snap);
void tool_print_head(const struct tool *t, const struct gcpu_snapshot *snap);

/* A small table: columns aligned to the longest cell. */
struct grid;
struct grid *grid_new(unsigned columns);
void grid_add(struct grid *g, const char *const cells[]);
void grid_print(const struct grid *g, FILE *f, const char *indent);
unsigned grid_rows(const struct grid *g);
/* On a terminal: the last column goes on below itself. */
void grid_wrap(struct grid *g);
void grid_free(struct grid *g);

#endif
