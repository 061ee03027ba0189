/* SPDX-License-Identifier: MIT */
/* Errors, hosts and plans as every command needs them. */
#include "formats/json.h"
#include "kvm/abi.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* A little more than the library reads, so that it can say so. */
#define FILE_MOST (GCPU_SNAPSHOT_MOST + (1UL << 20))
#define FILE_EXPECTED "a snapshot of at most 4 MiB"

int tool_write(void *file, const char *data, size_t length)
{
	return fwrite(data, 1, length, file) == length ? 0 : GCPU_ERR_KVM;
}

static const struct {
	int code, exit;
	const char *name;
} codes[] = {
	{ GCPU_ERR_ARGUMENT, EXIT_USAGE, "argument" }, { GCPU_ERR_SYNTAX, EXIT_USAGE, "syntax" },
	{ GCPU_ERR_NAME, EXIT_USAGE, "name" },	       { GCPU_ERR_VALUE, EXIT_USAGE, "value" },
	{ GCPU_ERR_MACHINE, EXIT_USAGE, "machine" },   { GCPU_ERR_REFUSED, EXIT_NO, "refused" },
	{ GCPU_ERR_DOCUMENT, EXIT_USAGE, "document" }, { GCPU_ERR_SCHEMA, EXIT_USAGE, "schema" },
	{ GCPU_ERR_ARCH, EXIT_USAGE, "arch" },	       { GCPU_ERR_KVM, EXIT_LACKS, "kvm" },
	{ GCPU_ERR_NO_KVM, EXIT_LACKS, "no-kvm" },     { GCPU_ERR_MEMORY, EXIT_LACKS, "memory" },
	{ GCPU_ERR_TIMEOUT, EXIT_LACKS, "timeout" },   { GCPU_ERR_INTERNAL, EXIT_FAULT, "internal" },
};

static void error_json(const struct gcpu_error *err, const char *name)
{
	struct json j;

	jw_start(&j, tool_write, stdout);
	jw_object(&j, true);
	jw_key_string(&j, "schema", "guestcpu.error");
	jw_key_int(&j, "version", 1);
	jw_key(&j, "error");
	jw_object(&j, true);
	jw_key_string(&j, "code", name);
	jw_key_string(&j, "text", err->text);
	jw_key_string(&j, "expected", err->expected[0] ? err->expected : NULL);
	jw_key(&j, "offset");
	if (err->offset == (size_t)-1)
		jw_string(&j, NULL);
	else
		jw_int(&j, (int64_t)err->offset);
	jw_key_int(&j, "length", (int64_t)err->length);
	jw_key_int(&j, "line", (int64_t)err->line);
	jw_key_int(&j, "errno", err->os_error);
	jw_key(&j, "near");
	jw_array(&j, false);
	for (int i = 0; i < GCPU_ERROR_NEAR && err->near[i][0]; i++)
		jw_string(&j, err->near[i]);
	jw_close(&j, ']');
	jw_close(&j, '}');
	jw_close(&j, '}');
	jw_end(&j);
}

/* Controls, and what turns or hides other text: a terminal must not see them. */
static bool printable(const char *text, unsigned n)
{
	const unsigned char *s = (const unsigned char *)text;

	if (n < 2)
		return n == 1 && s[0] >= 0x20 && s[0] != 0x7f;
	if (s[0] == 0xc2)
		return s[1] >= 0xa0;
	if (s[0] == 0xe2 && s[1] == 0x80)
		return !(s[2] >= 0x8b && s[2] <= 0x8f) && !(s[2] >= 0xa8 && s[2] <= 0xae);
	if (s[0] == 0xe2 && s[1] == 0x81)
		return s[2] < 0xa0 || s[2] > 0xaf;
	return !(s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf);
}

void tool_value(enum gcpu_arch arch, const char *field, uint64_t value, char *buf, size_t n)
{
	const char *name = gcpu_value_name(arch, field, value);

	snprintf(buf, n, name ? "0x%llx (%s)" : "0x%llx", (unsigned long long)value, name);
}

void tool_print(FILE *f, const char *text)
{
	while (*text) {
		const char *start = text;
		unsigned n = 0;

		while (*text && printable(text, n = jw_sequence(text)))
			text += n;
		fwrite(start, 1, (size_t)(text - start), f);
		if (!*text)
			return;
		fputc('?', f);
		text += n ? n : 1;
	}
}

void tool_print_host(const char *name, const struct gcpu_snapshot *snap)
{
	const char *module = gcpu_snapshot_module(snap);

	tool_print(stdout, name);
	fputs(" (", stdout);
	if (strcmp(module, "unknown") != 0) {
		tool_print(stdout, module);
		fputs(", ", stdout);
	}
	fputs("Linux ", stdout);
	tool_print(stdout, gcpu_snapshot_kernel(snap));
	fputc(')', stdout);
}

