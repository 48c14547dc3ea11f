/* Whatever stands in a snapshot's file: no crash; it is restored, or the state is still empty and can be used. The checksum is
 * made right, or nothing behind it would ever be reached; the first byte may spoil it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "guard/memory_store.h"
#include "guard/seen.h"
#include "guard/state_memory.h"

enum { ROWS = 16, BLOCK = 65536 };

static void insist(bool claim)
{
	if (!claim)
		abort();
}

static const struct mg_state_plan plan = {
	.shape = { [MG_STATE_LIMITS] = &mg_limit_rows, [MG_STATE_SEEN] = &mg_seen_rows },
	.rows = { [MG_STATE_LIMITS] = ROWS, [MG_STATE_SEEN] = ROWS },
};

static struct mg_state *new_state(void)
{
	static void *memory;
	struct mg_state *state;
	size_t bytes = mg_state_bytes(&plan);

	if (memory == NULL)
		memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
	insist(memory != NULL);
	memset(memory, 0, bytes);
	insist(mg_state_open(&plan, memory, bytes, true, &state, NULL) == MG_OK);
	return state;
}

static int file_of(const uint8_t *data, size_t size, bool is_spoiled)
{
	static int fd = -1;
	uint64_t sum = is_spoiled;

	if (fd < 0)
		fd = memfd_create("snapshot", MFD_CLOEXEC);
	for (size_t at = 0; at < size; at += BLOCK) {
		struct mg_str block = mg_str_first(mg_str_of((const char *)data + at, size - at), BLOCK);
		const uint64_t key[2] = { sum, block.n };

		sum = mg_hash_under(key, block);
	}
	insist(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size &&
		pwrite(fd, &sum, sizeof sum, (off_t)size) == (ssize_t)sizeof sum);
	return fd;
}

static bool see(void *context, const struct mg_limit_line *line)
{
	insist(memchr(line->limit, 0, sizeof line->limit) != NULL && memchr(line->key, 0, sizeof line->key) != NULL);
	++*(size_t *)context;
	return true;
}

/* The store works on whatever rows came. */
static void use(struct mg_state *state)
{
	struct mg_charge charge = { .count = 1,
		.item = { { .bucket = { 10, 10, 60 }, .limit = "l", .key = "user:ann", .cost = 1 } } };
	struct mg_limit_store store;

	mg_memory_store(state, &store);
	insist(mg_state_now_ns(state) > 0);
	insist(store.decide(store.context, &charge));
	store.refund(store.context, charge.item, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mg_table_stats stats;
	struct mg_state *state;
	size_t listed = 0;
	enum mg_rc rc;

	if (size == 0)
		return 0;
	state = new_state();
	rc = mg_snapshot_read(state, file_of(data + 1, size - 1, data[0] == 'x'), NULL);
	insist(rc == MG_OK || rc == MG_ESYNTAX);
	insist(rc != MG_OK || data[0] != 'x');
	mg_table_stats(mg_state_table(state, MG_STATE_LIMITS), &stats);
	insist(rc == MG_OK || stats.rows == 0);
	mg_memory_store_list(state, see, &listed);
	insist(listed <= stats.rows);
	use(state);
	mg_state_close(&state);
	return 0;
}
