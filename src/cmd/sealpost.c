/* SPDX-License-Identifier: Apache-2.0 */
/* sealpost(1), and sealpost-sendmail(8) by its name. */
#include <string.h>

#include "cmd/cmd.h"

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";

	if (strcmp(name, "sendmail") == 0 ||
	    strcmp(name, "sealpost-sendmail") == 0) {
		return sp_cmd_sendmail(argc, argv);
	}
	return sp_cmd_main(argc, (const char *const *)argv);
}
