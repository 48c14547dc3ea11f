#include "health/https.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>

#include "base/escape.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void begin(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* What does not fit ends the transfer. */
static size_t take(char *data, size_t one, size_t bytes, void *context)
{
	struct mg_buf *body = context;

	(void)one;
	mg_buf_add(body, mg_str_of(data, bytes));
	return mg_buf_ok(body) ? bytes : 0;
}

static enum mg_https_end end_of(CURLcode code, long status, const struct mg_buf *body)
{
	switch (code) {
	case CURLE_OK:
		return status == 200 ? MG_HTTPS_GOT : MG_HTTPS_OTHER_REPLY;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CERTPROBLEM:
		return MG_HTTPS_UNTRUSTED;
	case CURLE_WRITE_ERROR:
	case CURLE_FILESIZE_EXCEEDED:
		return mg_buf_ok(body) && code == CURLE_WRITE_ERROR ? MG_HTTPS_FAILED : MG_HTTPS_TOO_LARGE;
	case CURLE_OUT_OF_MEMORY:
		return MG_HTTPS_FAILED;
	default:
		return MG_HTTPS_UNREACHED;
	}
}

/* "HOST:443:ADDRESS,ADDRESS": what the check's own resolver said counts. */
static struct curl_slist *addresses_of(const char *host, const struct mg_ip *addresses, size_t count)
{
	char text[MG_IP_TEXT];
	struct curl_slist *list;
	struct mg_buf line;

	mg_buf_init(&line, 4096);
	mg_buf_addf(&line, "%s:443:", host);
	for (size_t i = 0; i < count; i++) {
		mg_ip_text(&addresses[i], text, sizeof text);
		mg_buf_addf(&line, addresses[i].family == MG_IP_V6 ? "%s[%s]" : "%s%s", i > 0 ? "," : "", text);
	}
	list = curl_slist_append(NULL, mg_buf_z(&line));
	mg_buf_fini(&line);
	return list;
}

static void set_up(
	CURL *curl, const char *url, struct curl_slist *where, int timeout_ms, struct mg_buf *body, char *said)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_RESOLVE, where);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)body->max);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, said);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "mailguard");
}

enum mg_https_end mg_https_get(const char *host, const char *path, const struct mg_ip *addresses, size_t count,
	int timeout_ms, struct mg_buf *body, long *status_out, char *said, size_t said_size)
{
	char url[1024], trouble[CURL_ERROR_SIZE] = "";
	struct curl_slist *where;
	enum mg_https_end end = MG_HTTPS_FAILED;
	CURLcode code;
	CURL *curl;

	*status_out = 0;
	pthread_once(&once, begin);
	where = addresses_of(host, addresses, count);
	snprintf(url, sizeof url, "https://%s/%s", host, path);
	if ((curl = curl_easy_init()) != NULL && where != NULL) {
		set_up(curl, url, where, timeout_ms, body, trouble);
		code = curl_easy_perform(curl);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status_out);
		end = end_of(code, *status_out, body);
		if (code != CURLE_OK && trouble[0] == '\0')
			mg_str_copy(trouble, sizeof trouble, mg_str_z(curl_easy_strerror(code)));
	}
	mg_escape_in_place(trouble);
	mg_str_copy(said, said_size, mg_str_z(trouble));
	curl_easy_cleanup(curl);
	curl_slist_free_all(where);
	return end;
}
