/* SPDX-License-Identifier: Apache-2.0 */
/* sealpostd(8): arguments and wiring of the server. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/conf.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "role/parent/keys.h"
#include "role/parent/parent.h"

#define EXIT_USAGE 64
#define EXIT_OSERR 71
#define EXIT_CONF  78

static const char USAGE[] =
	"usage: sealpostd [-f] [-t] [-c FILE]\n"
	"  -c, --config FILE  configuration (default " SP_CONF_DEFAULT_PATH
	")\n"
	"  -f, --foreground   stay in the foreground\n"
	"  -t, --test         check the configuration and exit\n"
	"      --version      versions of the server and its libraries\n"
	"      --help         this text\n";

static const struct option OPTIONS[] = {
	{"config", required_argument, NULL, 'c'},
	{"foreground", no_argument, NULL, 'f'},
	{"test", no_argument, NULL, 't'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct arguments {
	const char *path;
	bool foreground;
	bool test;
};

/* -1: go on; otherwise the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *args)
{
	static char name[] = "sealpostd"; /* for getopt's own messages */
	int opt;

	argv[0] = name;
	while ((opt = getopt_long(argc, argv, "c:fth", OPTIONS, NULL)) != -1) {
		switch (opt) {
		case 'c':
			args->path = optarg;
			break;
		case 'f':
			args->foreground = true;
			break;
		case 't':
			args->test = true;
			break;
		case 'V':
			printf("sealpostd %s\n%s\nlibunbound %s\n", SP_VERSION,
			       sp_tls_version(), sp_resolver_version());
			return 0;
		case 'h':
			fputs(USAGE, stdout);
			return 0;
		default:
			fputs(USAGE, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "sealpostd: %s: unexpected argument\n",
		        argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

/* What the sign role would make of the keys. */
static int test_keys(const struct sp_conf *conf)
{
	struct sp_key_files files;
	char why[SP_CONF_WHY] = "";
	int r = sp_key_files_open(conf, &files, why, sizeof(why));

	if (r == 0) {
		r = sp_key_files_check(conf, &files, why, sizeof(why));
		sp_key_files_close(&files);
	}
	if (r) {
		fprintf(stderr, "sealpostd: %s\n", why);
		return EXIT_CONF;
	}
	return 0;
}

static void set_up_log(const struct sp_conf *conf)
{
	static const char *const LEVELS[] = {"error", "warn", "info", "debug"};
	enum sp_log_level level = SP_LOG_INFO;

	for (size_t i = 0; i < sizeof(LEVELS) / sizeof(LEVELS[0]); i++) {
		if (strcmp(LEVELS[i], conf->log_level) == 0) {
			level = (enum sp_log_level)i;
		}
	}
	sp_log_setup(level, conf->log_json);
}

/* Into the background: the process that was called waits until the server
 * is up, or has failed, and ends with that status. Returns the descriptor
 * for the news, in the background process only. */
static int go_to_background(int *status_out)
{
	int news[2];
	unsigned char byte;
	pid_t pid;

	*status_out = EXIT_OSERR;
	if (pipe(news) != 0) {
		fprintf(stderr, "sealpostd: pipe: %s\n", strerror(errno));
		return -1;
	}
	pid = fork();
	if (pid < 0) {
		fprintf(stderr, "sealpostd: fork: %s\n", strerror(errno));
		return -1;
	}
	if (pid == 0) {
		close(news[0]);
		setsid();
		return news[1];
	}
	close(news[1]);
	if (read(news[0], &byte, 1) == 1) {
		*status_out = byte;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct arguments args = {.path = SP_CONF_DEFAULT_PATH};
	struct sp_conf *conf = NULL;
	char why[SP_CONF_WHY];
	int ready_fd = -1;
	int status = read_arguments(argc, argv, &args);

	if (status >= 0) {
		return status;
	}
	if (sp_conf_load(args.path, &conf, why)) {
		fprintf(stderr, "sealpostd: %s\n", why);
		return EXIT_CONF;
	}
	if (args.test) {
		status = test_keys(conf);
		if (status == 0) {
			printf("%s: valid\n", args.path);
		}
		if (sp_conf_warning(conf, why)) {
			fprintf(stderr, "sealpostd: warning: %s\n", why);
		}
		sp_conf_free(&conf);
		return status;
	}
	set_up_log(conf);
	if (!args.foreground) {
		ready_fd = go_to_background(&status);
		if (ready_fd < 0) {
			sp_conf_free(&conf);
			return status;
		}
	}
	return sp_parent_run(&conf, args.path, ready_fd);
}
