/* The files being read form a stack; the top one is copied token by token until it ends or includes another. */
#include "conf/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/fd.h"
#include "base/i18n.h"
#include "base/say.h"
#include "conf/lexer.h"

enum { TEXT_MAX = 4 * MG_SOURCE_FILE_MAX, SHOWN = 60, PATH_SHOWN = 200, LONG_DIGITS = 9 };

struct open_file {
	struct mg_buf content;
	struct mg_lexer lexer;
	size_t file;
	dev_t device;
	ino_t inode;
};

struct reader {
	struct mg_source *source;
	struct open_file stack[MG_SOURCE_DEPTH];
	size_t depth;
	unsigned out_line;
	bool is_text; /* not from a file: may not include any */
	struct mg_err *err;
};

enum mg_rc mg_source_fail(struct mg_err *err, enum mg_rc rc, const char *file, unsigned line, const char *fmt, ...)
{
	struct mg_str path = mg_str_z(file);
	char sentence[sizeof err->text];
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof sentence, fmt, args);
	va_end(args);
	if (line == 0)
		return mg_err_set(err, rc, "%.*s: %s", PATH_SHOWN, file, sentence);
	if (path.n > PATH_SHOWN)
		return mg_err_set(err, rc, "...%s:%u: %s", file + path.n - PATH_SHOWN, line, sentence);
	return mg_err_set(err, rc, "%s:%u: %s", file, line, sentence);
}

const char *mg_source_place(const struct mg_source *source, unsigned out_line, unsigned *line_out)
{
	size_t i = source->mark_count;

	while (i > 1 && source->marks[i - 1].out_line > out_line)
		i--;
	mg_assert(i > 0);
	*line_out = source->marks[i - 1].line;
	if (out_line > source->marks[i - 1].out_line)
		*line_out += out_line - source->marks[i - 1].out_line;
	return source->files[source->marks[i - 1].file];
}

static unsigned hex_value(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

void mg_source_name(const char *name, char *place, size_t size)
{
	size_t n = 0;

	if (*name == '*')
		name++;
	for (; *name != '\0' && n + 1 < size; name++) {
		if (*name == '*' && name[1] != '\0' && name[2] != '\0') {
			place[n++] = (char)(hex_value(name[1]) << 4 | hex_value(name[2]));
			name += 2;
		} else {
			place[n++] = *name;
		}
	}
	place[n] = '\0';
}

static void mark(struct reader *reader, size_t file, unsigned line)
{
	struct mg_source *source = reader->source;

	mg_assert(source->mark_count < sizeof source->marks / sizeof source->marks[0]);
	source->marks[source->mark_count++] = (struct mg_source_mark){ reader->out_line, line, file };
}

static struct open_file *top(struct reader *reader)
{
	return &reader->stack[reader->depth - 1];
}

/* Blames the line where the top file's lexer stands; `text` fills the template's %1, in quotes. */
static enum mg_rc blame(struct reader *reader, enum mg_rc rc, const char *template, struct mg_str text)
{
	struct open_file *file = top(reader);
	struct mg_buf quoted, sentence;
	const char *args[MG_SAY_ARGS] = { NULL };

	mg_buf_init(&quoted, 4 * SHOWN + 16);
	mg_buf_init(&sentence, sizeof reader->err->text);
	mg_buf_addc(&quoted, '"');
	mg_escape_quoted(&quoted, text, SHOWN);
	mg_buf_addc(&quoted, '"');
	args[0] = mg_buf_z(&quoted);
	mg_say_fill(&sentence, template, args);
	rc = mg_source_fail(
		reader->err, rc, reader->source->files[file->file], file->lexer.line, "%s", mg_buf_z(&sentence));
	mg_buf_fini(&quoted);
	mg_buf_fini(&sentence);
	return rc;
}

static enum mg_rc read_fd(int fd, const char *path, struct mg_buf *content, struct mg_err *err)
{
	char block[16384];
	size_t nul;

	for (;;) {
		ssize_t n = read(fd, block, sizeof block);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mg_err_sys(err, MG_EIO, errno, _("%s: can't be read"), path);
		if (n == 0)
			break;
		mg_buf_add(content, mg_str_of(block, (size_t)n));
		if (!mg_buf_ok(content))
			return mg_source_fail(err, MG_ERANGE, path, 1,
				_("the file is larger than 1 MiB; split it, or look whether it is the right file"));
	}
	nul = mg_str_find(mg_buf_str(content), '\0');
	if (nul != SIZE_MAX) {
		unsigned line = 1;

		for (size_t i = 0; i < nul; i++)
			line += content->p[i] == '\n';
		return mg_source_fail(
			err, MG_ESYNTAX, path, line, _("a NUL byte in the file; save it as plain UTF-8 text"));
	}
	return MG_OK;
}

static enum mg_rc open_checked(const char *path, int *fd_out, struct stat *st, struct mg_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return mg_err_set(
			err, MG_ENOENT, _("%s: there is no such file; create it or name another with -c"), path);
	if (fd < 0)
		return mg_err_sys(err, errno == EACCES ? MG_EPERM : MG_EIO, errno, _("%s: can't be opened"), path);
	if (fstat(fd, st) != 0 || S_ISDIR(st->st_mode) || S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode) ||
		S_ISBLK(st->st_mode)) {
		mg_fd_close(&fd);
		return mg_err_set(err, MG_EIO, _("%s: is no regular file; name a file"), path);
	}
	*fd_out = fd;
	return MG_OK;
}

