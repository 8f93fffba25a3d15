/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and looking over; see the header for why a child looks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "role/dkim_keys.h"
#include "role/parent/keys.h"

void sp_key_files_close(struct sp_key_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		close(files->fds[i]);
	}
	SP_FREE(&files->fds);
	files->count = 0;
}

static int open_one(const struct sp_conf_dkim *d, size_t k,
                    struct sp_key_files *files, char *why_out, size_t why_cap)
{
	const char *path = d->key.items[k];
	int fd = -1;
	int err = SP_ELIMIT;

	if (files->count < SP_KEY_FILES_MAX) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		err = fd < 0 ? -errno : 0;
	}
	if (fd < 0) {
		(void)snprintf(why_out, why_cap, "dkim \"%s\": %s: %s", d->name,
		               path, sp_strerror(err));
		return SP_ECONFIG;
	}
	files->fds[files->count++] = fd;
	return 0;
}

int sp_key_files_open(const struct sp_conf *conf,
                      struct sp_key_files *files_out, char *why_out,
                      size_t why_cap)
{
	int ret = 0;

	files_out->fds = sp_calloc(SP_KEY_FILES_MAX, sizeof(int));
	files_out->count = 0;
	for (size_t i = 0; ret == 0 && i < conf->dkim_count; i++) {
		const struct sp_conf_dkim *d = &conf->dkim[i];

		for (size_t k = 0; ret == 0 && k < d->key.count; k++) {
			ret = open_one(d, k, files_out, why_out, why_cap);
		}
	}
	if (ret) {
		sp_key_files_close(files_out);
	}
	return ret;
}

_Noreturn static void look(const struct sp_conf *conf,
                           const struct sp_key_files *files, int out)
{
	struct sp_dkim_keys *keys;
	char why[512] = "";
	int ret = sp_dkim_keys_load(conf, files->fds, files->count, &keys, why,
	                            sizeof(why));

	if (ret && write(out, why, strlen(why)) < 0) {
		_exit(2); /* said without a reason */
	}
	_exit(ret ? 1 : 0);
}

static int wait_for(pid_t pid)
{
	int status = 1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	return status;
}

int sp_key_files_check(const struct sp_conf *conf,
                       const struct sp_key_files *files, char *why_out,
                       size_t why_cap)
{
	int ends[2];
	ssize_t len;
	pid_t pid;

	if (files->count == 0) {
		return 0;
	}
	if (pipe2(ends, O_CLOEXEC) != 0) {
		(void)snprintf(why_out, why_cap, "dkim: %s", strerror(errno));
		return SP_ECONFIG;
	}
	pid = fork();
	if (pid == 0) {
		look(conf, files, ends[1]);
	}
	close(ends[1]);
	len = pid > 0 ? read(ends[0], why_out, why_cap - 1) : -1;
	close(ends[0]);
	if (pid > 0 && wait_for(pid) == 0) {
		return 0;
	}
	why_out[len > 0 ? len : 0] = '\0';
	if (len <= 0) {
		(void)snprintf(why_out, why_cap,
		               "dkim: the keys cannot be checked");
	}
	return SP_ECONFIG;
}
