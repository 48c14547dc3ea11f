#include "daemon/log_source.h"

#include "base/run.h"
#include "postfix/log_reader.h"

enum { POSTCONF_MS = 5000, ANSWER_BYTES = 4096 };

void mg_log_source_of(const struct mg_conf *conf, char *source_out, size_t size)
{
	const char *argv[] = { "postconf", "-c", conf->postfix.config_directory, "-h", "maillog_file", NULL };
	struct mg_str wanted = mg_str_z(conf->postfix.log);
	struct mg_run run = {
		.argv = argv, .timeout_ms = POSTCONF_MS, .out_max = ANSWER_BYTES, .err_max = ANSWER_BYTES
	};
	struct mg_run_result result;
	char maillog_file[160] = "";

	mg_str_copy(source_out, size, mg_str_eq(wanted, MG_STR("off")) ? MG_STR("") : wanted);
	if (!mg_str_eq(wanted, MG_STR("auto")))
		return;
	if (mg_run(&run, &result, NULL) == MG_OK && result.status == 0)
		mg_str_copy(maillog_file, sizeof maillog_file, mg_str_trim(mg_buf_str(&result.out)));
	mg_run_fini(&result);
	mg_log_source_find(maillog_file, "", source_out, size);
}
