/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the file. libconfuse knows the syntax; every value comes to us as
 * text and is checked by its row of the schema while the line number is
 * known. The first thing that is wrong is the one that is told.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <confuse.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "conf/conf_schema.h"
#include "wire/address.h"

#define SHOWN_MAX 100 /* bytes of a domain in a warning */
#define KEYS_MAX  48  /* per section, asserted by the unit test of the table */

/* libconfuse's callbacks carry no argument of ours. One parse at a time in
 * a process: set for the length of parse_text only. */
static struct parse {
	char *why; /* SP_CONF_WHY bytes */
	const char *name;
	bool look_at_files;
	bool failed;
	unsigned lines; /* of the text, without the end mark */
} * current;

static void say(unsigned line, const char *what)
{
	if (current->failed) {
		return; /* the first one counts */
	}
	current->failed = true;
	if (line > current->lines) {
		line = current->lines; /* the end mark is not in the file */
	}
	if (line) {
		snprintf(current->why, SP_CONF_WHY, "%s:%u: %s", current->name,
		         line, what);
	} else {
		snprintf(current->why, SP_CONF_WHY, "%s: %s", current->name,
		         what);
	}
}

/* libconfuse takes the end of the file for the end of an open section. A
 * last key of our own, which only the top level knows, shows the mistake. */
#define END_MARK "__end_of_file"

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[SP_CONF_WHY];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (strstr(text, END_MARK)) {
		snprintf(text, sizeof(text),
		         "the file ends inside a section: expected '}'");
	}
	say(cfg ? (unsigned)cfg->line : 0, text);
}

/* The section a cfg_t stands for: "", "resolver", "resolver.stub" ... */
static const struct sp_conf_section *section_of(cfg_t *cfg)
{
	const char *name = cfg_name(cfg);

	if (strcmp(name, "root") == 0) {
		return sp_conf_section_find("");
	}
	if (strcmp(name, "stub") == 0) {
		return sp_conf_section_find("resolver.stub");
	}
	return sp_conf_section_find(name);
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct sp_conf_key *key =
		sp_conf_key_find(section_of(cfg), cfg_opt_name(opt));
	char why[SP_CONF_WHY];
	unsigned count = cfg_opt_size(opt);
	const char *value;

	if (!key || !count) {
		return 0;
	}
	value = cfg_opt_getnstr(opt, count - 1);
	if (sp_conf_is_list(key->type) && !*value && count == 1) {
		return 0; /* x = "" is the empty list */
	}
	if (key->type == SP_CONF_STEPS && count > SP_CONF_STEPS_MAX) {
		cfg_error(cfg, "%s: more than %d steps", key->name,
		          SP_CONF_STEPS_MAX);
		return -1;
	}
	if (sp_conf_check(key, value, current->look_at_files, why)) {
		cfg_error(cfg, "%s: %s", key->name, why);
		return -1;
	}
	return 0;
}

/* libconfuse's own tables for a section: every key is text or a list of
 * texts without a default; defaults are ours. */
static size_t options_of(const struct sp_conf_section *sec, cfg_opt_t *opts)
{
	size_t n = 0;

	for (const struct sp_conf_key *k = sec->keys; k->name; k++) {
		if (sp_conf_is_list(k->type)) {
			opts[n++] = (cfg_opt_t)CFG_STR_LIST(k->name, NULL,
			                                    CFGF_NODEFAULT);
		} else {
			opts[n++] = (cfg_opt_t)CFG_STR(k->name, NULL,
			                               CFGF_NODEFAULT);
		}
	}
	return n;
}

struct tables {
	cfg_opt_t top[KEYS_MAX + 16];
	cfg_opt_t sections[16][KEYS_MAX];
};

