/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_BASE_ASCII_H
#define SP_BASE_ASCII_H

#include <stdbool.h>

/*
 * What a character is in ASCII. The locale is never consulted, and bytes
 * above 127 are nothing of all this.
 */

static inline bool sp_ascii_is_blank(char c) /* or a tab */
{
	return c == ' ' || c == '\t';
}

static inline bool sp_ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool sp_ascii_is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static inline char sp_ascii_lower(char c)
{
	return sp_ascii_is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

static inline bool sp_ascii_is_letter(char c)
{
	c = sp_ascii_lower(c);
	return c >= 'a' && c <= 'z';
}

static inline bool sp_ascii_is_alnum(char c)
{
	return sp_ascii_is_digit(c) || sp_ascii_is_letter(c);
}

static inline bool sp_ascii_is_graph(char c) /* shows ink */
{
	return c > ' ' && c <= '~';
}

static inline bool sp_ascii_is_print(char c)
{
	return c == ' ' || sp_ascii_is_graph(c);
}

static inline bool sp_ascii_is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

/* For text of strangers in a line of ours: no control gets in. */
static inline char sp_ascii_tame(char c)
{
	return sp_ascii_is_control(c) ? '?' : c;
}

/* The value of a hex digit; -1: it is none. */
static inline int sp_ascii_hex(char c)
{
	if (sp_ascii_is_digit(c)) {
		return c - '0';
	}
	c = sp_ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
