#include "postfix/watch.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "postfix/lookup_table.h"
#include "postfix/match_list.h"
#include "postfix/restrictions.h"

enum { PATH = 1024 };

struct mg_watched {
	char *path;
	struct timespec changed;
	off_t bytes;
	ino_t inode;
};

/* All zero where there is no such file. */
static struct mg_watched look(char *path)
{
	struct mg_watched now = { .path = path };
	struct stat info;

	if (stat(path, &info) == 0) {
		now.changed = info.st_mtim;
		now.bytes = info.st_size;
		now.inode = info.st_ino;
	}
	return now;
}

static bool is_same(const struct mg_watched *then, const struct mg_watched *now)
{
	return then->changed.tv_sec == now->changed.tv_sec && then->changed.tv_nsec == now->changed.tv_nsec &&
	       then->bytes == now->bytes && then->inode == now->inode;
}

void mg_watch_add(struct mg_watch *watch, struct mg_str path)
{
	struct mg_watched *more;
	char *copy;

	if (watch->count == MG_WATCH_MAX || (copy = mg_str_dup(path)) == NULL)
		return;
	more = realloc(watch->file, (watch->count + 1) * sizeof *more);
	if (more == NULL) {
		free(copy);
		return;
	}
	watch->file = more;
	watch->file[watch->count++] = look(copy);
}

void mg_watch_add_list(struct mg_watch *watch, struct mg_str list)
{
	struct mg_str word;
	char path[PATH];

	while (mg_postfix_word(&list, &word)) {
		while (mg_read_token(&word, MG_STR("!")) || mg_read_token(&word, MG_STR("{")))
			;
		if (word.n > 0 && word.p[0] == '/')
			mg_watch_add(watch, word);
		else if (mg_match_list_is_table(word) && mg_lookup_table_file(word, path, sizeof path))
			mg_watch_add(watch, mg_str_z(path));
	}
}

bool mg_watch_is_same(const struct mg_watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		struct mg_watched now = look(watch->file[i].path);

		if (!is_same(&watch->file[i], &now))
			return false;
	}
	return true;
}

void mg_watch_fini(struct mg_watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		free(watch->file[i].path);
	free(watch->file);
	*watch = (struct mg_watch){ 0 };
}
