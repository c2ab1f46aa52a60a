// baggage: the arm of a linked experiment in the field `baggage`. The input: a line with "s" (strip) or "-"
// and a name, a line with a variant, then fields, one a line. Members of others come through in their order,
// byte for byte; what is set is found again, in one field; of ours nothing else is left where it is to be
// stripped.
#include "../fuzz.h"
#include "base/strbuf.h"
#include "http/baggage.h"

static bool is_name(struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && c != '.' && c != '_' && c != '-')
            return false;
    }
    return text.len > 0 && text.len <= 64;
}

static int hex(char c) {
    const char *digits = "0123456789abcdef",
               *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return found ? (int)(found - digits) : -1;
}

// The key of a member with its percent-encoding undone.
static void read_key(struct slice member, struct strbuf *out) {
    struct slice key = slice_make(member.at, slice_find(member, ';'));
    key = slice_trim(slice_make(key.at, slice_find(key, '=')));
    strbuf_clear(out);
    for (size_t i = 0; i < key.len; i++) {
        int high = key.at[i] == '%' && i + 2 < key.len ? hex(key.at[i + 1]) : -1;
        int low = high >= 0 ? hex(key.at[i + 2]) : -1;
        strbuf_char(out, low >= 0 ? (char)(high * 16 + low) : key.at[i]);
        i += low >= 0 ? 2 : 0;
    }
}

struct list {
    struct strbuf others; // members that are not ours, trimmed, a NUL behind each
    unsigned ours, members;
};

static void read_list(struct slice value, bool strip, struct slice set, struct list *list) {
    struct strbuf key = {0};
    for (struct slice rest = value; rest.at;) {
        struct slice member = slice_trim(slice_cut(&rest, ','));
        if (!member.len)
            continue;
        read_key(member, &key);
        bool any = key.len && slice_starts(strbuf_as_slice(&key), SLICE(BAGGAGE_OURS));
        bool ours = (strip && any) || (set.at && slice_equal(strbuf_as_slice(&key), set));
        list->ours += ours;
        list->members++;
        if (!ours) {
            strbuf_slice(&list->others, member);
            strbuf_char(&list->others, '\0');
        }
    }
    strbuf_free(&key);
}

static void check(struct head *head, bool strip, struct slice key, const struct baggage_arm *arm) {
    struct strbuf out = {0};
    struct list before = {.ours = 0}, after = {.ours = 0};
    static struct head back;
    for (size_t i = 0; i < head->field_count; i++)
        read_list(head->fields[i].value, strip, key, &before);
    baggage_write(head, strip, key, arm, &out);
    back.field_count = 0;
    if (out.len) {
        must(slice_starts(strbuf_as_slice(&out), SLICE("baggage: ")) &&
             slice_find(strbuf_as_slice(&out), '\r') == out.len - 2);
        back.fields[back.field_count++] = (struct field){
            .name = SLICE("baggage"), .value = slice_make(out.at + 9, out.len - 11), .id = FIELD_BAGGAGE};
        read_list(back.fields[0].value, strip, key, &after);
        must(after.members > 0);
    }
    must(slice_equal(strbuf_as_slice(&before.others), strbuf_as_slice(&after.others)));
    struct baggage_arm found = key.at ? baggage_find(&back, key) : (struct baggage_arm){0};
    if (found.variant.at)
        must(arm && after.ours == 1 && slice_equal(found.variant, arm->variant) &&
             found.by_override == arm->by_override && after.members <= BAGGAGE_MEMBERS);
    else
        must(after.ours == 0 &&
             (!key.at || !arm || before.members - before.ours >= BAGGAGE_MEMBERS || out.len > 7000));
    if (strip && !found.variant.at)
        must(!baggage_has_ours(&back));
    for (size_t i = 0; i < head->field_count; i++)
        must(head->fields[i].drop);
    strbuf_free(&out);
    strbuf_free(&before.others);
    strbuf_free(&after.others);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct head head;
    struct slice rest = slice_make((const char *)data, size);
    if (!size)
        return 0;
    struct slice line = fuzz_line(&rest), variant = fuzz_line(&rest);
    bool strip = line.len && line.at[0] == 's';
    struct slice name = slice_from(line, 1);
    struct strbuf key = {0};
    struct baggage_arm arm = {.variant = variant, .by_override = rest.len & 1};
    for (head.field_count = 0; rest.len && head.field_count < 8; head.field_count++) {
        struct slice value = slice_trim(fuzz_line(&rest));
        if (memchr(value.at, '\r', value.len))
            return 0;
        head.fields[head.field_count] =
            (struct field){.name = SLICE("Baggage"), .value = value, .id = FIELD_BAGGAGE};
    }
    strbuf_literal(&key, BAGGAGE_OURS);
    strbuf_slice(&key, name);
    if (!name.len)
        check(&head, strip, SLICE_NONE, NULL);
    else if (is_name(name) && is_name(variant))
        check(&head, strip, strbuf_as_slice(&key), rest.len % 3 || strip ? &arm : NULL);
    strbuf_free(&key);
    return 0;
}
