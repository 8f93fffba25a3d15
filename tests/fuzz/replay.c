/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays a corpus through a fuzz target, without a fuzzer: each file given
 * as an argument as it is, then cut at every length up to CUT_MAX, then with
 * a few bytes changed, FLIPS times. The same run every time: the seed is the
 * place of the file among the arguments.
 *
 * Each input is in memory of exactly its size, so that the sanitizer sees a
 * read behind it. Where a run ends badly, the input is left in a file beside
 * the binary and named, to become a file of the corpus.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"

#define CUT_MAX    4096U
#define FLIPS      256
#define INPUT_MAX  (16U << 20)
#define CHANGE_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*callback)(void))
	__attribute__((weak));

/* What is being tried, for the last words. */
static struct {
	const char *file;
	const char *manner;
	const uint8_t *data;
	size_t size;
	char crash_path[512];
	unsigned long runs;
} now;

static void last_words(void)
{
	int fd = open(now.crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd >= 0) {
		(void)!write(fd, now.data, now.size);
		(void)close(fd);
	}
	(void)dprintf(STDERR_FILENO, "replay: %s, %s, %zu bytes, kept in %s\n",
	              now.file, now.manner, now.size, now.crash_path);
}

static void on_abort(int signal_number)
{
	(void)signal_number;
	last_words();
}

static void no_log(void *arg, enum sp_log_level level, const char *event,
                   const char *line)
{
	(void)arg;
	(void)level;
	(void)event;
	(void)line;
}

/* Runs the target over its own copy of data. */
static void try_input(const uint8_t *data, size_t size, const char *manner)
{
	uint8_t *copy = sp_alloc(size);

	if (size > 0) {
		memcpy(copy, data, size);
	}
	now.data = copy;
	now.size = size;
	now.manner = manner;
	now.runs++;
	(void)LLVMFuzzerTestOneInput(copy, size);
	sp_free(copy);
}

static void try_cuts(const uint8_t *data, size_t size)
{
	for (size_t len = 0; len < size && len <= CUT_MAX; len++) {
		try_input(data, len, "cut short");
	}
}

static void try_flips(const uint8_t *data, size_t size, uint64_t seed)
{
	uint8_t *changed = sp_alloc(size);

	for (int i = 0; i < FLIPS && size > 0; i++) {
		memcpy(changed, data, size);
		uint64_t count = 1 + sp_rand_below(&seed, CHANGE_MAX);
		for (uint64_t n = 0; n < count; n++) {
			uint64_t at = sp_rand_below(&seed, size);
			changed[at] ^= (uint8_t)(1 + sp_rand_below(&seed, 255));
		}
		try_input(changed, size, "bytes changed");
	}
	sp_free(changed);
}

/* The whole file, owned by the caller. 0 or a negated errno. */
static int read_file(const char *path, uint8_t **data_out, size_t *size_out)
{
	FILE *file = fopen(path, "rb");
	size_t size = 0;
	size_t got;

	if (!file) {
		return -errno;
	}
	uint8_t *data = sp_alloc(INPUT_MAX);
	do {
		got = fread(data + size, 1, INPUT_MAX - size, file);
		size += got;
	} while (got > 0 && size < INPUT_MAX);
	int err = ferror(file) ? -EIO : size == INPUT_MAX ? -EFBIG : 0;
	(void)fclose(file);
	if (err < 0) {
		sp_free(data);
		return err;
	}
	*data_out = data;
	*size_out = size;
	return 0;
}

static int replay_file(const char *path, uint64_t seed)
{
	uint8_t *data;
	size_t size;
	int err = read_file(path, &data, &size);

	if (err < 0) {
		(void)fprintf(stderr, "replay: %s: %s\n", path,
		              strerrordesc_np(-err));
		return err;
	}
	now.file = path;
	try_input(data, size, "as it is");
	try_cuts(data, size);
	try_flips(data, size, seed);
	sp_free(data);
	return 0;
}

int main(int argc, char **argv)
{
	const struct sigaction act = {
		.sa_handler = on_abort,
		.sa_flags = (int)SA_RESETHAND,
	};
	const char *slash = strrchr(argv[0], '/');

	(void)snprintf(now.crash_path, sizeof(now.crash_path), "%s.crash",
	               argv[0]);
	(void)sigaction(SIGABRT, &act, NULL);
	if (__sanitizer_set_death_callback) {
		__sanitizer_set_death_callback(last_words);
	}
	sp_log_capture(no_log, NULL);
	for (int i = 1; i < argc; i++) {
		if (replay_file(argv[i], (uint64_t)i) < 0) {
			return 1;
		}
	}
	(void)printf("  ok    %-24s %d inputs, %lu runs\n",
	             slash ? slash + 1 : argv[0], argc - 1, now.runs);
	return 0;
}
