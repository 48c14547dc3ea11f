/* A fence around libmilter's reader. libmilter looks macros up in pairs and reads behind its array when a packet holds an
 * odd number of strings (8.17.1, measured: the process dies). Postfix never sends such a packet, but whoever may write to
 * the socket can. libmilter reads packets through mi_rd_cmd(), which the dynamic linker takes from the program first:
 * this one reads as libmilter does and refuses what libmilter can't bear, so that only that session ends.
 * tests/e2e/test_hostile.py proves that it is in force. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>

#include "base/log.h"
#include "base/str.h"
#include "milter/packet_guard.h"

enum { MACROS = 'D', READ_FAILED = 6 /* libmilter's SMFIC_UNKNERR: ends the session */ };

typedef char *(*read_packet)(int socket, struct timeval *timeout, char *command, size_t *length, char *name);

static read_packet original;

static void find_original(void)
{
	/* POSIX lets a function's address travel in a void *; ISO C needs the detour. */
	void *symbol = dlsym(RTLD_NEXT, "mi_rd_cmd");

	memcpy(&original, &symbol, sizeof original);
}

/* One byte for the stage, then strings in pairs, each with its NUL. */
bool mg_macro_packet_is_sound(struct mg_str packet)
{
	size_t strings = 0;

	if (packet.n == 0 || (packet.n > 1 && packet.p[packet.n - 1] != '\0'))
		return false;
	for (size_t i = 1; i < packet.n; i++)
		strings += packet.p[i] == '\0';
	return strings % 2 == 0;
}

char *mi_rd_cmd(int socket, struct timeval *timeout, char *command, size_t *length, char *name)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	char *packet;

	pthread_once(&once, find_original);
	if (original == NULL)
		abort(); /* not linked with libmilter: can't happen in mailguardd */
	packet = original(socket, timeout, command, length, name);
	if (packet == NULL || *command != MACROS || mg_macro_packet_is_sound(mg_str_of(packet, *length)))
		return packet;
	mg_log(MG_LOG_WARNING, "milter-malformed: macros not in pairs, session ended");
	free(packet);
	*command = READ_FAILED;
	return NULL;
}
