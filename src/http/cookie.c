#include "http/cookie.h"
#include "octet.h"

static struct slice without_quotes(struct slice value) {
    if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
        return slice_make(value.at + 1, value.len - 2);
    return value;
}

struct slice cookie_find(const struct head *head, struct slice name) {
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id != FIELD_COOKIE)
            continue;
        for (struct slice rest = head->fields[i].value; rest.at;) {
            struct slice pair = slice_cut(&rest, ';');
            size_t equals = slice_find(pair, '=');
            if (equals < pair.len && slice_equal(slice_trim(slice_make(pair.at, equals)), name))
                return without_quotes(slice_trim(slice_from(pair, equals + 1)));
        }
    }
    return slice_make(NULL, 0);
}

static bool valid_name(struct slice name) {
    for (size_t i = 0; i < name.len; i++)
        if (!octet_is(name.at[i], OCTET_TOKEN))
            return false;
    return name.len > 0;
}

static bool valid_value(struct slice value) { // cookie-octets
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if (c <= 0x20 || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\')
            return false;
    }
    return true;
}

bool cookie_set(struct strbuf *out, struct slice name, struct slice value, unsigned max_age_s, bool secure) {
    if (!valid_name(name) || !valid_value(value))
        return false;
    strbuf_literal(out, "Set-Cookie: ");
    strbuf_slice(out, name);
    strbuf_char(out, '=');
    strbuf_slice(out, value);
    strbuf_literal(out, "; Path=/; Max-Age=");
    strbuf_u64(out, max_age_s);
    strbuf_literal(out, "; HttpOnly; SameSite=Lax");
    if (secure)
        strbuf_literal(out, "; Secure");
    strbuf_literal(out, "\r\n");
    return true;
}