static void build_tables(struct tables *t)
{
	size_t n = options_of(&SP_CONF_SECTIONS[0], t->top);
	size_t resolver = 0;
	size_t stub = 0;

	for (size_t s = 1; s < SP_CONF_SECTION_COUNT; s++) {
		const struct sp_conf_section *sec = &SP_CONF_SECTIONS[s];
		size_t count = options_of(sec, t->sections[s]);

		if (strcmp(sec->name, "resolver.stub") == 0) {
			stub = s;
		} else {
			t->top[n++] = (cfg_opt_t)CFG_SEC(
				sec->name, t->sections[s],
				sec->titled ? CFGF_MULTI | CFGF_TITLE |
						      CFGF_NO_TITLE_DUPES
					    : CFGF_NONE);
		}
		if (strcmp(sec->name, "resolver") == 0) {
			resolver = s;
			t->sections[s][count++] = (cfg_opt_t){0};
		}
		t->sections[s][count] = (cfg_opt_t)CFG_END();
	}
	t->top[n++] = (cfg_opt_t)CFG_STR(END_MARK, NULL, CFGF_NODEFAULT);
	t->top[n] = (cfg_opt_t)CFG_END();
	for (n = 0; t->sections[resolver][n].name; n++) {
	}
	t->sections[resolver][n++] = (cfg_opt_t)CFG_SEC(
		"stub", t->sections[stub],
		CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	t->sections[resolver][n] = (cfg_opt_t)CFG_END();
}

static void set_validators(cfg_t *cfg)
{
	char path[128];

	for (size_t s = 0; s < SP_CONF_SECTION_COUNT; s++) {
		const struct sp_conf_section *sec = &SP_CONF_SECTIONS[s];
		bool stub = strcmp(sec->name, "resolver.stub") == 0;

		for (const struct sp_conf_key *k = sec->keys; k->name; k++) {
			snprintf(path, sizeof(path), "%s%s%s",
			         stub ? "resolver|stub" : sec->name,
			         *sec->name ? "|" : "", k->name);
			cfg_set_validate_func(cfg, path, on_value);
		}
	}
}

/* A list that was written, be it empty: x = {}. */
static bool was_given(const cfg_opt_t *opt)
{
	return opt && (opt->flags & CFGF_MODIFIED) != 0;
}

static size_t default_values(const struct sp_conf_key *key,
                             struct sp_arena *arena, const char **values)
{
	struct sp_str rest = sp_str_from(key->fallback);
	struct sp_str item;
	size_t count = 0;

	if (!sp_conf_is_list(key->type)) {
		values[0] = key->fallback;
		return 1;
	}
	while (sp_str_cut(&rest, ' ', &item)) {
		values[count++] = sp_arena_cstr(arena, item);
	}
	return count;
}

/* The values of one key, or its default, into the struct. */
static void store_key(cfg_t *cfg, const struct sp_conf_key *key,
                      struct sp_arena *arena, void *base)
{
	cfg_opt_t *opt = cfg ? cfg_getopt(cfg, key->name) : NULL;
	unsigned given = opt ? cfg_opt_size(opt) : 0;
	const char **values = sp_arena_array(arena, given + 8, sizeof(*values));
	size_t count = 0;

	for (unsigned i = 0; i < given; i++) {
		const char *value = cfg_opt_getnstr(opt, i);

		if (value) {
			values[count++] = value;
		}
	}
	if (!count && !(sp_conf_is_list(key->type) && was_given(opt))) {
		count = default_values(key, arena, values);
	}
	sp_conf_store(key, values, count, arena, base);
}

static void store_section(cfg_t *cfg, const struct sp_conf_section *sec,
                          struct sp_conf *conf, void *base)
{
	for (const struct sp_conf_key *k = sec->keys; k->name; k++) {
		store_key(cfg, k, &conf->arena, base);
	}
}

/* Titled sections become an array of structs whose first member is the
 * title. */
static void store_titled(cfg_t *cfg, const struct sp_conf_section *sec,
                         const char *name, struct sp_conf *conf)
{
	size_t count = cfg ? cfg_size(cfg, name) : 0;
	char *array = sp_arena_array(&conf->arena, count + 1, sec->size);

	for (size_t i = 0; i < count; i++) {
		cfg_t *one = cfg_getnsec(cfg, name, (unsigned)i);
		char *base = array + i * sec->size;

		*(const char **)(void *)base = sp_arena_cstr(
			&conf->arena, sp_str_from(cfg_title(one)));
		store_section(one, sec, conf, base);
	}
	*(void **)(void *)((char *)conf + sec->offset) = array;
	*(size_t *)(void *)((char *)conf + sec->count_offset) = count;
}

static void store_all(cfg_t *cfg, struct sp_conf *conf)
{
	for (size_t s = 0; s < SP_CONF_SECTION_COUNT; s++) {
		const struct sp_conf_section *sec = &SP_CONF_SECTIONS[s];
		cfg_t *where = cfg;

		if (strcmp(sec->name, "resolver.stub") == 0) {
			where = cfg ? cfg_getsec(cfg, "resolver") : NULL;
			store_titled(where, sec, "stub", conf);
		} else if (sec->titled) {
			store_titled(cfg, sec, sec->name, conf);
		} else {
			if (cfg && *sec->name) {
				where = cfg_getsec(cfg, sec->name);
			}
			store_section(where, sec, conf, conf);
		}
	}
	conf->user_given = cfg && cfg_size(cfg, "user") > 0;
}

static const char *machine_name(struct sp_conf *conf)
{
	char name[256];

	if (gethostname(name, sizeof(name)) != 0) {
		return "localhost";
	}
	name[sizeof(name) - 1] = '\0';
	return sp_arena_cstr(&conf->arena, sp_str_from(name));
}

/* Routes are found by the form in which domains are scheduled. */
static void fix_routes(struct sp_conf *conf)
{
	char text[SP_CONF_WHY];

	for (size_t i = 0; i < conf->route_count; i++) {
		struct sp_conf_route *route = &conf->route[i];
		struct sp_str name = sp_str_from(route->name);

		if (strcmp(route->name, "*") == 0) {
			continue;
		}
		if (sp_domain_to_ascii(name, &conf->arena, &name)) {
			snprintf(text, sizeof(text),
			         "route \"%.64s\": expected a domain, or * for "
			         "every other",
			         route->name);
			say(0, text);
		}
		route->name = sp_arena_cstr(&conf->arena, name);
	}
}

/* A label of letters, digits, hyphens and underscores, or several. */
static bool is_selector(const char *text)
{
	size_t label = 0;

	for (const char *p = text; *p; p++) {
		bool dot = *p == '.';

		if (!dot && !strchr("-_", *p) && !sp_ascii_is_alnum(*p)) {
			return false;
		}
		if ((dot && label == 0) || label > 63) {
			return false;
		}
		label = dot ? 0 : label + 1;
	}
	return label > 0 && label <= 63;
}

static void check_dkim(const struct sp_conf_dkim *d)
{
	char text[SP_CONF_WHY];
	const char *what = NULL;

	if (d->key.count == 0) {
		what = "expected a key";
	} else if (d->selector.count != d->key.count) {
		what = "expected a selector for each key";
	}
	for (size_t i = 0; i < d->selector.count; i++) {
		if (!is_selector(d->selector.items[i])) {
			what = "selector: expected letters, digits, hyphens";
		}
		for (size_t k = 0; k < i; k++) {
			if (strcasecmp(d->selector.items[i],
			               d->selector.items[k]) == 0) {
				what = "selector: expected another name for "
				       "each key";
			}
		}
	}
	if (d->key.count > SP_CONF_DKIM_KEYS_MAX) {
		what = "more keys than anybody would check";
	}
	if (what) {
		snprintf(text, sizeof(text), "dkim \"%.64s\": %s", d->name,
		         what);
		say(0, text);
	}
}

/* Domains are found by the form in which they are compared. */
static void fix_dkim(struct sp_conf *conf)
{
	char text[SP_CONF_WHY];

	for (size_t i = 0; i < conf->dkim_count; i++) {
		struct sp_conf_dkim *d = &conf->dkim[i];
		struct sp_str name = sp_str_from(d->name);

		if (sp_domain_to_ascii(name, &conf->arena, &name) ||
		    !name.len || sp_domain_is_literal(name)) {
			snprintf(text, sizeof(text),
			         "dkim \"%.64s\": expected a domain", d->name);
			say(0, text);
		}
		d->name = sp_arena_cstr(&conf->arena, name);
		check_dkim(d);
		if (sp_conf_dkim_find(conf, name) != d) {
			snprintf(text, sizeof(text),
			         "dkim \"%.64s\": expected one section for a "
			         "domain",
			         d->name);
			say(0, text);
		}
	}
}

static struct sp_str domain_of(const char *mailbox)
{
	struct sp_str domain = sp_str_from(mailbox);
	struct sp_str local;

	(void)sp_str_cut(&domain, '@', &local);
	return domain;
}

/* Who we are in reports. Without a postmaster it is the address that every
 * domain has. */
static void fill_report(struct sp_conf *conf)
{
	if (!*conf->report.contact) {
		conf->report.contact =
			*conf->postmaster
				? conf->postmaster
				: sp_arena_printf(&conf->arena, "postmaster@%s",
		                                  conf->hostname);
	}
	if (!*conf->report.from) {
		conf->report.from = conf->report.contact;
	}
	if (!*conf->report.organization) {
		conf->report.organization = conf->hostname;
	}
}

static void fix_report_domains(struct sp_conf *conf)
{
	char text[SP_CONF_WHY];

	for (size_t i = 0; i < conf->report.domains.count; i++) {
		const char **item = &conf->report.domains.items[i];
		struct sp_str name = sp_str_from(*item);

		if (sp_domain_to_ascii(name, &conf->arena, &name) ||
		    !name.len || sp_domain_is_literal(name)) {
			(void)snprintf(text, sizeof(text),
			               "report: domains: %.100s: expected a "
			               "domain",
			               *item);
			say(0, text);
		}
		*item = sp_arena_cstr(&conf->arena, name);
	}
}

/* A report is known by a signature of the domain that its contact is in (RFC
 * 8460 3), which is made for the author's. */
static void check_report(const struct sp_conf *conf)
{
	const char *contact = conf->report.contact;
	const char *from = conf->report.from;
	char text[SP_CONF_WHY];

	if (!sp_str_eq_nocase(domain_of(from), domain_of(contact))) {
		(void)snprintf(text, sizeof(text),
		               "report: from %.100s and contact %.100s: "
		               "expected addresses in one domain",
		               from, contact);
		say(0, text);
	}
}

/* What no single value can show. */
static void check_whole(const struct sp_conf *conf)
{
	char text[SP_CONF_WHY];

	if (conf->retry.count == 0) {
		say(0, "retry: expected at least one time");
	}
	if (strncmp(conf->store, "sqlite:", 7) != 0 || !conf->store[7]) {
		say(0, "store: expected sqlite: and the path of a file");
	}
	for (size_t i = 0; i < conf->listen_count; i++) {
		const struct sp_conf_listen *l = &conf->listen[i];

		if (l->address.count == 0) {
			snprintf(text, sizeof(text),
			         "listen \"%.64s\": expected an address",
			         l->name);
			say(0, text);
		}
		if (l->certificate.count != l->key.count) {
			snprintf(text, sizeof(text),
			         "listen \"%.64s\": expected a key for each "
			         "certificate",
			         l->name);
			say(0, text);
		}
	}
	check_report(conf);
}

static struct sp_conf *conf_new(struct sp_str text, const char *name)
{
	struct sp_conf *conf = SP_NEW(struct sp_conf);

	sp_arena_init(&conf->arena);
	conf->text = sp_arena_str(&conf->arena, text);
	conf->file = sp_arena_cstr(&conf->arena, sp_str_from(name));
	return conf;
}

static unsigned count_lines(struct sp_str text)
{
	unsigned lines = 1;

	for (size_t i = 0; i + 1 < text.len; i++) {
		lines += text.ptr[i] == '\n';
	}
	return lines;
}

static char *with_end_mark(struct sp_str text)
{
	struct sp_buf b;
	char *copy;

	sp_buf_init(&b, text.len + 64);
	(void)sp_buf_append_str(&b, text); /* there is room */
	(void)sp_buf_append_cstr(&b, "\n" END_MARK " = 1\n");
	copy = sp_buf_take(&b);
	sp_buf_fini(&b);
	return copy;
}

static int parse_text(struct sp_str text, struct parse *p,
                      struct sp_conf **conf_out)
{
	struct tables *tables = SP_NEW(struct tables);
	char *copy = with_end_mark(text);
	struct sp_conf *conf = NULL;
	cfg_t *cfg;

	current = p;
	p->lines = count_lines(text);
	build_tables(tables);
	cfg = cfg_init(tables->top, CFGF_NONE);
	cfg_set_error_function(cfg, on_error);
	set_validators(cfg);
	if (memchr(text.ptr ? text.ptr : "", '\0', text.len)) {
		say(0, "a NUL byte in the file");
	} else if (cfg_parse_buf(cfg, copy) != CFG_SUCCESS) {
		say((unsigned)cfg->line, "not understood");
	}
	if (!p->failed) {
		conf = conf_new(text, p->name);
		store_all(cfg, conf);
		fix_routes(conf);
		fix_dkim(conf);
		fix_report_domains(conf);
		if (!*conf->hostname) {
			conf->hostname = machine_name(conf);
		}
		fill_report(conf);
		check_whole(conf);
	}
	if (p->failed) {
		sp_conf_free(&conf);
	}
	cfg_free(cfg);
	sp_free(copy);
	sp_free(tables);
	current = NULL;
	*conf_out = conf;
	return conf ? 0 : SP_ECONFIG;
}

int sp_conf_parse(struct sp_str text, const char *name,
                  struct sp_conf **conf_out, char *why_out)
{
	struct parse p = {.why = why_out, .name = name};

	return parse_text(text, &p, conf_out);
}

static int read_file(const char *path, struct sp_buf *out, char *why)
{
	FILE *f = fopen(path, "re");
	int r = 0;
	struct stat st;

	if (!f) {
		r = -errno;
	} else if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
		r = -EISDIR;
	}
	while (!r && !feof(f) && !ferror(f)) {
		char *room = sp_buf_reserve(out, 4096);

		if (!room) {
			r = SP_ELIMIT;
			break;
		}
		sp_buf_commit(out, fread(room, 1, 4096, f));
	}
	if (!r && ferror(f)) {
		r = -EIO;
	}
	if (f) {
		fclose(f);
	}
	if (r) {
		snprintf(why, SP_CONF_WHY,
		         "%s: cannot read the configuration: "
		         "%s",
		         path, sp_strerror(r));
	}
	return r;
}