void tool_print_head(const struct tool *t, const struct gcpu_snapshot *snap)
{
	const char *request = t->value[OPT_CPU] ? t->value[OPT_CPU] : "host";
	char start[200];

	snprintf(start, sizeof(start), "%s", request);
	tool_print(stdout, start);
	fputs(strlen(request) < sizeof(start) ? " on " : "... on ", stdout);
	tool_print_host(gcpu_snapshot_name(snap), snap);
}

/* How wide the first N bytes of TEXT are as tool_print() shows them. */
static size_t columns(const char *text, size_t n)
{
	size_t wide = 0;

	for (size_t i = 0; i < n; wide++) {
		unsigned step = jw_sequence(text + i);

		i += step ? step : 1;
	}
	return wide;
}

/* The part of TEXT around the error, and carets below what is meant. */
static void point_at(const char *text, const struct gcpu_error *err)
{
	size_t from = err->offset > 40 ? err->offset - 40 : 0, length = err->length;
	char part[77];

	if (!*text || err->offset > strlen(text))
		return;
	snprintf(part, sizeof(part), "%s", text + from);
	if (length > strlen(part) - (err->offset - from))
		length = strlen(part) - (err->offset - from);
	fputs("  ", stderr);
	tool_print(stderr, part);
	fprintf(stderr, "\n  %*s", (int)columns(part, err->offset - from), "");
	length = columns(part + (err->offset - from), length);
	for (size_t i = 0; i < (length ? length : 1); i++)
		fputc('^', stderr);
	fputc('\n', stderr);
}

int tool_fail(const struct tool *t, const struct gcpu_error *err, const char *text)
{
	const char *name = "unknown";
	int exit_code = EXIT_FAULT;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].code == err->code) {
			name = codes[i].name;
			exit_code = codes[i].exit;
		}
	}
	if (t->json) {
		error_json(err, name);
		/* what standard output does not take is said all the same */
		if (!fflush(stdout) && !ferror(stdout))
			return exit_code;
	}
	fprintf(stderr, "guestcpu%s%s: ", t->command ? " " : "", t->command ? t->command->name : "");
	tool_print(stderr, err->text);
	fputc('\n', stderr);
	if (text && err->offset != (size_t)-1)
		point_at(text, err);
	if (err->expected[0]) {
		fputs("  expected: ", stderr);
		tool_print(stderr, err->expected);
		fputc('\n', stderr);
	}
	if (err->near[0][0]) {
		fprintf(stderr, "  nearest:");
		for (int i = 0; i < GCPU_ERROR_NEAR && err->near[i][0]; i++)
			fprintf(stderr, "%s %s", i ? "," : "", err->near[i]);
		fputc('\n', stderr);
	}
	if (t->hint)
		fprintf(stderr, "  try: guestcpu %s\n", t->hint);
	else if (exit_code == EXIT_USAGE && t->command && err->code == GCPU_ERR_ARGUMENT)
		fprintf(stderr, "  try: guestcpu %s --help\n", t->command->name);
	return exit_code;
}

static int set(struct gcpu_error *err, int code, int os_error, const char *path, const char *what,
	       const char *expected)
{
	memset(err, 0, sizeof(*err));
	err->code = code;
	err->os_error = os_error;
	err->offset = (size_t)-1;
	snprintf(err->text, sizeof(err->text), "%.160s: %s", path, what);
	snprintf(err->expected, sizeof(err->expected), "%s", expected);
	return code;
}

int tool_open_kvm(const struct tool *t, struct gcpu_error *err)
{
	const char *path = t->value[OPT_KVM] ? t->value[OPT_KVM] : "/dev/kvm";
	const struct gcpu_kvm *kvm = gcpu_kvm_real();
	int fd = kvm->ops->open(kvm->ctx, path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd == -EACCES || fd == -EPERM)
		return set(err, GCPU_ERR_NO_KVM, -fd, path, "not permitted",
			   "read and write permission (often: membership in the group kvm)");
	if (fd < 0)
		return set(err, GCPU_ERR_NO_KVM, -fd, path, strerror(-fd),
			   "a KVM device (is the kernel's KVM module loaded?)");
	if (fstat(fd, &st) || !S_ISCHR(st.st_mode)) {
		kvm->ops->close(kvm->ctx, fd);
		return set(err, GCPU_ERR_NO_KVM, ENOTTY, path, "not a device", "a KVM device");
	}
	if (kvm->ops->ioctl(kvm->ctx, fd, GK_GET_API_VERSION, 0) < 0) {
		kvm->ops->close(kvm->ctx, fd);
		return set(err, GCPU_ERR_NO_KVM, ENOTTY, path, "a device, but not KVM's", "a KVM device");
	}
	return fd;
}

