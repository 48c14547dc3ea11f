#include "dns/name.h"
#include "dns/parse.h"

enum { CLASS_IN = 1, TYPE_OPT = 41, FLAG_RD = 0x0100, FLAG_AD = 0x0020 };

static void add_u16(struct mg_buf *out, unsigned value)
{
	mg_buf_addc(out, (char)(value >> 8));
	mg_buf_addc(out, (char)value);
}

void mg_dns_query(struct mg_buf *out, const struct mg_dns_question *question, unsigned id, bool is_plain)
{
	add_u16(out, id);
	add_u16(out, FLAG_RD | FLAG_AD);
	add_u16(out, 1);
	add_u16(out, 0);
	add_u16(out, 0);
	add_u16(out, is_plain ? 0 : 1);
	mg_dns_name_write(out, question);
	add_u16(out, question->type);
	add_u16(out, CLASS_IN);
	if (is_plain)
		return;
	mg_buf_addc(out, '\0'); /* OPT of the root: size, no extended flags, no options */
	add_u16(out, TYPE_OPT);
	add_u16(out, MG_DNS_UDP_BYTES);
	add_u16(out, 0);
	add_u16(out, 0);
	add_u16(out, 0);
}