int sp_conf_load(const char *path, struct sp_conf **conf_out, char *why_out)
{
	struct parse p = {.why = why_out,
	                  .name = path ? path : "defaults",
	                  .look_at_files = true};
	struct sp_buf text;
	int r = 0;

	*conf_out = NULL;
	sp_buf_init(&text, SP_CONF_BYTES_MAX + 4096);
	if (path) {
		r = read_file(path, &text, why_out);
	}
	if (!r) {
		r = parse_text(sp_buf_str(&text), &p, conf_out);
	}
	sp_buf_fini(&text);
	return r;
}

void sp_conf_free(struct sp_conf **conf)
{
	struct sp_conf *c = *conf;

	if (!c) {
		return;
	}
	sp_arena_fini(&c->arena);
	sp_free(c);
	*conf = NULL;
}

static bool is_at_or_below(struct sp_str name, struct sp_str domain)
{
	return sp_str_eq(name, domain) ||
	       (name.len > domain.len &&
	        name.ptr[name.len - domain.len - 1] == '.' &&
	        sp_str_ends_nocase(name, domain));
}

bool sp_conf_report_is_ours(const struct sp_conf *conf, struct sp_str domain)
{
	const struct sp_conf_strings *ours = &conf->report.domains;
	bool found = ours->count == 0;

	for (size_t i = 0; !found && i < ours->count; i++) {
		found = is_at_or_below(domain, sp_str_from(ours->items[i]));
	}
	return found;
}

