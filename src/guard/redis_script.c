#include "guard/redis_script.h"

#include <inttypes.h>
#include <stdio.h>

#include <hiredis/hiredis.h>

/* ---- the scripts ---- */

/* clang-format off */

/* ARGV has five words for each key: limit, burst, per_s, cost, mode. `spent` is by key, so a key may stand there twice. */
#define COMMON \
	"local unit = 1048576\n" \
	"local time = redis.call('TIME')\n" \
	"local now = time[1] * 1000000 + time[2]\n" \
	"local held = redis.call('MGET', unpack(KEYS))\n" \
	"local spent, since, is_changed, answer = {}, {}, {}, {}\n" \
	"local function bucket(i)\n" \
	"  local at = 5 * i - 4\n" \
	"  return tonumber(ARGV[at]), ARGV[at + 1] * unit, ARGV[at + 2] * 1000000, ARGV[at + 3] * unit, ARGV[at + 4]\n" \
	"end\n" \
	"local function us_to_drain(i, amount)\n" \
	"  local limit, _, per_us = bucket(i)\n" \
	"  return math.ceil(amount / unit * per_us / limit)\n" \
	"end\n" \
	"local function read(i)\n" \
	"  local limit, _, per_us = bucket(i)\n" \
	"  local used, at = string.match(held[i] or '', '^(%d+) (%d+)$')\n" \
	"  if not used then return 0, now end\n" \
	"  used, at = tonumber(used), math.min(now, tonumber(at))\n" \
	"  local gone = math.floor((now - at) * limit / per_us * unit)\n" \
	"  if gone >= used then return 0, now end\n" \
	"  return used - gone, math.min(now, at + us_to_drain(i, gone))\n" \
	"end\n" \
	"for i, key in ipairs(KEYS) do\n" \
	"  if not spent[key] then spent[key], since[key] = read(i) end\n" \
	"end\n" \
	"local function save()\n" \
	"  for i, key in ipairs(KEYS) do\n" \
	"    if is_changed[key] and spent[key] > 0 then\n" \
	"      local left_ms = math.ceil((since[key] - now + us_to_drain(i, spent[key])) / 1000)\n" \
	"      redis.call('SET', key, string.format('%.0f %.0f', spent[key], since[key]),\n" \
	"        'PX', string.format('%.0f', math.max(1, math.min(1e14, left_ms))))\n" \
	"    elseif is_changed[key] then\n" \
	"      redis.call('DEL', key)\n" \
	"    end\n" \
	"    is_changed[key] = nil\n" \
	"  end\n" \
	"end\n"

static const char decide_text[] = COMMON
	"local before, after, over, wait, is_charged, is_refused = {}, {}, {}, {}, {}, false\n"
	"for key, amount in pairs(spent) do before[key] = amount end\n"
	"for i, key in ipairs(KEYS) do\n"
	"  local _, burst, _, cost, mode = bucket(i)\n"
	"  local lacking = spent[key] + cost - burst\n"
	"  over[i], wait[i] = 0, 0\n"
	"  if cost > burst then\n"
	"    over[i] = 2\n"
	"  elseif lacking > 0 then\n"
	"    over[i], wait[i] = 1, math.max(1, math.min(9e15, since[key] - now + us_to_drain(i, lacking)))\n"
	"  end\n"
	"  if over[i] > 0 and (mode == 'h' or mode == 'l') then is_refused = true end\n"
	"  if mode == 'f' or (over[i] == 0 and (mode == 'h' or mode == 's')) then\n"
	"    spent[key] = math.min(spent[key], burst) + cost\n"
	"    is_charged[i], is_changed[key] = true, true\n"
	"  end\n"
	"  after[i] = spent[key]\n"
	"end\n"
	"if is_refused then is_charged = {} else save() end\n"
	"for i, key in ipairs(KEYS) do\n"
	"  local used = math.ceil((is_refused and before[key] or after[i]) / unit)\n"
	"  answer[i] = string.format(' %d %d %.0f %.0f', is_charged[i] and 1 or 0, over[i], wait[i], used)\n"
	"end\n"
	"return (is_refused and '1' or '0') .. table.concat(answer)\n";

static const char refund_text[] = COMMON
	"for i, key in ipairs(KEYS) do\n"
	"  local _, _, _, cost = bucket(i)\n"
	"  spent[key] = math.max(0, spent[key] - cost)\n"
	"  is_changed[key] = true\n"
	"end\n"
	"save()\n"
	"for i, key in ipairs(KEYS) do answer[i] = string.format('%.0f', math.ceil(spent[key] / unit)) end\n"
	"return table.concat(answer, ' ')\n";

/* clang-format on */

const char *mg_redis_script_text(enum mg_redis_script which)
{
	return which == MG_REDIS_DECIDE ? decide_text : refund_text;
}

/* ---- commands ---- */

enum {
	KEY_TEXT = 24 + sizeof((struct mg_charge_item *)0)->limit + MG_CHARGE_KEY,
	NUMBER_TEXT = 24,
	WORDS_EACH = 6, /* its key and the five */
	WORDS = 3 + WORDS_EACH * MG_CHARGE_ITEMS,
};

/* What the words of one item point into. */
struct item_text {
	char key[KEY_TEXT];
	char number[4][NUMBER_TEXT];
};

void mg_redis_command_free(struct mg_redis_command *command)
{
	if (command->p != NULL)
		redisFreeCommand(command->p);
	*command = (struct mg_redis_command){ NULL, 0 };
}