/* Puts `path` (taken) on the stack and reads it whole. */
static enum mg_rc push(struct reader *reader, char *path_take)
{
	struct mg_source *source = reader->source;
	struct open_file *file = &reader->stack[reader->depth];
	struct stat st;
	enum mg_rc rc;
	int fd = -1;

	*file = (struct open_file){ .file = source->file_count };
	source->files[source->file_count++] = path_take;
	if ((rc = open_checked(path_take, &fd, &st, reader->err)) != MG_OK)
		return rc;
	for (size_t i = 0; rc == MG_OK && i < reader->depth; i++)
		if (reader->stack[i].device == st.st_dev && reader->stack[i].inode == st.st_ino && S_ISREG(st.st_mode))
			rc = blame(reader, MG_ESYNTAX, _("%1 includes itself; take this @include out"),
				mg_str_z(path_take));
	if (rc == MG_OK) {
		file->device = st.st_dev;
		file->inode = st.st_ino;
		mg_buf_init(&file->content, MG_SOURCE_FILE_MAX);
		reader->depth++;
		rc = read_fd(fd, path_take, &file->content, reader->err);
		mg_lexer_init(&file->lexer, mg_buf_str(&file->content));
		mark(reader, file->file, 1);
	}
	mg_fd_close(&fd);
	return rc;
}

/* A relative name is looked for beside the including file. */
static enum mg_rc include(struct reader *reader, struct mg_str name)
{
	struct mg_source *source = reader->source;
	const char *from = source->files[top(reader)->file];
	size_t slash = mg_str_rfind(mg_str_z(from), '/');
	struct mg_buf path;
	char *copy;
	enum mg_rc rc;

	if (reader->is_text)
		return blame(reader, MG_ESYNTAX, _("%1 can't be included here; write the value itself"), name);
	if (reader->depth == MG_SOURCE_DEPTH)
		return blame(
			reader, MG_ERANGE, _("%1 is included from too many files within each other; at most 8"), name);
	if (source->file_count == MG_SOURCE_FILES)
		return blame(reader, MG_ERANGE, _("%1 is one file too many; include at most 63"), name);
	mg_buf_init(&path, 4096);
	if (name.p[0] != '/' && slash != SIZE_MAX)
		mg_buf_add(&path, mg_str_first(mg_str_z(from), slash + 1));
	mg_buf_add(&path, name);
	copy = mg_buf_ok(&path) ? mg_str_dup(mg_buf_str(&path)) : NULL;
	mg_buf_fini(&path);
	if (copy == NULL)
		return blame(reader, MG_ERANGE, _("the file name %1 is too long"), name);
	if (access(copy, R_OK) != 0) {
		free(copy);
		return blame(reader, MG_ENOENT, _("the included file %1 can't be read; create it or take the line out"),
			name);
	}
	rc = push(reader, copy);
	return rc;
}

static enum mg_rc add_key(struct reader *reader, struct mg_str key)
{
	struct mg_buf *out = &reader->source->text;
	bool is_plain = key.n > 0;

