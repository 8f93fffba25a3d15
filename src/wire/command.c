/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two tables: verbs with the reader of their argument, and the parameters of
 * MAIL and RCPT with the reader of their value. A reader answers with a
 * problem, never with a guess. The bytes of the whole line are checked once,
 * in front: no control gets further, and what is not ASCII is UTF-8.
 *
 * Blanks at the end of a line are dropped (RFC 5321 4.1.1 asks for that);
 * otherwise the grammar is taken at its word, also where it forbids a blank
 * behind the colon of MAIL FROM: and RCPT TO:.
 */
#include "base/ascii.h"
#include "base/err.h"
#include "wire/command.h"
#include "wire/utf8.h"

#define SIZE_DIGITS_MAX 20 /* RFC 1870 3, RFC 3030 2 */

const char *sp_verb_text(enum sp_verb verb)
{
	static const char *const texts[] = {[SP_VERB_UNKNOWN] = "unknown",
#define SP_X(name) [SP_VERB_##name] = #name,
	                                    SP_VERBS(SP_X)
#undef SP_X
	};

	return texts[verb];
}

struct sp_command_answer sp_command_answer(enum sp_command_problem p)
{
	static const struct sp_command_answer answers[] = {
#define SP_X(name, code, enhanced, text)                                       \
	[SP_COMMAND_##name] = {(code), (enhanced), (text)},
		SP_COMMAND_PROBLEMS(SP_X)
#undef SP_X
	};

	return answers[p];
}

static struct sp_str skip(struct sp_str s, size_t len)
{
	return sp_str_sub(s, len, s.len);
}

/* The next word of text, which is advanced to the word behind it. */
static struct sp_str next_word(struct sp_str *text)
{
	struct sp_str word = sp_str_sub(*text, 0, sp_str_find(*text, ' '));

