/* redis_server_kit.h - a real redis-server of a test's own, in a directory of its own, that keeps nothing on disk.
 *
 * The kit ends the program with a sentence where it can't do what it is asked. */
#ifndef MG_TESTS_REDIS_SERVER_KIT_H
#define MG_TESTS_REDIS_SERVER_KIT_H

#include <sys/types.h>

struct redis_server {
	pid_t pid;
	int out; /* what it says */
	char directory[64];
	char socket[96];
	char url[128]; /* redis+unix://... */
	const char *const *words;
};

enum { REDIS_SERVER_WORDS = 40 };

void redis_directory(struct redis_server *server); /* makes the directory: for files that the words name */
/* `words`, ending in NULL: more of its command line; they live as long as the server. NULL: none. */
void redis_begin(struct redis_server *server, const char *const *words);
void redis_end(struct redis_server *server); /* the directory goes, too */

void redis_kill(struct redis_server *server);    /* SIGKILL, and it is gone */
void redis_restart(struct redis_server *server); /* the same again, empty */
void redis_signal(const struct redis_server *server, int signal);

/* One inline command; its answer's first line in `place`. */
void redis_say(const struct redis_server *server, const char *command, char *place, size_t size);

unsigned redis_free_port(void); /* of 127.0.0.1 */

#endif
