/* relay_samples.h - texts that a pattern of a table matches, made up so that they can be a stranger's; and which of a
 * table's permits none of them meets.
 *
 * Threads: the owner's of the tables. */
#ifndef MG_POSTFIX_RELAY_SAMPLES_H
#define MG_POSTFIX_RELAY_SAMPLES_H

#include "postfix/relay_stranger.h"

enum mg_sample_shape { MG_SAMPLE_NAME, MG_SAMPLE_MAIL };

/* Each is tried on the pattern before it is given. `is_doubtful`: somebody would first have to register such a name. */
typedef void mg_relay_take_sample(void *context, struct mg_str sample, bool is_doubtful);
void mg_relay_samples(
	const struct mg_table_rule *rule, enum mg_sample_shape shape, mg_relay_take_sample *take, void *context);

/* The network that a pattern like /^192\.0\.2\./ means. */
bool mg_relay_sample_net(const struct mg_table_rule *rule, struct mg_net *net_out);

/* Puts into model->doubts the permitting rules of patterned tables that no candidate meets, but for those whose literals
 * prove that they are about our own, or about one name. */
void mg_relay_doubts_find(struct mg_relay_model *model, const struct mg_relay_strangers *strangers, bool is_forged);

#endif
