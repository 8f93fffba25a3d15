/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence that is too large for its frame. A zone may publish whole
 * certificates in its TLSA records and a destination has many addresses, but
 * an attempt without any evidence is the one thing a trace must not hold: so
 * it is cut from the outside in, until the verdict and the last tries are
 * left.
 */
#include "base/err.h"
#include "deliver/evidence.h"

static const struct form {
	size_t text_max; /* bytes of one text */
	size_t hosts_max;
	size_t tries_max; /* the last ones */
} forms[] = {
	{512, SIZE_MAX, SIZE_MAX},
	{512, 8, 8},
	{256, 0, 4},
	{128, 0, 2},
};

/* The items from first on, at most max, with their texts cut. */
static struct sp_json *some_of(const struct sp_json *array, size_t first,
                               size_t max, size_t text_max)
{
	struct sp_json *some = sp_json_array();

	for (size_t i = first; i < sp_json_len(array) && i - first < max; i++) {
		sp_json_add(some,
		            sp_json_copy_cut(sp_json_at(array, i), text_max));
	}
	return some;
}

static size_t excess(size_t count, size_t max)
{
	return count > max ? count - max : 0;
}

static void say_cut(struct sp_json *obj, const struct form *form, size_t hosts,
                    size_t tries)
{
	struct sp_buf text;

	sp_buf_init(&text, 256);
	(void)sp_buf_printf(&text, "texts after %zu bytes", form->text_max);
	if (hosts > 0) {
		(void)sp_buf_printf(&text, ", %zu hosts of the plan", hosts);
	}
	if (tries > 0) {
		(void)sp_buf_printf(&text, ", the first %zu tries", tries);
	}
	sp_json_set_str(obj, "cut", sp_buf_str(&text));
	sp_buf_fini(&text);
}

static struct sp_json *cut(const struct sp_json *detail,
                           const struct form *form)
{
	struct sp_json *obj = sp_json_copy_cut(detail, form->text_max);
	const struct sp_json *plan = sp_json_get(detail, "plan");
	const struct sp_json *hosts = sp_json_get(plan, "hosts");
	const struct sp_json *tries = sp_json_get(detail, "tries");
	size_t hosts_out = excess(sp_json_len(hosts), form->hosts_max);
	size_t tries_out = excess(sp_json_len(tries), form->tries_max);

	if (hosts_out > 0) {
		struct sp_json *less = sp_json_copy_cut(plan, form->text_max);

		sp_json_set(less, "hosts",
		            some_of(hosts, 0, form->hosts_max, form->text_max));
		sp_json_set(obj, "plan", less);
	}
	if (tries_out > 0) {
		sp_json_set(obj, "tries",
		            some_of(tries, tries_out, form->tries_max,
		                    form->text_max));
	}
	say_cut(obj, form, hosts_out, tries_out);
	return obj;
}

static int try_write(const struct sp_json *value,
                     const struct sp_json_known *known, size_t known_count,
                     size_t max_bytes, struct sp_buf *out)
{
	struct sp_buf text;
	int err;

	sp_buf_init(&text, max_bytes);
	err = sp_json_write_known(value, known, known_count, &text);
	if (!err) {
		err = sp_buf_append_str(out, sp_buf_str(&text));
	}
	sp_buf_fini(&text);
	return err;
}

int sp_evidence_write(const struct sp_json *detail,
                      const struct sp_json_known *known, size_t known_count,
                      size_t max_bytes, struct sp_buf *out)
{
	int err = try_write(detail, known, known_count, max_bytes, out);

	for (size_t i = 0; err && i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct sp_json *less = cut(detail, &forms[i]);

		err = try_write(less, NULL, 0, max_bytes, out);
		sp_json_free(&less);
	}
	return err ? SP_ELIMIT : 0;
}
