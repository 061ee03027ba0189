/* SPDX-License-Identifier: MIT */
/*
 * Runs a harness without libFuzzer, with any compiler: the whole corpus, then
 * seeded mutations of it. The same numbers give the same inputs.
 *
 *	HARNESS [-n MUTATIONS] [-s SEED] [-t SECONDS] [-d DICT] [-k KEEP] FILE|DIR...
 *
 * The input that is being run is in KEEP, so it is there after a crash.
 */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_MOST = 1 << 20, FILES_MOST = 1024, TOKENS_MOST = 4096 };

struct blob {
	uint8_t *data;
	size_t n;
};

static struct blob files[FILES_MOST], tokens[TOKENS_MOST];
static size_t n_files, n_tokens;
static uint8_t *kept; /* length, then the input */
static uint64_t state;

static uint64_t draw(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dULL % below;
}

static void die(const char *what, const char *path)
{
	fprintf(stderr, "%s: %s\n", path, what);
	exit(1);
}

static void run(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		die("out of memory", "run");
	memcpy(copy, data, n);
	if (kept) {
		memcpy(kept, &n, sizeof(n));
		memcpy(kept + sizeof(n), data, n);
	}
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static struct blob load(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct blob b = { malloc(INPUT_MOST), 0 };

	if (!f || !b.data)
		die("cannot be read", path);
	b.n = fread(b.data, 1, INPUT_MOST, f);
	fclose(f);
	return b;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_all(const char *path)
{
	struct dirent **list;
	int n = scandir(path, &list, NULL, by_name);

	if (n < 0) {
		if (n_files == FILES_MOST)
			die("too many files", path);
		files[n_files++] = load(path);
		return;
	}
	for (int i = 0; i < n; i++) {
		char name[4096];

		snprintf(name, sizeof(name), "%s/%s", path, list[i]->d_name);
		if (list[i]->d_name[0] != '.')
			load_all(name);
		free(list[i]);
	}
	free(list);
}

/* One word in quotes on each line, with \" and \\ for these two. */
static void load_tokens(const char *path)
{
	struct blob b = load(path);
	size_t i = 0;

	while (i < b.n && n_tokens < TOKENS_MOST) {
		struct blob *t = &tokens[n_tokens];

		if (b.data[i++] != '"')
			continue;
		t->data = &b.data[i];
		for (; i < b.n && b.data[i] != '"'; i++) {
			if (b.data[i] == '\\')
				i++;
			t->data[t->n++] = b.data[i];
		}
		i++;
		n_tokens++;
	}
}

/* DATA[0..N) in the place of CUT bytes at AT. */
static void put_span(struct blob *b, size_t at, size_t cut, const uint8_t *data, size_t n)
{
	static uint8_t rest[INPUT_MOST];
	size_t after = b->n - at - cut;

	if (at + n + after > INPUT_MOST)
		return;
	memcpy(rest, b->data + at + cut, after);
	memmove(b->data + at, data, n);
	memcpy(b->data + at + n, rest, after);
	b->n = at + n + after;
}

static void mutate(struct blob *b)
{
	size_t at = draw(b->n + 1), left = b->n - at;
	size_t span = left ? draw(left < 64 ? left + 1 : 64) : 0;
	const struct blob *other = &files[draw(n_files)];
	uint8_t byte = (uint8_t)draw(256);

	switch (draw(7)) {
	case 0: /* one bit */
		if (left)
			b->data[at] ^= (uint8_t)(1U << draw(8));
		break;
	case 1: /* one byte */
		put_span(b, at, left ? draw(2) : 0, &byte, 1);
		break;
	case 2: /* a span goes */
		put_span(b, at, span, &byte, 0);
		break;
	case 3: { /* a span twice */
		uint8_t copy[64];

		memcpy(copy, b->data + at, span);
		put_span(b, at, 0, copy, span);
		break;
	}
	case 4: { /* a span of another file */
		size_t from = draw(other->n + 1), n = draw(other->n - from + 1);

		put_span(b, at, span, other->data + from, n < 256 ? n : 256);
		break;
	}
	case 5: /* a digit of a number */
		while (at < b->n && !(b->data[at] >= '0' && b->data[at] <= '9'))
			at++;
		if (at < b->n)
			b->data[at] = (uint8_t)"0123456789abcdef"[draw(16)];
		break;
	default: /* a word of the dictionary */
		if (n_tokens) {
			const struct blob *t = &tokens[draw(n_tokens)];

			put_span(b, at, draw(2) ? span : 0, t->data, t->n);
		}
		break;
	}
}

static void keep_at(const char *path)
{
	size_t room = INPUT_MOST + sizeof(size_t);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || ftruncate(fd, (off_t)room) != 0)
		die("cannot be written", path);
	kept = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (kept == MAP_FAILED)
		die("cannot be mapped", path);
}

int main(int argc, char **argv)
{
	unsigned long mutations = 1000, done = 0;
	uint64_t seed = 1;
	long seconds = 0;
	struct blob b = { malloc(INPUT_MOST), 0 };
	struct timespec start, now;
	int c;

	while ((c = getopt(argc, argv, "n:s:t:d:k:")) != -1) {
		switch (c) {
		case 'n': mutations = strtoul(optarg, NULL, 0); break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 't': seconds = strtol(optarg, NULL, 0); break;
		case 'd': load_tokens(optarg); break;
		case 'k': keep_at(optarg); break;
		default: die("see the head of standalone.c", argv[0]);
		}
	}
	for (; optind < argc; optind++)
		load_all(argv[optind]);
	if (!n_files || !b.data)
		die("no inputs", argv[0]);
	for (size_t i = 0; i < n_files; i++)
		run(files[i].data, files[i].n);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (; done < mutations; done++) {
		const struct blob *f;

		/* each input depends on its number alone; a state of 0 would stay 0 */
		state = (seed + done * 0x9e3779b97f4a7c15ULL) | 1;
		f = &files[draw(n_files)];
		memcpy(b.data, f->data, f->n);
		b.n = f->n;
		for (uint64_t k = 1 + draw(4); k > 0; k--)
			mutate(&b);
		run(b.data, b.n);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (seconds > 0 && (now.tv_sec - start.tv_sec) >= seconds)
			break;
	}
	printf("%zu files, %lu mutations of seed %llu\n", n_files, done, (unsigned long long)seed);
	free(b.data);
	return 0;
}
