/* The declared keys of smschain.yaml's section `inbound`: words that stop and start, what answers them, and
 * where messages from phones go. */
#include "lib/conf_tables.h"

/* A row a key, not a line a field. */
/* clang-format off */
#define M(field) offsetof(struct conf_main, inbound.field)

#define WORDS(list, word, at_language, words, language)                                                          \
    {.name = word, .type = CONF_STR_LIST, .at = M(list[at_language]), .fallback = words, .max = 100,             \
     .form = conf_form_keyword, .help = language}

static const struct conf_key stop_keys[] = {
    WORDS(stop, "en", INBOUND_EN, "[STOP, STOPALL, STOP ALL, UNSUBSCRIBE, CANCEL, END, QUIT, OPTOUT, REVOKE]", "English."),
    WORDS(stop, "de", INBOUND_DE, "[STOPP, ABMELDEN, ABBESTELLEN]", "German."),
    WORDS(stop, "fr", INBOUND_FR, "[ARRET, ARRÊT, DESABONNER, DÉSABONNER, DESINSCRIRE, DÉSINSCRIRE]", "French."),
    WORDS(stop, "es", INBOUND_ES, "[ALTO, BAJA, PARAR]", "Spanish."),
    WORDS(stop, "it", INBOUND_IT, "[FERMA, CANCELLA, CANCELLAMI]", "Italian."),
    WORDS(stop, "pt", INBOUND_PT, "[SAIR, CANCELAR, PARE]", "Portuguese."),
    WORDS(stop, "nl", INBOUND_NL, "[AFMELDEN, STOPPEN]", "Dutch."),
    WORDS(stop, "pl", INBOUND_PL, "[REZYGNUJĘ, REZYGNUJE, WYPISZ]", "Polish."),
    WORDS(stop, "ru", INBOUND_RU, "[СТОП, ОТПИСКА, ОТПИСАТЬСЯ]", "Russian."),
    WORDS(stop, "tr", INBOUND_TR, "[RET, DUR, IPTAL, İPTAL]", "Turkish."),
    WORDS(stop, "zh", INBOUND_ZH, "[退订, 退訂, 取消订阅, 取消訂閱, 停止, TD]", "Chinese."),
    WORDS(stop, "other", INBOUND_OTHER, "[]", "Further words, of whatever language."),
    {0},
};
static const struct conf_table stop_table = {.keys = stop_keys};

static const struct conf_key start_keys[] = {
    WORDS(start, "en", INBOUND_EN, "[START, UNSTOP, SUBSCRIBE]", "English."),
    WORDS(start, "de", INBOUND_DE, "[ANMELDEN]", "German."),
    WORDS(start, "fr", INBOUND_FR, "[ABONNER, REPRENDRE]", "French."),
    WORDS(start, "es", INBOUND_ES, "[ALTA, INICIAR]", "Spanish."),
    WORDS(start, "it", INBOUND_IT, "[INIZIA, ISCRIVIMI]", "Italian."),
    WORDS(start, "pt", INBOUND_PT, "[COMECAR, COMEÇAR]", "Portuguese."),
    WORDS(start, "nl", INBOUND_NL, "[AANMELDEN]", "Dutch."),
    WORDS(start, "pl", INBOUND_PL, "[ZAPISZ, WZNÓW]", "Polish."),
    WORDS(start, "ru", INBOUND_RU, "[СТАРТ, ПОДПИСКА, ПОДПИСАТЬСЯ]", "Russian."),
    WORDS(start, "tr", INBOUND_TR, "[BASLA, BAŞLA]", "Turkish."),
    WORDS(start, "zh", INBOUND_ZH, "[订阅, 訂閱, 恢复, 恢復]", "Chinese."),
    WORDS(start, "other", INBOUND_OTHER, "[]", "Further words, of whatever language."),
    {0},
};
static const struct conf_table start_table = {.keys = start_keys};

CONF_HTTP_TABLES(forward, struct conf_main, inbound.forward.http);
static const struct conf_key forward_keys[] = {
    {.name = "url", .type = CONF_STR, .at = M(forward.url), .form = conf_form_url,
     .help = "Where to."},
    {.name = "headers", .type = CONF_MAP, .at = M(forward.headers), .max = 32, .secret = true,
     .form = conf_form_one_line,
     .help = "Headers of those posts, such as a secret of the receiver's. Each post also has `Idempotency-Key`, the "
             "same for the same message."},
    {.name = "timeout", .type = CONF_DURATION, .at = M(forward.timeout_ms), .fallback = "10s", .min = 100,
     .max = 60000,
     .help = "No answer by then: it is posted again, after 1 s, then twice as long each time up to 10 minutes."},
    {.name = "horizon", .type = CONF_DURATION, .at = M(forward.horizon_ms), .fallback = "72h", .min = 1000,
     .max = 30 * DAY_MS,
     .help = "After so long it is given up; the message stays in the table."},
    CONF_HTTP_ROWS(forward, "callback"),
    {0},
};
static const struct conf_table forward_table = {.keys = forward_keys};

static const struct conf_key inbound_keys[] = {
    {.name = "stop", .type = CONF_SECTION, .table = &stop_table,
     .help = "Words that end marketing for the number that sends them, by language. Each counts as the whole text or "
             "as its first word, whatever case and punctuation. `[]`: none of that language."},
    {.name = "start", .type = CONF_SECTION, .table = &start_table,
     .help = "Words that take a STOP back, as the whole text only."},
    {.name = "stop_template", .type = CONF_STR, .at = M(stop_template),
     .help = "The template that answers a STOP, of class `service` or `code`. Where a template NAME-LANGUAGE exists "
             "(`stop-confirmed-de`) it answers the words of that language. Columns: `keyword`, `language`, `number`, "
             "`to`, `gateway`. Without it there is no answer."},
    {.name = "start_template", .type = CONF_STR, .at = M(start_template),
     .help = "The same for a START."},
    {.name = "reply_route", .type = CONF_STR_LIST, .at = M(reply_route), .max = 32, .form = conf_form_name,
     .help = "The gateways that answers go by, in the order to try; without any the one that the message came by."},
    {.name = "reply_sender", .type = CONF_STR, .at = M(reply_sender), .max = 32,
     .help = "Whom answers are from; without it the gateway's `sender`."},
    {.name = "reply_valid_for", .type = CONF_DURATION, .at = M(reply_valid_ms), .fallback = "1h", .min = 1000,
     .max = 30 * DAY_MS,
     .help = "Later than that an answer is not sent any more."},
    {.name = "replies_per_day", .type = CONF_INT, .at = M(replies_per_day), .fallback = "5", .min = 1, .max = 1000,
     .unit = "answers",
     .help = "To one number within 24 hours, so that two machines do not answer each other for ever."},
    {.name = "parts_timeout", .type = CONF_DURATION, .at = M(parts_timeout_ms), .fallback = "10m", .min = 1000,
     .max = 7 * DAY_MS,
     .help = "A message that a phone sends in several parts is put together when all are there; so long after the first "
             "one came it is taken with what there is, and says how many are `missing`."},
    {.name = "queue", .type = CONF_BOOL, .at = M(queue), .fallback = "true",
     .help = "Every new message is published to `sms.inbound` for the company's own systems. Without somebody who "
             "reads that queue: `false`."},
    {.name = "forward", .type = CONF_SECTION, .table = &forward_table,
     .help = "Every new message is posted as JSON, too, until it is answered 2xx."},
    {0},
};
const struct conf_table conf_main_inbound_table = {.keys = inbound_keys};
