/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up privileges, once and for good. */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "ipc/sandbox.h"

static int become(const struct sp_identity *identity)
{
	/* In a user namespace setgroups may be denied for everybody; then
	 * there are no groups to lose either. */
	if (setgroups(0, NULL) != 0 && errno != EPERM) {
		return -errno;
	}
	if (setresgid(identity->gid, identity->gid, identity->gid) != 0 ||
	    setresuid(identity->uid, identity->uid, identity->uid) != 0) {
		return -errno;
	}
	return 0;
}

/* Can we become this user here? Tried in a child that ends at once. */
static bool can_become(const struct sp_identity *identity)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		_exit(become(identity) == 0 ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int sp_identity_find(const char *user, bool given,
                     struct sp_identity *identity_out, char *why_out,
                     size_t why_cap)
{
	const struct passwd *pw;

	*identity_out = (struct sp_identity){.uid = getuid(), .gid = getgid()};
	why_out[0] = '\0';
	if (geteuid() != 0 || !*user) {
		return 0;
	}
	pw = getpwnam(user);
	if (!pw) {
		(void)snprintf(why_out, why_cap, "user: '%s' does not exist",
		               user);
		return given ? SP_ECONFIG : 0;
	}
	if (pw->pw_uid == 0) {
		return 0;
	}
	identity_out->uid = pw->pw_uid;
	identity_out->gid = pw->pw_gid;
	if (!can_become(identity_out)) {
		(void)snprintf(
			why_out, why_cap,
			"user: cannot become '%s' in this user namespace",
			user);
		return given ? SP_ECONFIG : 0;
	}
	identity_out->change = true;
	return 0;
}

static bool is_kept(int fd, const int *keep, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (keep[i] == fd) {
			return true;
		}
	}
	return false;
}

void sp_sandbox_close_others(const int *keep, size_t count)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	uint64_t fd;

	if (!dir) {
		for (int i = 3; i < 4096; i++) {
			if (!is_kept(i, keep, count)) {
				close(i);
			}
		}
		return;
	}
	while ((entry = readdir(dir))) {
		if (sp_str_u64(sp_str_from(entry->d_name), 1 << 24, &fd) ||
		    fd <= 2 || (int)fd == dirfd(dir) ||
		    is_kept((int)fd, keep, count)) {
			continue;
		}
		close((int)fd);
	}
	closedir(dir);
}

/* Service managers start daemons with a soft limit of 1024 for the sake of
 * select(2), which we don't use. */
static void raise_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files); /* always allowed */
	}
}

int sp_sandbox_enter(const struct sp_identity *identity)
{
	const struct rlimit none = {0, 0};
	int r = 0;

	raise_descriptors();

	if (identity->change) {
		r = become(identity);
	}
	if (!r && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		r = -errno;
	}
	if (!r && setrlimit(RLIMIT_CORE, &none) != 0) {
		r = -errno;
	}
#ifndef __SANITIZE_ADDRESS__ /* the leak checker has to trace itself */
	if (!r && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
		r = -errno;
	}
#endif
	if (clearenv() != 0) {
		r = r ? r : -ENOMEM;
	}
	return r;
}

int sp_sandbox_make_dir(const char *path, const struct sp_identity *identity)
{
	char dir[4096];
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path) {
		return 0;
	}
	if ((size_t)(slash - path) >= sizeof(dir)) {
		return -ENAMETOOLONG;
	}
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	if (mkdir(dir, 0750) != 0) {
		return errno == EEXIST ? 0 : -errno;
	}
	if (identity->change && chown(dir, identity->uid, identity->gid) != 0) {
		return -errno;
	}
	return 0;
}
