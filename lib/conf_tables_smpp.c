/* The declared keys of section `smpp` of a gateway: driver smpp. */
#include "lib/conf_tables.h"

/* A row a key, not a line a field. */
/* clang-format off */
static const struct conf_word binds[] = {{"transceiver", false}, {"separate", true}, {0}};
/* Their numbers are those of enum smpp_alphabet and enum smpp_long (dispatch/smpp_text.h). */
static const struct conf_word alphabets[] = {{"gsm7", 0}, {"gsm7_packed", 1}, {"latin1", 2}, {"ucs2", 3}, {0}};
static const struct conf_word ways[] = {{"udh8", 0}, {"udh16", 1}, {"sar", 2}, {"payload", 3}, {0}};

#define G(field) offsetof(struct conf_gateway, smpp.field)
static const struct conf_key tls_keys[] = {
    {.name = "enabled", .type = CONF_BOOL, .at = G(tls), .fallback = "false",
     .help = "Speak TLS from the first byte; the server's certificate and name are checked."},
    {.name = "ca_file", .type = CONF_STR, .at = G(http.tls.ca_file), .form = conf_form_path,
     .help = "PEM: the only authorities whose certificates count; without it the system's."},
    {.name = "certificate_file", .type = CONF_STR, .at = G(http.tls.certificate_file), .form = conf_form_path,
     .help = "PEM: our own certificate, where the server asks for one."},
    {.name = "key_file", .type = CONF_STR, .at = G(http.tls.key_file), .form = conf_form_path,
     .help = "PEM: its key; without it looked for in `certificate_file`."},
    {.name = "key_password", .type = CONF_STR, .at = G(http.tls.key_password), .secret = true, .max = 1024,
     .help = "That opens the key."},
    {.name = "version", .type = CONF_WORD, .at = G(http.tls.version), .words = conf_tls_words, .fallback = "auto",
     .help = "`1.2`, `1.3`, or `auto`: both."},
    {0},
};
static const struct conf_table tls_table = {.keys = tls_keys};

static const struct conf_key smpp_keys[] = {
    {.name = "address", .type = CONF_STR_LIST, .or_one = true, .at = G(address), .required = true, .min = 1, .max = 16,
     .form = conf_form_host_port,
     .help = "HOST:PORT, or a list of them: the next one is tried when one cannot be reached or refuses the bind."},
    {.name = "system_id", .type = CONF_STR, .at = G(system_id), .required = true, .max = 64,
     .form = conf_form_one_line,
     .help = "Who we are there."},
    {.name = "password", .type = CONF_STR, .at = G(password), .secret = true, .max = 64, .form = conf_form_one_line,
     .help = "Its password. SMPP 3.4 has room for 8 bytes; many gateways take more."},
    {.name = "system_type", .type = CONF_STR, .at = G(system_type), .max = 12, .form = conf_form_one_line,
     .help = "As the gateway asks for it, mostly empty."},
    {.name = "bind", .type = CONF_WORD_BOOL, .at = G(separate), .words = binds, .fallback = "transceiver",
     .help = "`transceiver`: one link both ways · `separate`: a pair of links, transmitter and receiver."},
    {.name = "binds", .type = CONF_INT, .at = G(binds), .fallback = "1", .min = 1, .max = 32,
     .unit = "links, or pairs of them",
     .help = "How many are kept open by each dispatcher, as the contract allows. Window and rate are shared by all."},
    {.name = "tls", .type = CONF_SECTION, .table = &tls_table,
     .help = "TLS on the way."},
    {.name = "source_ton", .type = CONF_INT, .at = G(source_ton), .fallback = "-1", .min = -1, .max = 255,
     .help = "Type of number of the sender. -1: by the sender: 5 with letters, 3 for a short code of up to 6 digits, "
             "1 for a number, 0 for none."},
    {.name = "source_npi", .type = CONF_INT, .at = G(source_npi), .fallback = "-1", .min = -1, .max = 255,
     .help = "Its numbering plan. -1: 1 for a number, else 0."},
    {.name = "dest_ton", .type = CONF_INT, .at = G(dest_ton), .fallback = "1", .min = 0, .max = 255,
     .help = "Type of number of the recipient: 1 is international."},
    {.name = "dest_npi", .type = CONF_INT, .at = G(dest_npi), .fallback = "1", .min = 0, .max = 255,
     .help = "Its numbering plan: 1 is E.164."},
    {.name = "service_type", .type = CONF_STR, .at = G(service_type), .max = 5, .form = conf_form_one_line,
     .help = "As the gateway asks for it, mostly empty."},
    {.name = "alphabet", .type = CONF_WORD_ENUM, .at = G(alphabet), .words = alphabets, .fallback = "gsm7",
     .help = "Its default alphabet: `gsm7` a septet an octet · `gsm7_packed` eight septets in seven octets · `latin1`, "
             "said with data_coding 3 · `ucs2` always. A text that is not whole in it goes in UCS-2."},
    {.name = "long", .type = CONF_WORD_ENUM, .at = G(long_way), .words = ways, .fallback = "udh8",
     .help = "How the segments of a long text are marked: `udh8` and `udh16`, a user data header with a reference of 8 "
             "or 16 bits · `sar` parameters · `payload`: the whole text in one message_payload, which the gateway cuts."},
    {.name = "segments_max", .type = CONF_INT, .at = G(segments_max), .fallback = "10", .min = 1, .max = 255,
     .unit = "segments",
     .help = "A text with more is rejected (`too_many_segments`). All segments of a text have to find room in the window at "
             "once."},
    {.name = "registered_delivery", .type = CONF_INT, .at = G(registered_delivery), .fallback = "1", .min = 0,
     .max = 255,
     .help = "Which reports are asked for: 1 of the end, 17 also of what comes between, 0 none."},
    {.name = "validity", .type = CONF_BOOL, .at = G(validity), .fallback = "true",
     .help = "Tell the gateway how long the message is worth delivering (validity_period), as `valid_for` says."},
    {.name = "receipt_any_class", .type = CONF_BOOL, .at = G(receipt_any_class), .fallback = "false",
     .help = "A message that looks like a report is one, although its esm_class does not say so. Only for gateways that "
             "forget to: any phone could write such a text."},
    {.name = "enquire_link_interval", .type = CONF_DURATION, .at = G(enquire_link_ms), .fallback = "30s", .min = 50,
     .max = DAY_MS,
     .help = "The gateway is asked whether it is there (enquire_link) when nothing came from it for so long."},
    {.name = "dead_after", .type = CONF_DURATION, .at = G(dead_after_ms), .fallback = "60s", .min = 100, .max = DAY_MS,
     .help = "Nothing at all came for so long: the link is dead, and made anew."},
    {.name = "bind_timeout", .type = CONF_DURATION, .at = G(bind_timeout_ms), .fallback = "10s", .min = 50,
     .max = 600000,
     .help = "No answer to the bind by then: the link is closed and tried again."},
    {.name = "reconnect_base", .type = CONF_DURATION, .at = G(reconnect_base_ms), .fallback = "1s", .min = 1,
     .max = DAY_MS,
     .help = "The first wait after a link that could not be made; it doubles, with chance in it."},
    {.name = "reconnect_max", .type = CONF_DURATION, .at = G(reconnect_max_ms), .fallback = "60s", .min = 1,
     .max = DAY_MS,
     .help = "The longest. Where the gateway does not know us (password, system_id) waits begin with it and grow to ten "
             "times as long, since some lock out who asks too often."},
    {0},
};
const struct conf_table conf_smpp_table = {.keys = smpp_keys};
/* clang-format on */
