/* SPDX-License-Identifier: Apache-2.0 */
/* sealpost(1): see cmd.c. */
#include "cmd/cmd.h"

int main(int argc, char **argv)
{
	return sp_cmd_main(argc, argv);
}