int tool_read_file(const char *path, size_t most, const char *expected, char **ret, size_t *ret_n,
		   struct gcpu_error *err)
{
	FILE *f = fopen(path, "rb");
	char *text = NULL;
	size_t n = 0, room = 0;

	if (!f)
		return set(err, GCPU_ERR_KVM, errno, path, strerror(errno), "a readable file");
	for (;;) {
		size_t got;

		if (room - n < 65536) {
			bool fits = room < most;
			char *more = fits ? realloc(text, room += 1 << 20) : NULL;

			if (!more) {
				free(text);
				fclose(f);
				if (fits)
					return set(err, GCPU_ERR_MEMORY, 0, path, "out of memory", "memory for it");
				return set(err, GCPU_ERR_DOCUMENT, 0, path, "too large", expected);
			}
			text = more;
		}
		got = fread(text + n, 1, room - n, f);
		n += got;
		if (got == 0)
			break;
	}
	if (ferror(f)) {
		int e = errno;

		free(text);
		fclose(f);
		return set(err, GCPU_ERR_KVM, e, path, strerror(e), "a readable file");
	}
	fclose(f);
	*ret = text;
	*ret_n = n;
	return 0;
}

/* An error about a file names it. */
int tool_about_file(const char *path, int status, struct gcpu_error *err)
{
	char note[GCPU_ERROR_TEXT];

	if (status) {
		snprintf(note, sizeof(note), "%.100s: %.150s", path, err->text);
		memcpy(err->text, note, sizeof(note));
		err->offset = (size_t)-1;
	}
	return status;
}

static int from_file(const char *path, struct gcpu_snapshot **ret, struct gcpu_error *err)
{
	char *text = NULL;
	size_t n = 0;
	int status = tool_read_file(path, FILE_MOST, FILE_EXPECTED, &text, &n, err);

	if (status)
		return status;
	status = tool_about_file(path, gcpu_snapshot_parse(text, n, ret, err), err);
	free(text);
	return status;
}

int tool_computed(struct tool *t, struct gcpu_snapshot **ret, int *ret_exit)
{
	const char *path = t->value[OPT_FROM_CPUID], *kernel = t->value[OPT_KERNEL];
	struct gcpu_error err;
	char *text = NULL;
	size_t n = 0;
	int status = tool_read_file(path, FILE_MOST, FILE_EXPECTED, &text, &n, &err);

	if (status == 0) {
		status = gcpu_snapshot_from_cpuid(text, n, kernel, t->value[OPT_NAME], ret, &err);
		/* a kernel's name is no matter of the file */
		if (status != GCPU_ERR_NAME)
			tool_about_file(path, status, &err);
	}
	free(text);
	if (status)
		*ret_exit = tool_fail(t, &err, NULL);
	return status;
}

