#include "forms.h"

#define TOKEN    "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
#define BYTE     "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define IPV4     "(?:" BYTE "\\.){3}" BYTE
#define IPV6     "[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*"
#define PORT_0   "0*(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
#define PORT     "(?!0*(?![0-9]))" PORT_0
#define HOST     "(?:[0-9A-Za-z_-]+\\.)*[0-9A-Za-z_-]+"
#define UNIX     "unix:/[\\s\\S]{0,106}"
#define POINTER  "(?:/(?:[^~/]|~[01])*)"
#define VISIBLE  "[^\\x00-\\x20\\x7f]"
#define SERVER   "https?://(?:(?![0-9.]+(?![^:/]))" HOST "|" IPV4 "|\\[" IPV6 "\\])(?::" PORT ")?"

#define VARIABLE "\\$\\{[A-Za-z_][0-9A-Za-z_]*(?::-[^}]*)?\\}"
const struct form form_text = {"(?:\\$\\$\\{|" VARIABLE "|(?!\\$?\\$\\{)[\\s\\S])*",
                               "a text; `${` begins a variable", PLAIN_ANY};
const struct form form_header_value = {"(?:\\$\\$\\{|" VARIABLE
                                       "|(?!\\$?\\$\\{)[^\\x00-\\x08\\x0a-\\x1f\\x7f])*",
                                       "a text without control characters", PLAIN_ANY};

const struct form form_name = {"[0-9A-Za-z_][0-9A-Za-z_.-]{0,63}",
                               "a name (letters, digits, `_`, `.`, `-`; at most 64)", PLAIN_ANY};
const struct form form_path = {"[\\s\\S]+", "a path", PLAIN_ANY};
const struct form form_yes_or_no = {"true|false|yes|no|on|off", "true or false", PLAIN_TEXT};
const struct form form_number = {"-?(?:[0-9]+\\.?[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?", "a number",
                                 PLAIN_NUMBER};
const struct form form_percent = {"0*(?:[0-9]{1,2}(?:\\.[0-9]{1,2}0*)?|100(?:\\.0+)?)%?",
                                  "a percentage from 0 to 100 with at most two decimals", PLAIN_NUMBER};

const struct form form_address = {"(?:" IPV4 "|\\[" IPV6 "\\]):" PORT_0 "|" UNIX,
                                  "an address such as 0.0.0.0:8080, [::]:8080 or unix:/path", PLAIN_TEXT};
const struct form form_dns_server = {IPV4 "(?::" PORT ")?|" IPV6 "|\\[" IPV6 "\\]:" PORT,
                                     "the address of a DNS server such as 10.0.0.53:53 or [2001:db8::53]:53",
                                     PLAIN_TEXT};
const struct form form_network = {
    "unix|" IPV4 "(?:/0*(?:[0-9]|[12][0-9]|3[0-2]))?|" IPV6 "(?:/0*(?:[0-9]{1,2}|1[01][0-9]|12[0-8]))?",
    "a network, an address or unix, such as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7", PLAIN_TEXT};
const struct form form_endpoint = {
    SERVER "/?|" UNIX, "http://host:port or https://host:port (no path), or unix:/path", PLAIN_TEXT};
const struct form form_etcd_endpoint = {"https?://(?:(?![/?#@:])" VISIBLE ")(?:(?![/?#@])" VISIBLE ")*",
                                        "http://host:port or https://host:port (no path)", PLAIN_TEXT};
const struct form form_etcd_prefix = {"/[!-~]{0,198}[!-.0-~]", "a prefix such as /sluice/prod", PLAIN_TEXT};
const struct form form_url = {"https?://(?![/:?#])" VISIBLE "+", "an http:// or https:// URL", PLAIN_TEXT};
const struct form form_host = {"(?:\\*\\.)?" HOST, "a host name or *.example.com, without a port", PLAIN_ANY};
const struct form form_match_path = {"/[^?# \\t\\r\\n]*",
                                     "a path that starts with /, without a query or white space", PLAIN_TEXT};
const struct form form_probe_path = {"/[^ \\t\\r\\n]*", "a path that starts with /, without white space",
                                     PLAIN_TEXT};
const struct form form_token = {TOKEN, "a name of RFC 9110: letters, digits, `-`, `_` and the like",
                                PLAIN_ANY};
#define FRAMING                                                                                              \
    "[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-[Ll][Ee][Nn][Gg][Tt][Hh]|[Tt][Rr][Aa][Nn][Ss][Ff][Ee][Rr]-"                \
    "[Ee][Nn][Cc][Oo][Dd][Ii][Nn][Gg]|[Cc][Oo][Nn][Nn][Ee][Cc][Tt][Ii][Oo][Nn]|[Uu][Pp][Gg][Rr][Aa][Dd][Ee]" \
    "|"                                                                                                      \
    "[Ee][Xx][Pp][Ee][Cc][Tt]|[Tt][Ee]|[Tt][Rr][Aa][Ii][Ll][Ee][Rr]"