struct sp_str sp_conf_submitter(const struct sp_conf *conf)
{
	return domain_of(conf->report.contact);
}

bool sp_conf_warning(const struct sp_conf *conf, char *why_out)
{
	struct sp_str domain = domain_of(conf->report.from);
	struct sp_arena arena;
	bool covered;

	sp_arena_init(&arena);
	covered = sp_domain_to_ascii(domain, &arena, &domain) == 0 &&
	          sp_conf_dkim_find(conf, domain);
	domain = sp_str_sub(domain, 0, SHOWN_MAX);
	(void)snprintf(
		why_out, SP_CONF_WHY,
		"report: mailed TLS reports leave from " SP_STR_FMT
		" without a DKIM signature and may be ignored (RFC 8460 "
		"3): \"sealpost dkim make " SP_STR_FMT
		"\" makes a key, its record and its dkim section; or set "
		"report { count = false }",
		SP_STR_ARG(domain), SP_STR_ARG(domain));
	sp_arena_fini(&arena);
	return !covered && conf->report.count && !*conf->report.directory;
}

const struct sp_conf_route *sp_conf_route_find(const struct sp_conf *conf,
                                               struct sp_str domain)
{
	const struct sp_conf_route *other = NULL;

	for (size_t i = 0; i < conf->route_count; i++) {
		const struct sp_conf_route *route = &conf->route[i];

		if (sp_str_eq_nocase(sp_str_from(route->name), domain)) {
			return route;
		}
		if (strcmp(route->name, "*") == 0) {
			other = route;
		}
	}
	return other;
}

const struct sp_conf_dkim *sp_conf_dkim_find(const struct sp_conf *conf,
                                             struct sp_str domain)
{
	for (size_t i = 0; i < conf->dkim_count; i++) {
		if (sp_str_eq(sp_str_from(conf->dkim[i].name), domain)) {
			return &conf->dkim[i];
		}
	}
	return NULL;
}