/* Measuring can take seconds: who waits at a terminal is told so, and it goes away again. */
static void progress(const struct tool *t, const char *text)
{
	if (!t->json && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%s\033[K%s", text, *text ? "" : "\r");
}

struct count {
	const struct gcpu_plan *plan;
	unsigned on;
};

static int count_feature(void *ctx, const struct gcpu_feature_info *f)
{
	struct count *c = ctx;

	c->on += gcpu_plan_has(c->plan, f->id);
	return 0;
}

/* How many features a guest can have there. */
static unsigned count_on(const struct gcpu_snapshot *snap, enum gcpu_arch arch)
{
	struct count c = { NULL, 0 };
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;

	if (gcpu_request_parse(arch, "host", &req, NULL) == 0 && gcpu_plan_make(snap, req, NULL, &plan, NULL) == 0) {
		c.plan = plan;
		gcpu_features(arch, count_feature, &c);
	}
	gcpu_plan_free(plan);
	gcpu_request_free(req);
	return c.on;
}

/* What to plan for where nobody said it. KVM here is of no use for another architecture: then the bundled
 * host that has most to give, of several the last: a newer kernel. */
static const char *default_host(const struct tool *t)
{
	const char *name, *best = "kvm";
	unsigned most = 0;

	if (t->arch == gcpu_arch_native() || t->command == &cmd_probe || t->command == &cmd_verify)
		return best;
	for (unsigned i = 0; (name = gcpu_snapshot_bundled_name(i)); i++) {
		struct gcpu_snapshot *snap;
		unsigned on;

		if (gcpu_snapshot_bundled(name, &snap, NULL))
			continue;
		on = gcpu_snapshot_arch(snap) == t->arch ? count_on(snap, t->arch) : 0;
		if (on && on >= most) {
			most = on;
			best = name;
		}
		gcpu_snapshot_free(snap);
	}
	return best;
}

int tool_load(const char *host, struct gcpu_snapshot **ret, struct gcpu_error *err)
{
	return strpbrk(host, "/.") ? from_file(host, ret, err) : gcpu_snapshot_bundled(host, ret, err);
}

int tool_snapshot(struct tool *t, struct gcpu_snapshot **ret, int *ret_kvm_fd, int *ret_exit)
{
	const char *host = t->value[OPT_HOST] ? t->value[OPT_HOST] : default_host(t);
	struct gcpu_probe_options o = { .size = sizeof(o) };
	struct gcpu_error err;
	int status;

	*ret_kvm_fd = -1;
	if (strcmp(host, "kvm") == 0 || tool_model_name(host)) {
		*ret_kvm_fd = tool_model_name(host) ? tool_model_open(t, tool_model_name(host), &err) :
						      tool_open_kvm(t, &err);
		status = *ret_kvm_fd < 0 ? *ret_kvm_fd : 0;
		o.no_trial = t->value[OPT_NO_TRIAL] != NULL;
		o.name = t->value[OPT_NAME] ? t->value[OPT_NAME] : tool_model_name(host) ? host : NULL;
		o.ask_xcomp = 1;
		if (status == 0) {
			progress(t, "measuring this host's KVM ...");
			status = gcpu_snapshot_probe(tool_kvm(t), *ret_kvm_fd, &o, ret, &err);
			progress(t, "");
			if (status && t->model)
				tool_about_model(host, &err);
		}
		if (status)
			tool_close_kvm(t, *ret_kvm_fd);
	} else {
		status = tool_load(host, ret, &err);
		if (status)
			tool_hint_model(t, host, &err);
	}
	if (status) {
		*ret_exit = tool_fail(t, &err, NULL);
		return status;
	}
	if (t->value[OPT_ARCH] && gcpu_snapshot_arch(*ret) != t->arch) {
		t->hint = "features --hosts";
		*ret_exit = tool_usage(t, "%.100s is an %s host, --arch says %s", host,
				       gcpu_arch_name(gcpu_snapshot_arch(*ret)), t->value[OPT_ARCH]);
		gcpu_snapshot_free(*ret);
		return GCPU_ERR_ARCH;
	}
	t->arch = gcpu_snapshot_arch(*ret);
	return 0;
}

void tool_best_gic(const struct tool *t, const struct gcpu_snapshot *snap, struct gcpu_machine *m)
{
	while (!t->value[OPT_GIC] && !gcpu_snapshot_has_gic(snap, m->gic))
		m->gic--;
}

bool tool_same_name(const char *text, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		char a = text[i] == '_' ? '-' : text[i], b = name[i] == '_' ? '-' : name[i];

		if (!b || strncasecmp(&a, &b, 1) != 0)
			return false;
	}
	return name[n] == 0;
}

int tool_unknown_name(const struct tool *t, const char *word)
{
	struct gcpu_request *req = NULL;
	struct gcpu_error err;
	char text[300];

	if (strlen(word) > 200 || *word == '-' || *word == '+' || strpbrk(word, ",="))
		return tool_usage(t, "'%.60s' is not a name", word);
	/* who knows the nearest names is the grammar */
	snprintf(text, sizeof(text), "host,%s", word);
	if (gcpu_request_parse(t->arch, text, &req, &err) == 0) {
		gcpu_request_free(req);
		return tool_usage(t, "'%.60s' is not a feature", word);
	}
	err.offset = (size_t)-1;
	return tool_fail(t, &err, NULL);
}

int tool_plan(struct tool *t, struct planned *p)
{
	const char *text = t->value[OPT_CPU] ? t->value[OPT_CPU] : "host";
	struct gcpu_request *req = NULL;
	struct gcpu_error err;
	int exit_code = tool_machine(t), status;

	memset(p, 0, sizeof(*p));
	p->kvm_fd = -1;
	if (exit_code)
		return exit_code;
	if (tool_snapshot(t, &p->snap, &p->kvm_fd, &exit_code))
		return exit_code;
	tool_best_gic(t, p->snap, &t->machine);
	status = gcpu_request_parse(t->arch, text, &req, &err);
	if (status == 0)
		status = gcpu_plan_make(p->snap, req, &t->machine, &p->plan, &err);
	gcpu_request_free(req);
	if (status == 0)
		return 0;
	exit_code = tool_fail(t, &err, text);
	tool_planned_free(t, p);
	return exit_code;
}

void tool_planned_free(const struct tool *t, struct planned *p)
{
	gcpu_plan_free(p->plan);
	gcpu_snapshot_free(p->snap);
	tool_close_kvm(t, p->kvm_fd);
}