struct mg_redis_command mg_redis_command_of(const char *const *words, int count)
{
	const char *copy[WORDS];
	struct mg_redis_command command = { NULL, 0 };
	long long n;

	mg_assert(count > 0 && count <= WORDS);
	for (int i = 0; i < count; i++)
		copy[i] = words[i];
	n = redisFormatCommandArgv(&command.p, count, copy, NULL);
	if (n < 0)
		command.p = NULL;
	else
		command.n = (size_t)n;
	return command;
}

static void write_key(const struct mg_charge_item *item, char place[KEY_TEXT])
{
	int n = snprintf(place, KEY_TEXT, "mailguard:{rate}:%s:%s", item->limit, item->key);

	mg_assert(n > 0 && n < KEY_TEXT);
}

static const char *mode_word(enum mg_charge_mode mode)
{
	static const char *const words[] = { [MG_CHARGE_HARD] = "h",
		[MG_CHARGE_SOFT] = "s",
		[MG_CHARGE_LOOK] = "l",
		[MG_CHARGE_FORCED] = "f",
		[MG_CHARGE_WATCH] = "w" };

	return words[mode];
}

static void write_item(const struct mg_charge_item *item, struct item_text *text, const char **five_out)
{
	const uint64_t numbers[4] = { item->bucket.limit, item->bucket.burst, item->bucket.per_s, item->cost };

	write_key(item, text->key);
	for (int i = 0; i < 4; i++) {
		(void)snprintf(text->number[i], NUMBER_TEXT, "%" PRIu64, numbers[i]);
		five_out[i] = text->number[i];
	}
	five_out[4] = mode_word(item->mode);
}

struct mg_redis_command mg_redis_script_command(
	enum mg_redis_script which, const char *sha, const struct mg_charge_item *items, size_t count)
{
	struct item_text text[MG_CHARGE_ITEMS];
	const char *words[WORDS];
	char count_text[NUMBER_TEXT];

	mg_assert(count >= 1 && count <= MG_CHARGE_ITEMS);
	(void)snprintf(count_text, sizeof count_text, "%zu", count);
	words[0] = sha[0] != '\0' ? "EVALSHA" : "EVAL";
	words[1] = sha[0] != '\0' ? sha : mg_redis_script_text(which);
	words[2] = count_text;
	for (size_t i = 0; i < count; i++) {
		write_item(&items[i], &text[i], &words[3 + count + 5 * i]);
		words[3 + i] = text[i].key;
	}
	return mg_redis_command_of(words, (int)(3 + WORDS_EACH * count));
}

struct mg_redis_command mg_redis_reset_command(const struct mg_charge_item *item)
{
	char key[KEY_TEXT];
	const char *words[2] = { "DEL", key };

	write_key(item, key);
	return mg_redis_command_of(words, 2);
}

/* ---- answers ---- */

#define WAIT_MAX_US ((uint64_t)9000000000000000)
#define USED_MAX    ((uint64_t)1000000000000000)

static bool read_number(struct mg_str *rest, uint64_t max, uint64_t *number_out)
{
	return mg_read_token(rest, MG_STR(" ")) && mg_read_u64(rest, max, number_out);
}

static bool read_item(struct mg_str *rest, struct mg_charge_item *item)
{
	uint64_t is_charged, over, wait_us;

	if (!read_number(rest, 1, &is_charged) || !read_number(rest, 2, &over) ||
		!read_number(rest, WAIT_MAX_US, &wait_us) || !read_number(rest, USED_MAX, &item->used))
		return false;
	item->is_charged = is_charged == 1;
	item->is_over = over > 0;
	item->wait_ns = over == 2 ? INT64_MAX : (int64_t)wait_us * 1000;
	return true;
}

/* A refusal that charges, or one where everything fits, is a lie. */
static bool is_plausible(const struct mg_charge_item *items, size_t count, bool is_refused)
{
	bool has_reason = false;

	for (size_t i = 0; i < count; i++) {
		bool is_must = items[i].mode == MG_CHARGE_HARD || items[i].mode == MG_CHARGE_LOOK;

		if (items[i].is_charged &&
			(is_refused || items[i].mode == MG_CHARGE_LOOK || items[i].mode == MG_CHARGE_WATCH))
			return false;
		has_reason |= is_must && items[i].is_over;
	}
	return has_reason == is_refused;
}

bool mg_redis_decide_answer(struct mg_str text, struct mg_charge_item *items, size_t count, bool *is_refused_out)
{
	struct mg_charge_item read[MG_CHARGE_ITEMS];
	uint64_t is_refused;

	mg_assert(count <= MG_CHARGE_ITEMS);
	if (!mg_read_u64(&text, 1, &is_refused))
		return false;
	for (size_t i = 0; i < count; i++) {
		read[i] = items[i];
		if (!read_item(&text, &read[i]))
			return false;
	}
	if (text.n > 0 || !is_plausible(read, count, is_refused == 1))
		return false;
	memcpy(items, read, count * sizeof read[0]);
	*is_refused_out = is_refused == 1;
	return true;
}

bool mg_redis_refund_answer(struct mg_str text, struct mg_charge_item *items, size_t count)
{
	uint64_t used[MG_CHARGE_ITEMS];

	mg_assert(count <= MG_CHARGE_ITEMS);
	for (size_t i = 0; i < count; i++)
		if ((i > 0 && !mg_read_token(&text, MG_STR(" "))) || !mg_read_u64(&text, USED_MAX, &used[i]))
			return false;
	if (text.n > 0)
		return false;
	for (size_t i = 0; i < count; i++)
		items[i].used = used[i];
	return true;
}