	if (key.n > MG_SOURCE_KEY)
		return blame(reader, MG_ESYNTAX, _("the name %1 is too long; no setting has more than 64 bytes"), key);
	for (size_t i = 0; i < key.n; i++) {
		char c = (char)(key.p[i] | 0x20);
		bool is_letter = c >= 'a' && c <= 'z',
		     is_other = mg_str_find(MG_STR("0123456789_-"), key.p[i]) != SIZE_MAX;

		is_plain = is_plain && (is_letter || (is_other && i > 0));
	}
	if (!is_plain)
		mg_buf_addc(out, '*');
	for (size_t i = 0; i < key.n; i++) {
		unsigned char c = (unsigned char)key.p[i];

		if (((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
			mg_str_find(MG_STR("0123456789_-"), (char)c) != SIZE_MAX)
			mg_buf_addc(out, (char)c);
		else
			mg_buf_addf(out, "*%02x", c);
	}
	return MG_OK;
}

/* libconfig before 1.7.4 cuts an integer to 32 bits in silence unless it ends in L. */
static void add_number(struct mg_buf *out, struct mg_str number)
{
	bool is_hex = mg_str_starts_nocase(number, MG_STR("0x"));

	mg_buf_add(out, number);
	if (number.n <= LONG_DIGITS || number.p[number.n - 1] == 'L' ||
		(!is_hex && mg_str_find(number, '.') != SIZE_MAX))
		return;
	if (is_hex || (mg_str_find(number, 'e') == SIZE_MAX && mg_str_find(number, 'E') == SIZE_MAX))
		mg_buf_addc(out, 'L');
}

static enum mg_rc copy_token(struct reader *reader, const struct mg_token *token)
{
	struct mg_buf *out = &reader->source->text;
	enum mg_rc rc = MG_OK;

	switch (token->kind) {
	case MG_TOKEN_BAD:
		return blame(reader, MG_ESYNTAX, token->what, token->text);
	case MG_TOKEN_SPACE:
		for (size_t i = 0; i < token->text.n; i++)
			if (token->text.p[i] == '\n') {
				mg_buf_addc(out, '\n');
				reader->out_line++;
			}
		mg_buf_addc(out, ' ');
		break;
	case MG_TOKEN_KEY:
		rc = add_key(reader, mg_str_of(token->text.p + 1, token->text.n - 2));
		break;
	case MG_TOKEN_NUMBER:
		add_number(out, token->text);
		break;
	case MG_TOKEN_MARK: /* libconfig's [ ] holds no groups; here both kinds of list are one */
		mg_buf_addc(out, token->text.p[0] == '[' ? '(' : token->text.p[0] == ']' ? ')' : token->text.p[0]);
		break;
	case MG_TOKEN_INCLUDE:
		return include(reader, token->text);
	default:
		mg_buf_add(out, token->text);
		break;
	}
	if (rc == MG_OK && !mg_buf_ok(out))
		return blame(reader, MG_ERANGE,
			_("the configuration with all its includes is too large; at most 4 MiB"), MG_STR(""));
	return rc;
}

/* Takes the finished file off the stack; what follows comes from the file below it. */
static enum mg_rc pop(struct reader *reader)
{
	struct open_file *file = top(reader);

	if (file->lexer.depth > 0)
		return blame(reader, MG_ESYNTAX, _("the file ends with a bracket still open; close it"), MG_STR(""));
	mg_buf_fini(&file->content);
	reader->depth--;
	if (reader->depth > 0) {
		mg_buf_addc(&reader->source->text, '\n');
		reader->out_line++;
		mark(reader, top(reader)->file, top(reader)->lexer.line);
	}
	return MG_OK;
}

/* Copies until the stack is empty; `rc` is what putting the first file there came to. */
static enum mg_rc copy_all(struct reader *reader, enum mg_rc rc)
{
	while (rc == MG_OK && reader->depth > 0) {
		struct mg_token token = mg_lexer_next(&top(reader)->lexer);

		rc = token.kind == MG_TOKEN_END ? pop(reader) : copy_token(reader, &token);
	}
	while (reader->depth > 0)
		mg_buf_fini(&reader->stack[--reader->depth].content);
	if (rc != MG_OK)
		mg_source_fini(reader->source);
	return rc;
}

enum mg_rc mg_source_read(const char *path, struct mg_source *source, struct mg_err *err)
{
	struct reader reader = { .source = source, .out_line = 1, .err = err };
	char *copy = mg_str_dup(mg_str_z(path));

	*source = (struct mg_source){ 0 };
	mg_buf_init(&source->text, TEXT_MAX);
	if (copy == NULL)
		return mg_err_set(err, MG_ENOMEM, _("no memory for the configuration"));
	return copy_all(&reader, push(&reader, copy));
}

/* Its lines count from 0, and a line 0 is not told. */
enum mg_rc mg_source_text(const char *name, struct mg_str text, struct mg_source *source, struct mg_err *err)
{
	struct reader reader = { .source = source, .out_line = 1, .is_text = true, .err = err };
	struct open_file *file = &reader.stack[0];
	char *copy = mg_str_dup(mg_str_z(name));

	*source = (struct mg_source){ 0 };
	mg_buf_init(&source->text, TEXT_MAX);
	if (copy == NULL)
		return mg_err_set(err, MG_ENOMEM, _("no memory for the configuration"));
	*file = (struct open_file){ 0 };
	source->files[source->file_count++] = copy;
	mg_buf_init(&file->content, MG_SOURCE_FILE_MAX);
	mg_buf_add(&file->content, text);
	reader.depth = 1;
	mg_lexer_init(&file->lexer, mg_buf_str(&file->content));
	file->lexer.line = 0;
	mark(&reader, 0, 0);
	return copy_all(&reader, mg_buf_ok(&file->content)
					 ? MG_OK
					 : mg_source_fail(err, MG_ERANGE, copy, 0, _("the value is too long")));
}

void mg_source_fini(struct mg_source *source)
{
	mg_buf_fini(&source->text);
	for (size_t i = 0; i < source->file_count; i++)
		free(source->files[i]);
	*source = (struct mg_source){ 0 };
}
