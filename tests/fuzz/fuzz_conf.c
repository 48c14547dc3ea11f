/* Any bytes as a configuration file: an answer, a sentence, and no crash. The text goes through a memfd, so @include can
 * only name files that are really there. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 forgets a text it has read when a syntax error follows it. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mg_conf *conf = NULL;
	struct mg_err err = { 0 };
	char path[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0)
		return 0;
	if (size == 0 || write(fd, data, size) == (ssize_t)size) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		if (mg_conf_load(path, &conf, &err) != MG_OK)
			mg_assert(err.text[0] != '\0' && conf == NULL);
		mg_conf_unref(&conf);
	}
	mg_fd_close(&fd);
	return 0;
}