const struct form form_header_set = {"(?!(?:" FRAMING ")$)" TOKEN, "a header that does not frame the message",
                                     PLAIN_ANY};
const struct form form_header_removed = {"(?!(?:" FRAMING "|[Hh][Oo][Ss][Tt])$)" TOKEN,
                                         "a header other than Host that does not frame the message",
                                         PLAIN_ANY};
const struct form form_method = {"[!#$%&'*+.^_`|~0-9A-Z-]+", "a method, in capitals", PLAIN_ANY};
const struct form form_pointer = {POINTER "*", "a JSON pointer such as /field/0/field", PLAIN_TEXT};
const struct form form_pointer_below = {POINTER "+", "a JSON pointer to a field, such as /field/0/field",
                                        PLAIN_TEXT};

const struct form form_unit_source = {
    "(?:header|cookie) +" TOKEN "|(?:jwt|query) +[^ ][\\s\\S]*|json +" POINTER "+|client_ip *",
    "header NAME, cookie NAME, jwt CLAIM, query NAME, json POINTER or client_ip", PLAIN_TEXT};
const struct form form_task_learn = {"header +" TOKEN "|json +(?:/[^~/]{1,24}){1,4}",
                                     "json POINTER (at most 4 short names) or header NAME", PLAIN_TEXT};
const struct form form_task_use = {"header +" TOKEN "|json +" POINTER "+|query +[^ ][\\s\\S]*|path_segment *",
                                   "path_segment, json POINTER, header NAME or query NAME", PLAIN_TEXT};
const struct form form_conditions = {"connect|refused_stream|reset_before_response|0*(?:429|5[0-9]{2})",
                                     "connect, refused_stream, reset_before_response, 429 or a 5xx code",
                                     PLAIN_WHOLE};
const struct form form_workers = {"auto|0*(?:[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-6])",
                                  "auto or a number of threads from 1 to 256", PLAIN_WHOLE};
const struct form form_memory = {"auto|off|[0-9]*\\.?[0-9]*(?:B|[KMGT]iB)?", "auto, off or a size from 1MiB",
                                 PLAIN_WHOLE};
const struct form form_mode = {"0?[0-7]{3}", "permissions in octal such as 0660", PLAIN_WHOLE};
const struct form form_pause = {"manual", "manual", PLAIN_TEXT};

// ---- amounts

// Blocks of a power of ten are one alternative each: 24 to 1005 is 2[4-9]|[3-9][0-9]|[1-9][0-9]{2}|100[0-5].
static void write_span(struct strbuf *out, int64_t from, int64_t to) {
    const char *bar = "";
    if (from == 0) {
        strbuf_char(out, '0');
        bar = "|";
        from = 1;
    }
    while (from <= to) {
        int64_t block = 1, digits = 0;
        for (; from % (block * 10) == 0 && from + block * 10 - 1 <= to; digits++)
            block *= 10;
        int64_t first = from / block % 10, last = first, front = from / block / 10;
        while (last < 9 && from + (last - first + 2) * block - 1 <= to)
            last++;
        strbuf_string(out, bar);
        if (front)
            strbuf_format(out, "%lld", (long long)front);
        strbuf_format(out, last > first ? "[%d-%d]" : "%d", (int)first, (int)last);
        if (digits)
            strbuf_format(out, "[0-9]{%d}", (int)digits);
        from += (last - first + 1) * block;
        bar = "|";
    }
}

void form_integer(struct strbuf *pattern, int64_t least, int64_t most) {
    if (least == 0 && most == 0) {
        strbuf_string(pattern, "-?[0-9]+");
        return;
    }
    strbuf_string(pattern, "0*(?:");
    write_span(pattern, least, most);
    strbuf_char(pattern, ')');
}

struct unit {
    const char *name;
    int64_t factor;
};

#define EXACT_MOST (INT64_C(1) << 53)

static void write_amount(struct strbuf *out, const struct unit *units, int64_t least, int64_t most) {
    bool any = most == 0 || most >= EXACT_MOST;
    for (const char *bar = ""; units->name; units++, bar = "|") {
        strbuf_string(out, bar);
        if (any && least < units->factor) {
            strbuf_string(out, "(?:[0-9]+\\.?[0-9]*|\\.[0-9]+)");
        } else {
            strbuf_string(out, "(?:0*(?:");
            write_span(out, least / units->factor, (any ? EXACT_MOST : most) / units->factor);
            strbuf_string(out, least < units->factor ? ")(?:\\.[0-9]*)?|\\.[0-9]+)" : ")(?:\\.[0-9]*)?)");
        }
        strbuf_string(out, units->name);
    }
}

void form_duration(struct strbuf *pattern, int64_t least, int64_t most) {
    static const struct unit units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {0}};
    strbuf_string(pattern, least == 0 ? "0|" : "");
    write_amount(pattern, units, least, most);
}

void form_size(struct strbuf *pattern, int64_t least, int64_t most) {
    static const struct unit units[] = {
        {"B?", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", INT64_C(1) << 30}, {"TiB", INT64_C(1) << 40},
        {0}};
    write_amount(pattern, units, least, most);
}
