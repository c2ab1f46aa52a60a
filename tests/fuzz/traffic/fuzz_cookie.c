// cookie: the Cookie field and the sticky cookie in it. The input: the cookie's name in a line, a value to
// set in a line, then the fields' values, one a line. A simple reader finds the same cookie; what is set is
// one field of a response, and is found again when it comes back.
#include "../fuzz.h"
#include "../strict_http.h"
#include "http/cookie.h"
#include "traffic/sticky.h"

// The first pair of that name (RFC 6265 5.4 without attributes), as HTTP's blanks allow it.
static bool model_find(const struct head *head, struct slice name, struct slice *value) {
    for (size_t i = 0; i < head->field_count; i++) {
        struct slice text = head->fields[i].value;
        for (size_t at = 0; at <= text.len;) {
            size_t end = at, equals;
            while (end < text.len && text.at[end] != ';')
                end++;
            for (equals = at; equals < end && text.at[equals] != '='; equals++)
                ;
            size_t from = at, to = equals, begin = equals + 1, stop = end;
            for (; from < to && (text.at[from] == ' ' || text.at[from] == '\t'); from++)
                ;
            for (; to > from && (text.at[to - 1] == ' ' || text.at[to - 1] == '\t'); to--)
                ;
            at = end + 1;
            if (equals == end || to - from != name.len || memcmp(text.at + from, name.at, name.len) != 0)
                continue;
            for (; begin < stop && (text.at[begin] == ' ' || text.at[begin] == '\t'); begin++)
                ;
            for (; stop > begin && (text.at[stop - 1] == ' ' || text.at[stop - 1] == '\t'); stop--)
                ;
            if (stop - begin >= 2 && text.at[begin] == '"' && text.at[stop - 1] == '"') {
                begin++;
                stop--;
            }
            *value = slice_make(text.at + begin, stop - begin);
            return true;
        }
    }
    return false;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("._-", c));
}

// UNIT or UNIT~VARIANT~STAMP.
static void check_pin(struct slice value) {
    struct pin pin = sticky_read_cookie(value);
    size_t tildes = 0, unit = slice_find(value, '~');
    bool sane = unit > 0 && unit <= 128;
    for (size_t i = 0; i < value.len; i++)
        tildes += value.at[i] == '~';
    for (size_t i = 0; i < unit; i++)
        sane = sane && is_word(value.at[i]);
    must(!pin.unit.at == !sane);
    must(!pin.variant.at == !pin.stamp.at);
    if (!sane) {
        must(!pin.variant.at);
        return;
    }
    must(pin.unit.at == value.at && pin.unit.len == unit);
    if (pin.variant.at)
        must(tildes == 2 && pin.variant.len && pin.stamp.len &&
             pin.unit.len + pin.variant.len + pin.stamp.len + 2 == value.len);
    else
        must(tildes != 2 || value.at[unit + 1] == '~' || value.at[value.len - 1] == '~');
}

static void check_set(struct slice name, struct slice value) {
    struct strbuf out = {0}, back = {0};
    static struct strict_head strict;
    strbuf_literal(&out, "HTTP/1.1 200 OK\r\n");
    size_t before = out.len;
    if (cookie_set(&out, name, value, 60, value.len & 1)) {
        struct slice said = SLICE("");
        strbuf_literal(&out, "\r\n");
        must(strict_response(strbuf_as_slice(&out), false, &strict) == STRICT_WHOLE);
        must(strict.bytes == out.len && strict.count == 1 && strict_find(&strict, "Set-Cookie", &said) == 1);
        struct head head = {.field_count = 1};
        head.fields[0] = (struct field){
            .name = SLICE("Cookie"), .value = slice_make(said.at, slice_find(said, ';')), .id = FIELD_COOKIE};
        must(slice_equal(cookie_find(&head, name), value));
    } else {
        must(out.len == before);
    }
    strbuf_free(&out);
    strbuf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct head head;
    struct slice rest = slice_make((const char *)data, size), expected = SLICE_NONE;
    struct slice name = fuzz_line(&rest), value = fuzz_line(&rest);
    for (head.field_count = 0; rest.len && head.field_count < 8; head.field_count++)
        head.fields[head.field_count] =
            (struct field){.name = SLICE("Cookie"), .value = fuzz_line(&rest), .id = FIELD_COOKIE};
    bool found = model_find(&head, name, &expected);
    struct slice ours = cookie_find(&head, name);
    must(found == (ours.at != NULL) && (!found || slice_equal(ours, expected)));
    check_set(name, value);
    check_pin(value);
    if (found)
        check_pin(ours);
    return 0;
}
