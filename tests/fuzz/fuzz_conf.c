/* SPDX-License-Identifier: Apache-2.0 */
/* layer: conf */
/* Any text is either a configuration or refused with one line of reason. */
#include <string.h>

#include "base/assert.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_conf *conf = NULL;
	char why[SP_CONF_WHY] = "";
	int r = sp_conf_parse(sp_str_slice(data, size), "fuzz", &conf, why);

	SP_ASSERT((r == 0) == (conf != NULL));
	SP_ASSERT((r != 0) == (why[0] != '\0'));
	if (conf) {
		SP_ASSERT(conf->retry.count > 0);
		SP_ASSERT(*conf->hostname);
	}
	sp_conf_free(&conf);
	return 0;
}