	*text = skip(*text, word.len);
	while (text->len > 0 && text->ptr[0] == ' ') {
		*text = skip(*text, 1);
	}
	return word;
}

/* Parameters of MAIL and RCPT. Each reader gets the value behind the equals
 * sign, which is not empty, or nothing where there is none to have. */

/* Up to 20 digits; what 64 bits don't hold counts as the largest number. */
static enum sp_command_problem read_digits(struct sp_str digits,
                                           uint64_t *number_out)
{
	int err;

	if (digits.len > SIZE_DIGITS_MAX) {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	err = sp_str_u64(digits, UINT64_MAX, number_out);
	if (err == SP_ELIMIT) {
		*number_out = UINT64_MAX;
	} else if (err) {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	return SP_COMMAND_NONE;
}

static enum sp_command_problem
read_size(struct sp_str value, struct sp_arena *arena, struct sp_command *c)
{
	(void)arena;
	c->has_size = true;
	return read_digits(value, &c->size_bytes);
}

static enum sp_command_problem
read_body(struct sp_str value, struct sp_arena *arena, struct sp_command *c)
{
	(void)arena;
	if (sp_str_eq_nocase(value, SP_STR("7BIT"))) {
		c->body = SP_BODY_7BIT;
	} else if (sp_str_eq_nocase(value, SP_STR("8BITMIME"))) {
		c->body = SP_BODY_8BITMIME;
	} else {
		return SP_COMMAND_PARAM_VALUE;
	}
	return SP_COMMAND_NONE;
}

static enum sp_command_problem
read_smtputf8(struct sp_str value, struct sp_arena *arena, struct sp_command *c)
{
	(void)arena;
	(void)value;
	c->smtputf8 = true;
	return SP_COMMAND_NONE;
}

static enum sp_command_problem read_requiretls(struct sp_str value,
                                               struct sp_arena *arena,
                                               struct sp_command *c)
{
	(void)arena;
	(void)value;
	c->requiretls = true;
	return SP_COMMAND_NONE;
}

static enum sp_command_problem
read_ret(struct sp_str value, struct sp_arena *arena, struct sp_command *c)
{
	(void)arena;
	if (sp_str_eq_nocase(value, SP_STR("FULL"))) {
		c->ret = SP_RET_FULL;
	} else if (sp_str_eq_nocase(value, SP_STR("HDRS"))) {
		c->ret = SP_RET_HDRS;
	} else {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	return SP_COMMAND_NONE;
}

/* xtext whose content is printable ASCII (RFC 3461 4.2, 4.4), as it goes
 * into the header of a report. */
static enum sp_command_problem read_xtext(struct sp_str value,
                                          struct sp_arena *arena, size_t max,
                                          struct sp_str *text_out)
{
	if (sp_xtext_decode(value, arena, max, text_out) != 0) {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	return sp_str_all(*text_out, sp_ascii_is_print)
	               ? SP_COMMAND_NONE
	               : SP_COMMAND_PARAM_SYNTAX;
}

static enum sp_command_problem
read_envid(struct sp_str value, struct sp_arena *arena, struct sp_command *c)
{
	if (value.len > SP_ENVELOPE_ENVID_MAX) {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	return read_xtext(value, arena, SP_ENVELOPE_ENVID_MAX, &c->envid);
}

static uint8_t notify_bit(struct sp_str word)
{
	static const struct {
		struct sp_str word;
		uint8_t bit;
	} words[] = {
		{{"NEVER", 5}, SP_NOTIFY_NEVER},
		{{"SUCCESS", 7}, SP_NOTIFY_SUCCESS},
		{{"FAILURE", 7}, SP_NOTIFY_FAILURE},
		{{"DELAY", 5}, SP_NOTIFY_DELAY},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (sp_str_eq_nocase(word, words[i].word)) {
			return words[i].bit;
		}
	}
	return 0;
}

/* NEVER alone, or a list of the others (RFC 3461 4.1). */
static enum sp_command_problem
read_notify(struct sp_str value, struct sp_arena *arena, struct sp_command *c)
{
	struct sp_str word;

	(void)arena;
	if (value.ptr[value.len - 1] == ',') {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	while (sp_str_cut(&value, ',', &word)) {
		uint8_t bit = notify_bit(word);

		if (bit == 0 || (c->notify & bit)) {
			return SP_COMMAND_PARAM_SYNTAX;
		}
		c->notify |= bit;
	}
	if ((c->notify & SP_NOTIFY_NEVER) && c->notify != SP_NOTIFY_NEVER) {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	return SP_COMMAND_NONE;
}

/* An address with UTF-8 as the type utf-8 has it: characters that mean
 * something in it or in the command are escaped (RFC 6533 3). */
static struct sp_str as_unitext(struct sp_str text, struct sp_arena *arena)
{
	struct sp_buf out;
	struct sp_str copy;

	sp_buf_init(&out, text.len * sizeof("\\x{XX}"));
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == ' ' || c == '+' || c == '=' || c == '\\') {
			(void)sp_buf_printf(&out, "\\x{%X}", (unsigned)c);
		} else {
			(void)sp_buf_append_char(&out, c);
		}
	}
	copy = sp_arena_str(arena, sp_buf_str(&out));
	sp_buf_fini(&out);
	return copy;
}

/* UTF-8 in the xtext of the type rfc822 is against RFC 6533 3, but Postfix 3
 * sends so, and mail is not to fail for it: it becomes the type utf-8. */
static enum sp_command_problem read_utf8_xtext(struct sp_str xtext,
                                               struct sp_arena *arena,
                                               struct sp_str *orcpt_out)
{
	struct sp_str text;
	struct sp_str orcpt;

	if (sp_xtext_decode(xtext, arena, SP_ENVELOPE_ORCPT_MAX, &text) != 0 ||
	    sp_str_any(text, sp_ascii_is_control) || !sp_utf8_valid(text)) {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	text = as_unitext(text, arena);
	orcpt = sp_str_from(
		sp_arena_printf(arena, "utf-8;" SP_STR_FMT, SP_STR_ARG(text)));
	if (orcpt.len > SP_ENVELOPE_ORCPT_MAX) {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	*orcpt_out = orcpt;
	return SP_COMMAND_NONE;
}

/* "rfc822;xtext" (RFC 3461 4.2). The type utf-8 has an encoding of its own,
 * without plus and equals sign, and may hold UTF-8 itself (RFC 6533 3). */
static enum sp_command_problem
read_orcpt(struct sp_str value, struct sp_arena *arena, struct sp_command *c)
{
	struct sp_str address = value;
	struct sp_str type;
	struct sp_str text;
	enum sp_command_problem p;

	if (value.len > SP_ENVELOPE_ORCPT_MAX) {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	(void)sp_str_cut(&address, ';', &type);
	if (type.len == 0 || address.len == 0) {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	for (size_t i = 0; i < type.len; i++) {
		if (!sp_ascii_is_alnum(type.ptr[i]) && type.ptr[i] != '-') {
			return SP_COMMAND_PARAM_SYNTAX;
		}
	}
	if (sp_str_eq_nocase(type, SP_STR("utf-8"))) {
		if (sp_str_find(address, '+') < address.len) {
			return SP_COMMAND_PARAM_SYNTAX;
		}
		c->orcpt = sp_arena_str(arena, value);
		return SP_COMMAND_NONE;
	}
	p = read_xtext(address, arena, SP_ENVELOPE_ORCPT_MAX, &text);
	if (p != SP_COMMAND_NONE && sp_str_eq_nocase(type, SP_STR("rfc822"))) {
		return read_utf8_xtext(address, arena, &c->orcpt);
	}
	if (p == SP_COMMAND_NONE) {
		c->orcpt = sp_str_from(
			sp_arena_printf(arena, SP_STR_FMT ";" SP_STR_FMT,
		                        SP_STR_ARG(type), SP_STR_ARG(text)));
	}
	return p;
}

static const struct param {
	struct sp_str name;
	enum sp_verb verb;
	bool valued;
	enum sp_command_problem (*read)(struct sp_str value,
	                                struct sp_arena *arena,
	                                struct sp_command *c);
} params[] = {
	{{"SIZE", 4}, SP_VERB_MAIL, true, read_size},
	{{"BODY", 4}, SP_VERB_MAIL, true, read_body},
	{{"SMTPUTF8", 8}, SP_VERB_MAIL, false, read_smtputf8},
	{{"REQUIRETLS", 10}, SP_VERB_MAIL, false, read_requiretls},
	{{"RET", 3}, SP_VERB_MAIL, true, read_ret},
	{{"ENVID", 5}, SP_VERB_MAIL, true, read_envid},
	{{"NOTIFY", 6}, SP_VERB_RCPT, true, read_notify},
	{{"ORCPT", 5}, SP_VERB_RCPT, true, read_orcpt},
};

#define PARAM_COUNT (sizeof(params) / sizeof(*params))

static size_t param_find(enum sp_verb verb, struct sp_str name)
{
	size_t i = 0;

	while (i < PARAM_COUNT && !(params[i].verb == verb &&
	                            sp_str_eq_nocase(name, params[i].name))) {
		i++;
	}
	return i;
}

/* esmtp-keyword of RFC 5321 4.1.2. */
static bool is_keyword(struct sp_str s)
{
	if (s.len == 0 || s.ptr[0] == '-') {
		return false;
	}
	for (size_t i = 0; i < s.len; i++) {
		if (!sp_ascii_is_alnum(s.ptr[i]) && s.ptr[i] != '-') {
			return false;
		}
	}
	return true;
}

static enum sp_command_problem read_param(struct sp_str word,
                                          struct sp_arena *arena,
                                          unsigned *seen, struct sp_command *c)
{
	size_t equals = sp_str_find(word, '=');
	struct sp_str name = sp_str_sub(word, 0, equals);
	struct sp_str value = skip(word, equals + 1);
	size_t i = param_find(c->verb, name);

	if (!is_keyword(name)) {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	if (i == PARAM_COUNT) {
		return SP_COMMAND_PARAM_UNKNOWN;
	}
	if (*seen & 1U << i) {
		return SP_COMMAND_PARAM_TWICE;
	}
	*seen |= 1U << i;
	if (params[i].valued ? value.len == 0 : equals < word.len) {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	if (sp_str_find(value, '=') < value.len) {
		return SP_COMMAND_PARAM_SYNTAX;
	}
	return params[i].read(value, arena, c);
}

static enum sp_command_problem
read_params(struct sp_str text, struct sp_arena *arena, struct sp_command *c)
{
	unsigned seen = 0;

	while (text.len > 0) {
		enum sp_command_problem p =
			read_param(next_word(&text), arena, &seen, c);

		if (p != SP_COMMAND_NONE) {
			return p;
		}
	}
	return SP_COMMAND_NONE;
}

/* Arguments: one reader for each kind of command. */

static enum sp_command_problem
read_nothing(struct sp_str text, struct sp_arena *arena, struct sp_command *c)
{
	(void)arena;
	(void)c;
	return text.len > 0 ? SP_COMMAND_ARGUMENT_EXTRA : SP_COMMAND_NONE;
}

static enum sp_command_problem
read_anything(struct sp_str text, struct sp_arena *arena, struct sp_command *c)
{
	(void)arena;
	c->argument = text;
	return SP_COMMAND_NONE;
}

static enum sp_command_problem
read_something(struct sp_str text, struct sp_arena *arena, struct sp_command *c)
{
	return text.len > 0 ? read_anything(text, arena, c)
	                    : SP_COMMAND_ARGUMENT_NONE;
}

/* A host name or an address literal, not more exact than what hosts really
 * send: RFC 5321 4.1.4 forbids to refuse a name for what it says. */
static enum sp_command_problem
read_name(struct sp_str text, struct sp_arena *arena, struct sp_command *c)
{
	(void)arena;
	if (text.len == 0) {
		return SP_COMMAND_ARGUMENT_NONE;
	}
	if (text.len > SP_COMMAND_NAME_MAX) {
		return SP_COMMAND_ARGUMENT;
	}
	for (size_t i = 0; i < text.len; i++) {
		char one = text.ptr[i];

		if (!sp_ascii_is_alnum(one) && one != '.' && one != '-' &&
		    one != '_' && one != ':' && one != '[' && one != ']') {
			return SP_COMMAND_ARGUMENT;
		}
	}
	c->argument = text;
	return SP_COMMAND_NONE;
}

/* "FROM:<a@b> PARAMS": the word, a path, and parameters behind a blank. */
static enum sp_command_problem read_path(struct sp_str text, struct sp_str word,
                                         bool bare_local,
                                         struct sp_arena *arena,
                                         struct sp_command *c)
{
	enum sp_command_problem bad = c->verb == SP_VERB_MAIL
	                                      ? SP_COMMAND_SENDER
	                                      : SP_COMMAND_RECIPIENT;
	struct sp_str rest;
	int err;

	if (!sp_str_starts_nocase(text, word)) {
		return SP_COMMAND_ARGUMENT;
	}
	err = sp_address_path(skip(text, word.len), bare_local, &c->address,
	                      &rest);
	if (err == SP_ELIMIT) {
		return SP_COMMAND_ADDRESS_LONG;
	}
	if (err) {
		return bad;
	}
	if (rest.len > 0 && rest.ptr[0] != ' ') {
		return bad;
	}
	if (c->address.local.len > 0) {
		const char *end = rest.ptr - 1;

		c->mailbox = sp_str_slice(c->address.local.ptr,
		                          (size_t)(end - c->address.local.ptr));
	}
	(void)next_word(&rest); /* the empty word in front of the blank */
	return read_params(rest, arena, c);
}

static enum sp_command_problem
read_mail(struct sp_str text, struct sp_arena *arena, struct sp_command *c)
{
	enum sp_command_problem p =
		read_path(text, SP_STR("FROM:"), false, arena, c);

	if (p == SP_COMMAND_NONE && c->address.utf8 && !c->smtputf8) {
		return SP_COMMAND_NEEDS_SMTPUTF8;
	}
	return p;
}

static enum sp_command_problem
read_rcpt(struct sp_str text, struct sp_arena *arena, struct sp_command *c)
{
	enum sp_command_problem p =
		read_path(text, SP_STR("TO:"), true, arena, c);

	if (p == SP_COMMAND_NONE && c->address.local.len == 0) {
		return SP_COMMAND_RECIPIENT;
	}
	return p;
}

static enum sp_command_problem
read_bdat(struct sp_str text, struct sp_arena *arena, struct sp_command *c)
{
	struct sp_str digits = next_word(&text);

	(void)arena;
	if (digits.len == 0) {
		return SP_COMMAND_ARGUMENT_NONE;
	}
	if (read_digits(digits, &c->chunk_bytes) != SP_COMMAND_NONE) {
		return SP_COMMAND_ARGUMENT;
	}
	c->last = sp_str_eq_nocase(text, SP_STR("LAST"));
	return text.len > 0 && !c->last ? SP_COMMAND_ARGUMENT : SP_COMMAND_NONE;
}

static const struct verb {
	struct sp_str word;
	enum sp_verb verb;
	enum sp_command_problem (*read)(struct sp_str text,
	                                struct sp_arena *arena,
	                                struct sp_command *c);
} verbs[] = {
	{{"HELO", 4}, SP_VERB_HELO, read_name},
	{{"EHLO", 4}, SP_VERB_EHLO, read_name},
	{{"MAIL", 4}, SP_VERB_MAIL, read_mail},
	{{"RCPT", 4}, SP_VERB_RCPT, read_rcpt},
	{{"DATA", 4}, SP_VERB_DATA, read_nothing},
	{{"BDAT", 4}, SP_VERB_BDAT, read_bdat},
	{{"RSET", 4}, SP_VERB_RSET, read_nothing},
	{{"NOOP", 4}, SP_VERB_NOOP, read_anything},
	{{"QUIT", 4}, SP_VERB_QUIT, read_nothing},
	{{"VRFY", 4}, SP_VERB_VRFY, read_something},
	{{"EXPN", 4}, SP_VERB_EXPN, read_something},
	{{"HELP", 4}, SP_VERB_HELP, read_anything},
	{{"STARTTLS", 8}, SP_VERB_STARTTLS, read_nothing},
	{{"AUTH", 4}, SP_VERB_AUTH, read_something},
	{{"GET", 3}, SP_VERB_FOREIGN, read_anything},
	{{"HEAD", 4}, SP_VERB_FOREIGN, read_anything},
	{{"POST", 4}, SP_VERB_FOREIGN, read_anything},
	{{"PUT", 3}, SP_VERB_FOREIGN, read_anything},
	{{"OPTIONS", 7}, SP_VERB_FOREIGN, read_anything},
	{{"CONNECT", 7}, SP_VERB_FOREIGN, read_anything},
};

static const struct verb *verb_find(struct sp_str word)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (sp_str_eq_nocase(word, verbs[i].word)) {
			return &verbs[i];
		}
	}
	return NULL;
}

static enum sp_command_problem check_line(struct sp_str line)
{
	if (line.len > SP_COMMAND_LINE_MAX) {
		return SP_COMMAND_LINE_LONG;
	}
	if (sp_str_any(line, sp_ascii_is_control)) {
		return SP_COMMAND_CONTROL;
	}
	return sp_utf8_valid(line) ? SP_COMMAND_NONE : SP_COMMAND_NOT_UTF8;
}

static enum sp_command_problem
read_line(struct sp_str line, struct sp_arena *arena, struct sp_command *c)
{
	enum sp_command_problem p = check_line(line);
	const struct verb *verb;

	if (p != SP_COMMAND_NONE) {
		return p;
	}
	while (line.len > 0 && line.ptr[line.len - 1] == ' ') {
		line.len--;
	}
	verb = verb_find(next_word(&line));
	if (!verb) {
		return SP_COMMAND_UNKNOWN;
	}
	c->verb = verb->verb;
	return verb->read(line, arena, c);
}

static int error_of(enum sp_command_problem p)
{
	static const int errors[] = {
		[SP_COMMAND_LINE_LONG] = SP_ELIMIT,
		[SP_COMMAND_ADDRESS_LONG] = SP_ELIMIT,
		[SP_COMMAND_UNKNOWN] = SP_EUNSUPPORTED,
		[SP_COMMAND_PARAM_VALUE] = SP_EUNSUPPORTED,
		[SP_COMMAND_PARAM_UNKNOWN] = SP_EUNSUPPORTED,
		[SP_COMMAND_NEEDS_SMTPUTF8] = 0,
	};

	if (p == SP_COMMAND_NONE) {
		return 0;
	}
	return errors[p] ? errors[p] : SP_ESYNTAX;
}

int sp_command_parse(struct sp_str line, struct sp_arena *arena,
                     struct sp_command *command_out)
{
	struct sp_command c = {0};

	c.problem = read_line(line, arena, &c);
	*command_out = c;
	return error_of(c.problem);
}
