/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The analysis as a page: the same first screen as the text, then the tree as
 * nested <details>, open where something is wrong. Nothing is fetched and
 * nothing runs: a policy in the page's head forbids both, should an escape
 * ever be forgotten. Every text goes through put(), the only way in.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cmd/check_text.h"
#include "cmd/plan_text.h"
#include "cmd/text.h"

#define TEXT_BYTES 65536

static const char HEAD[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	"<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, "
	"initial-scale=1\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
	"'none'; style-src 'unsafe-inline'\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n";

static const char STYLE[] =
	"<style>\n"
	":root{--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;--dim:#5b6570;"
	"--line:#dce0e5;--fail:#b3261e;--warn:#8a5a00;--pass:#1a7f37;"
	"--skip:#5b6570;--failbg:#fdecea;--warnbg:#fff4dc;--passbg:#e6f5ea;"
	"--skipbg:#eceff2}\n"
	"@media(prefers-color-scheme:dark){:root{--bg:#14171b;--card:#1d2126;"
	"--ink:#e6e9ed;--dim:#9aa4af;--line:#343a42;--fail:#ff8a80;"
	"--warn:#f2c14e;--pass:#6fd38a;--skip:#9aa4af;--failbg:#3a1d1c;"
	"--warnbg:#352a12;--passbg:#163021;--skipbg:#262b31}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 "
	"system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif;"
	"overflow-wrap:anywhere}\n"
	"main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 3rem}\n"
	"h1{font-size:1.7rem;line-height:1.2;margin:.1rem 0 .6rem}\n"
	"h2{font-size:1.05rem;margin:1.6rem 0 .5rem}\n"
	".card h2{margin:1rem 0 .3rem}.card h2:first-child{margin-top:0}\n"
	"p{margin:.3rem 0}.dim{color:var(--dim);font-size:.9rem}\n"
	".tag{display:inline-block;font-weight:600;font-size:.78rem;"
	"letter-spacing:.03em;padding:.08rem .5rem;border-radius:1rem;"
	"text-transform:uppercase;white-space:nowrap}\n"
	".tag.big{font-size:1rem;padding:.15rem .8rem;margin-right:.5rem}\n"
	".fail>.tag,.tag.fail{color:var(--fail);background:var(--failbg)}\n"
	".tag.warn{color:var(--warn);background:var(--warnbg)}\n"
	".tag.pass{color:var(--pass);background:var(--passbg)}\n"
	".tag.skip{color:var(--skip);background:var(--skipbg)}\n"
	".card{background:var(--card);border:1px solid var(--line);"
	"border-left:5px solid var(--skip);border-radius:.5rem;"
	"padding:1rem 1.2rem;margin:1rem 0}\n"
	".card.fail{border-left-color:var(--fail)}"
	".card.warn{border-left-color:var(--warn)}"
	".card.pass{border-left-color:var(--pass)}\n"
	"code,pre,dd.mono{font-family:ui-monospace,SFMono-Regular,Menlo,"
	"Consolas,monospace;font-size:.88em}\n"
	"ol{margin:.2rem 0;padding-left:1.4rem}ul.also{list-style:none;"
	"padding:0;margin:0}ul.also li{padding:.25rem 0}\n"
	"dl{display:grid;grid-template-columns:max-content 1fr;"
	"gap:.15rem .9rem;margin:.3rem 0}\n"
	"dt{color:var(--dim);font:.9rem/1.6 system-ui,-apple-system,"
	"\"Segoe UI\",Roboto,sans-serif}dd{margin:0}\n"
	"dd.mono dd.mono,dd.mono pre{font-size:1em}"
	"dt.wide,dd.wide{grid-column:1/-1}"
	"dd.wide>dl{border-left:2px solid var(--line);padding-left:.7rem;"
	"margin:.1rem 0 .4rem}\n"
	"details,.leaf{background:var(--card);border:1px solid var(--line);"
	"border-radius:.4rem;margin:.35rem 0;padding:.35rem .7rem}\n"
	"details details,details .leaf{border-width:0 0 0 2px;"
	"border-radius:0;margin:.2rem 0 .2rem .2rem}\n"
	"summary{cursor:pointer;display:flex;gap:.55rem;"
	"align-items:baseline}\n"
	"dd details{border-width:0!important;padding:0;margin:0}"
	"summary .ms{margin-left:auto;color:var(--dim);font-size:.8rem;"
	"white-space:nowrap}\n"
	"summary::before{content:\"\\25B8\";color:var(--dim);width:.8em}"
	"details[open]>summary::before{content:\"\\25BE\"}"
	"summary::-webkit-details-marker{display:none}\n"
	".body{padding:.1rem 0 .3rem 1.35em}\n"
	"pre{white-space:pre-wrap;background:var(--bg);"
	"border:1px solid var(--line);border-radius:.3rem;padding:.6rem;"
	"margin:.2rem 0;overflow-x:auto}\n"
	"footer{margin-top:2rem;color:var(--dim);font-size:.85rem}\n"
	"@media(max-width:34rem){dl{grid-template-columns:1fr}"
	"dl dd{margin-bottom:.3rem}.body{padding-left:.3rem}"
	"main{padding:1rem .7rem 2rem}.card{padding:.8rem .9rem}"
	"details,.leaf{padding:.3rem .45rem}}\n"
	"@media print{:root{--bg:#fff;--card:#fff;--ink:#000;--dim:#444;"
	"--line:#bbb;color-scheme:light}body{font-size:10.5pt}"
	"main{max-width:none;padding:0}.card,summary{break-inside:avoid}"
	".fold{display:none}"
	"summary::before,details[open]>summary::before{content:\"\"}"
	"details::details-content{content-visibility:visible;"
	"display:block}}\n"
	"</style>\n";

struct page {
	FILE *f;
	struct sp_str target;
	struct sp_findings found;
};

/* ---- text ---- */

static void put_escaped(FILE *f, char c)
{
	switch (c) {
	case '&':
		fputs("&amp;", f);
		break;
	case '<':
		fputs("&lt;", f);
		break;
	case '>':
		fputs("&gt;", f);
		break;
	case '"':
		fputs("&quot;", f);
		break;
	case '\'':
		fputs("&#39;", f);
		break;
	default:
		fputc(c, f);
	}
}

/* Text from anywhere: controls and direction marks as \xHH, then escaped. */
static void put(const struct page *p, struct sp_str text)
{
	struct sp_buf safe;
	struct sp_str s;

	sp_buf_init(&safe, SP_TEXT_MAX);
	sp_text_append(&safe, text);
	s = sp_buf_str(&safe);
	for (size_t i = 0; i < s.len; i++) {
		put_escaped(p->f, s.ptr[i]);
	}
	sp_buf_fini(&safe);
}

/* <element>text</element>, or nothing where there is no text. */
static void put_in(const struct page *p, const char *open, struct sp_str text,
                   const char *close)
{
	if (text.len) {
		fputs(open, p->f);
		put(p, text);
		fputs(close, p->f);
	}
}

/* The word of a verdict: one of four literals, whatever came. */
static const char *word_of(struct sp_str verdict)
{
	static const char *const words[] = {"fail", "warn", "pass"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (sp_str_eq(verdict, sp_str_from(words[i]))) {
			return words[i];
		}
	}
	return "skip";
}

static void put_tag(const struct page *p, struct sp_str verdict,
                    const char *more)
{
	const char *word = word_of(verdict);

	fprintf(p->f, "<span class=\"tag %s%s\">%s</span> ", word, more, word);
}

static void put_steps(const struct page *p, struct sp_str action)
{
	struct sp_str line;

	if (!action.len) {
		return;
	}
	fputs("<ol>\n", p->f);
	while (sp_str_cut(&action, '\n', &line)) {
		put_in(p, "<li>", line, "</li>\n");
	}
	fputs("</ol>\n", p->f);
}

/* "4.7.323 tlsa-mismatch". */
static void put_name(const struct page *p, const struct sp_json *step)
{
	struct sp_str code = sp_json_get_str(step, "code");
	struct sp_str scenario = sp_json_get_str(step, "scenario");

	if (scenario.len) {
		fputs("<code>", p->f);
		put_in(p, "", code, " ");
		put(p, scenario);
		fputs("</code>", p->f);
	}
}

/* ---- the first screen ---- */

static void put_title(const struct page *p, const struct sp_json *check)
{
	fputs(HEAD, p->f);
	fputs("<title>", p->f);
	put(p, p->target);
	fprintf(p->f, ": %s</title>\n",
	        word_of(sp_json_get_str(check, "verdict")));
	fputs(STYLE, p->f);
	fputs("</head>\n<body>\n<main>\n", p->f);
}

static void put_header(const struct page *p, const struct sp_json *check)
{
	char when[24], took[32];

	sp_check_duration(sp_json_get_int(check, "elapsed_ms", 0), took);
	fputs("<header>\n", p->f);
	put_in(p, "<p class=\"dim\">",
	       sp_check_test_title(sp_json_get_str(check, "test")), "</p>\n");
	put_in(p, "<h1>", p->target, "</h1>\n");
	fputs("<p>", p->f);
	put_tag(p, sp_json_get_str(check, "verdict"), " big");
	put_name(p, sp_json_get(check, "tree"));
	fputs("</p>\n<p class=\"dim\">", p->f);
	put(p, sp_text_time(sp_json_get_str(check, "started"), when));
	fprintf(p->f, ", took %s</p>\n", took);
	put_in(p, "<p>",
	       sp_json_get_str(
		       sp_json_get(sp_json_get(check, "tree"), "evidence"),
		       "note"),
	       "</p>\n");
	fputs("</header>\n", p->f);
}

static void put_where(const struct page *p, const struct sp_finding *f)
{
	const struct sp_json *evidence = sp_json_get(f->step, "evidence");

	put_in(p, "<dt>Where</dt><dd>", sp_json_get_str(f->step, "title"), "");
	if (f->places > 1) {
		fprintf(p->f, ", and %zu more %s", f->places - 1,
		        f->places == 2 ? "place" : "places");
	}
	fputs("</dd>\n", p->f);
	put_in(p, "<dt>Mail server</dt><dd>", sp_json_get_str(evidence, "host"),
	       "</dd>\n");
	put_in(p, "<dt>Address</dt><dd>", sp_json_get_str(evidence, "address"),
	       "</dd>\n");
	put_in(p, "<dt>Seen</dt><dd>", sp_json_get_str(evidence, "why"),
	       "</dd>\n");
	put_in(p, "<dt>Would match</dt><dd class=\"mono\">",
	       sp_json_get_str(evidence, "would_match"), "</dd>\n");
	put_in(p, "<dt>Reply</dt><dd class=\"mono\">",
	       sp_json_get_str(evidence, "reply"), "</dd>\n");
}

static void put_finding(const struct page *p, const struct sp_finding *f)
{
	char who[512];

	fprintf(p->f, "<section class=\"card %s\">\n<h2>What is wrong</h2>\n",
	        word_of(f->verdict));
	put_in(p, "<p>", sp_json_get_str(f->step, "meaning"), "</p>\n");
	fputs("<dl>\n", p->f);
	put_where(p, f);
	put_in(p, "<dt>Who must act</dt><dd>",
	       sp_str_from(
		       sp_finding_who(f->step, p->target, who, sizeof(who))),
	       "</dd>\n");
	fputs("</dl>\n<h2>What to do</h2>\n", p->f);
	put_steps(p, sp_json_get_str(f->step, "action"));
	fputs("</section>\n", p->f);
}

static void put_also(const struct page *p)
{
	if (p->found.count < 2) {
		return;
	}
	fputs("<h2>Also found</h2>\n<ul class=\"also card\">\n", p->f);
	for (size_t i = 1; i < p->found.count; i++) {
		const struct sp_finding *f = &p->found.list[i];

		fputs("<li>", p->f);
		put_tag(p, f->verdict, "");
		put_name(p, f->step);
		put_in(p, "<br>", sp_json_get_str(f->step, "meaning"), "");
		fputs("</li>\n", p->f);
	}
	fputs("</ul>\n", p->f);
}

/* The rule at each mail server, where mail goes at all. */
static void put_rules(const struct page *p, const struct sp_json *tree)
{
	const char *word = word_of(sp_json_get_str(tree, "verdict"));
	const struct sp_json *host;
	size_t at = 0;

	fprintf(p->f, "<section class=\"card %s\">\n",
	        strcmp(word, "skip") == 0 ? word : "pass");
	if (!p->found.count && strcmp(word, "skip") != 0) {
		fputs("<p>Nothing was found that would have to be "
		      "mended.</p>\n",
		      p->f);
	}
	fputs("<dl>\n", p->f);
	while ((host = sp_check_next_host(tree, &at))) {
		struct sp_str rule =
			sp_plan_rule_meaning(sp_json_get(host, "evidence"));

		put_in(p, "<dt>", sp_json_get_str(host, "title"), "</dt>");
		put_in(p, "<dd>", rule, "</dd>\n");
	}
	fputs("</dl>\n</section>\n", p->f);
}

static void put_summary(struct page *p, const struct sp_json *check)
{
	if (p->found.count) {
		put_finding(p, &p->found.list[0]);
		(void)sp_findings_tell(&p->found, p->found.list[0].step);
		put_also(p);
	}
	if (!sp_str_eq(sp_json_get_str(check, "verdict"), SP_STR("fail"))) {
		put_rules(p, sp_json_get(check, "tree"));
	}
}

/* ---- the tree ---- */

static void put_line(const struct page *p, const struct sp_json *value)
{
	struct sp_buf line;

	sp_buf_init(&line, TEXT_BYTES);
	sp_evidence_line(value, &line);
	put(p, sp_buf_str(&line));
	sp_buf_fini(&line);
}

static void put_block(const struct page *p, struct sp_str text)
{
	struct sp_str row;

	fputs("<pre>", p->f);
	while (sp_str_cut(&text, '\n', &row)) {
		put(p, row);
		fputc('\n', p->f);
	}
	fputs("</pre>", p->f);
}

static void put_members(const struct page *p, const struct sp_json *object,
                        bool below);

static void put_value(const struct page *p, const struct sp_json *value)
{
	if (sp_evidence_is_line(value)) {
		put_line(p, value);
	} else if (sp_json_is_array(value)) {
		for (size_t i = 0; i < sp_json_len(value); i++) {
			const struct sp_json *item = sp_json_at(value, i);

			put_value(p, item);
			fputs(sp_evidence_is_line(item) ? "<br>\n" : "", p->f);
		}
	} else if (sp_json_is_object(value)) {
		put_members(p, value, false);
	} else {
		put_block(p, sp_json_str(value));
	}
}

/* What is long and of little interest is folded away: the record that a
 * session leaves in a trace. */
static void put_member(const struct page *p, const char *key,
                       const struct sp_json *value)
{
	bool folded = strcmp(key, "session") == 0;
	bool wide = !sp_evidence_is_line(value);
	static const char *const classes[3][2] = {
		{"", " class=\"mono\""},
		{" class=\"wide\"", " class=\"mono wide\""},
		{" class=\"wide fold\"", " class=\"mono wide fold\""},
	};
	const char *const *class = classes[folded ? 2 : wide ? 1 : 0];
	char name[64];

	fprintf(p->f, "<dt%s>", class[0]);
	put(p, sp_str_from(sp_evidence_key(key, name)));
	fprintf(p->f, "</dt><dd%s>", class[1]);
	fputs(folded ? "<details><summary>as a trace has it</summary>\n" : "",
	      p->f);
	put_value(p, value);
	fputs(sp_evidence_unit(key), p->f);
	fputs(folded ? "</details>" : "", p->f);
	fputs("</dd>\n", p->f);
}

static void put_members(const struct page *p, const struct sp_json *object,
                        bool below)
{
	const struct sp_json *value;
	const char *key;
	void *at = NULL;
	bool any = false;

	while (sp_json_next(object, &at, &key, &value)) {
		if (sp_evidence_is_shown(key, value, below)) {
			fputs(any ? "" : "<dl>\n", p->f);
			any = true;
			put_member(p, key, value);
		}
	}
	fputs(any ? "</dl>\n" : "", p->f);
}

static void put_cause(struct page *p, const struct sp_json *step)
{
	if (!sp_json_get_str(step, "scenario").len) {
		return;
	}
	fputs("<p>", p->f);
	put_name(p, step);
	fputs("</p>\n", p->f);
	if (sp_findings_tell(&p->found, step)) {
		put_in(p, "<p>", sp_json_get_str(step, "meaning"), "</p>\n");
		put_steps(p, sp_json_get_str(step, "action"));
	}
}

static void put_step(struct page *p, const struct sp_json *step, bool top)
{
	struct sp_str verdict = sp_json_get_str(step, "verdict");
	const struct sp_json *children = sp_json_get(step, "children");
	const char *word = word_of(verdict);
	bool open =
		top || strcmp(word, "fail") == 0 || strcmp(word, "warn") == 0;
	char took[32];

	sp_check_duration(sp_json_get_int(step, "elapsed_ms", 0), took);
	fprintf(p->f, "<details%s>\n<summary>", open ? " open" : "");
	put_tag(p, verdict, "");
	put_in(p, "<span>", sp_json_get_str(step, "title"), "</span>");
	fprintf(p->f, "<span class=\"ms\">%s</span></summary>\n", took);
	fputs("<div class=\"body\">\n", p->f);
	put_cause(p, step);
	put_members(p, sp_json_get(step, "evidence"),
	            sp_finding_is_below(step));
	for (size_t i = 0; i < sp_json_len(children); i++) {
		put_step(p, sp_json_at(children, i), false);
	}
	fputs("</div>\n</details>\n", p->f);
}

void sp_check_put_html(FILE *f, const struct sp_json *check)
{
	const struct sp_json *tree = sp_json_get(check, "tree");
	const struct sp_json *children = sp_json_get(tree, "children");
	struct page *p = SP_NEW(struct page);

	p->f = f;
	p->target = sp_json_get_str(check, "target");
	sp_findings_find(tree, &p->found);
	put_title(p, check);
	put_header(p, check);
	put_summary(p, check);
	fputs("<h2>Every step</h2>\n", f);
	for (size_t i = 0; i < sp_json_len(children); i++) {
		put_step(p, sp_json_at(children, i), true);
	}
	fputs("<footer>sealpost check " SP_VERSION "</footer>\n"
	      "</main>\n</body>\n</html>\n",
	      f);
	sp_free(p);
}
