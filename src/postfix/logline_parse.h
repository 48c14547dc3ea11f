/* logline_parse.h - what the parts of the log line parser share: readers for the few shapes Postfix's words have.
 *
 * Addresses, HELO names, header contents and remote replies are a stranger's; everything else in a line is Postfix's.
 * So a reader either finds the whole fixed structure around a stranger's text or finds nothing. Since Postfix 3.5
 * addresses are logged quoted as in RFC 5321 ("a> b"@example.com), which makes their end certain; with the older form
 * (3.4, or info_log_address_format = internal) a stranger's '>' is told apart only where more structure follows.
 *
 * Threads: pure. */
#ifndef MG_POSTFIX_LOGLINE_PARSE_H
#define MG_POSTFIX_LOGLINE_PARSE_H

#include "postfix/logline.h"

/* MG_STR() for static tables, whose initialisers must be constant. */
#define MG_LINE_LIT(literal)                                                                                           \
	{                                                                                                              \
		"" literal, sizeof(literal) - 1                                                                        \
	}

/* One daemon's lines; `text` is what stands behind "tag[pid]: ". Fills `line` beyond the frame. */
enum mg_line_kind mg_line_smtpd(struct mg_str text, struct mg_log_line *line);
enum mg_line_kind mg_line_postscreen(struct mg_str text, struct mg_log_line *line);
enum mg_line_kind mg_line_cleanup(struct mg_str text, struct mg_log_line *line);
enum mg_line_kind mg_line_qmgr(struct mg_str text, struct mg_log_line *line);
enum mg_line_kind mg_line_pickup(struct mg_str text, struct mg_log_line *line);
enum mg_line_kind mg_line_agent(struct mg_str text, struct mg_log_line *line);
enum mg_line_kind mg_line_bounce(struct mg_str text, struct mg_log_line *line);
enum mg_line_kind mg_line_postsuper(struct mg_str text, struct mg_log_line *line);
enum mg_line_kind mg_line_dovecot(struct mg_str text, struct mg_log_line *line);

/* "to=<...>, relay=..., dsn=..., status=... (...)", the whole of `text`. */
bool mg_line_delivery(struct mg_str text, struct mg_log_line *line);

/* The stamp at the start of *rest with the space behind it, either form. */
bool mg_line_stamp(struct mg_str *rest, int64_t now_wall_us, int64_t *time_us_out);

/* `text` begins with one of the `count` prefixes. */
bool mg_line_starts_any(struct mg_str text, const struct mg_str *prefixes, size_t count);

/* The offset of the last `needle`, SIZE_MAX without one. */
size_t mg_line_find_last(struct mg_str text, struct mg_str needle);

/* What any Postfix daemon may say that tells nothing about a message: warnings, statistics, start and stop. */
bool mg_line_is_general(struct mg_str text);

bool mg_queue_id_is(struct mg_str word);

/* "QID: " or, where `is_noqueue_ok`, "NOQUEUE: " (an empty id). */
bool mg_line_read_queue_id(struct mg_str *rest, bool is_noqueue_ok, struct mg_str *queue_id_out);

/* An address behind '<' with its '>': as RFC 5321 quotes it, else without any of <>". */
bool mg_line_read_address(struct mg_str *rest, struct mg_str *address_out);

/* NAME[IP] or NAME[IP]:PORT, the whole of `word`. "unknown" and "local" for the IP leave no address. */
bool mg_line_client_is(struct mg_str word, struct mg_log_line *line);

/* The next word of *rest, which ends with `end`, as a client; *rest is what follows the space. */
bool mg_line_read_client(struct mg_str *rest, char end, struct mg_log_line *line);

/* The SMTP code and the enhanced code at the start of `text` go to the line, which may have neither; the rest is
 * returned. */
struct mg_str mg_line_take_codes(struct mg_str text, struct mg_log_line *line);

/* "from=<...> to=<...> proto=... helo=<...>", each of them optional, but one there. */
struct mg_line_context {
	struct mg_str sender, recipient, proto, helo, user;
	bool has_sender;
};
bool mg_line_read_context(struct mg_str *rest, struct mg_line_context *context_out);
void mg_line_put_context(const struct mg_line_context *context, struct mg_log_line *line);

#endif
