/* letters.h - the mail that milter_load sends: its own plain message, or the file of sign_messages.
 *
 * Threads: one owner; what is read stays as it is. */
#ifndef MG_BENCH_LETTERS_H
#define MG_BENCH_LETTERS_H

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "measure.h"

struct letter {
	const char *address, *helo, *sender;
	const char *fields; /* names and values, each with its NUL */
	uint64_t field_count;
	struct mg_str body;
};

struct letters {
	struct letter *all;
	size_t count;
};

static inline const char *letters_next(const char **at, const char *end)
{
	const char *text = *at, *nul = memchr(text, '\0', (size_t)(end - text));

	if (nul == NULL)
		fail("milter_load: the file of messages is cut off");
	*at = nul + 1;
	return text;
}

static inline struct letter letters_read_one(const char **at, const char *end)
{
	struct letter letter = { letters_next(at, end), letters_next(at, end), letters_next(at, end), NULL, 0, { 0 } };
	uint64_t body;

	if (!mg_str_to_u64(mg_str_z(letters_next(at, end)), 1000, &letter.field_count) ||
		!mg_str_to_u64(mg_str_z(letters_next(at, end)), 1000000, &body))
		fail("milter_load: this is no file of messages");
	letter.fields = *at;
	for (uint64_t i = 0; i < letter.field_count * 2; i++)
		letters_next(at, end);
	if ((uint64_t)(end - *at) < body)
		fail("milter_load: the file of messages is cut off");
	letter.body = mg_str_of(*at, (size_t)body);
	*at += body;
	return letter;
}

/* Leaves the first `skipped` out. The file stays mapped until the end. */
static inline void letters_read(struct letters *letters, const char *path, uint64_t skipped)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat file;
	const char *at, *end;
	size_t room = 0;

	if (fd < 0 || fstat(fd, &file) != 0 || file.st_size == 0 ||
		(at = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
		fail("milter_load: can't read %s", path);
	close(fd);
	for (end = at + file.st_size; at < end;) {
		struct letter letter = letters_read_one(&at, end);

		if (skipped > 0) {
			skipped--;
			continue;
		}
		if (letters->count == room) {
			room = room == 0 ? 64 : room * 2;
			letters->all = realloc(letters->all, room * sizeof letter);
			if (letters->all == NULL)
				fail("milter_load: no memory");
		}
		letters->all[letters->count++] = letter;
	}
	if (letters->count == 0)
		fail("milter_load: no messages in %s", path);
}

#endif
