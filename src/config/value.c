#include "value.h"
#include "config/config.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_one_of(const char *text, const char *const *words) {
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

bool value_bool(const char *text, bool *value) {
    static const char *const yes[] = {"true", "yes", "on", NULL}, *const no[] = {"false", "no", "off", NULL};
    *value = is_one_of(text, yes);
    return *value || is_one_of(text, no);
}

bool value_integer(const char *text, int64_t *value) {
    char *end;
    const char *digits = *text == '-' ? text + 1 : text;
    if (!isdigit((unsigned char)*digits))
        return false;
    errno = 0;
    *value = strtoll(text, &end, 10);
    return *end == 0 && errno == 0;
}

bool value_number(const char *text, double *value) {
    char *end;
    if (!isdigit((unsigned char)*text) && *text != '-' && *text != '.')
        return false;
    if (strpbrk(text, "xX"))
        return false;
    errno = 0;
    *value = strtod(text, &end);
    return end != text && *end == 0 && isfinite(*value);
}

bool value_json_number(const char *text) {
    double number;
    const char *at = *text == '-' ? text + 1 : text;
    if (!isdigit((unsigned char)*at) || (*at == '0' && isdigit((unsigned char)at[1])))
        return false;
    at += strspn(at, "0123456789");
    if (*at == '.' && !isdigit((unsigned char)at[1]))
        return false;
    return value_number(text, &number);
}

struct unit_factor {
    const char *name;
    double factor;
};

// NUMBER UNIT, the unit from the table ("" for none), at most 2^53.
static bool with_unit(const char *text, const struct unit_factor *units, int64_t *value) {
    char number[32];
    size_t len = strspn(text, "0123456789.");
    double amount;
    if (len == 0 || len >= sizeof number)
        return false;
    memcpy(number, text, len);
    number[len] = 0;
    if (!value_number(number, &amount))
        return false;
    for (; units->name; units++) {
        if (strcmp(text + len, units->name) != 0)
            continue;
        double exact = amount * units->factor, total = round(exact);
        if (total > 9007199254740992.0 ||
            fabs(exact - total) > 1e-6) // 1.005s is 1005 ms in spite of its binary form
            return false;
        *value = (int64_t)total;
        return true;
    }
    return false;
}

bool value_duration(const char *text, int64_t *ms) {
    static const struct unit_factor units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                               {"h", 3600000}, {"d", 86400000}, {0}};
    if (strcmp(text, "0") == 0) {
        *ms = 0;
        return true;
    }
    return with_unit(text, units, ms);
}

bool value_size(const char *text, int64_t *bytes) {
    static const struct unit_factor units[] = {
        {"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0},
        {0}};
    return with_unit(text, units, bytes);
}

bool value_percent(const char *text, int64_t *points) {
    size_t whole = strspn(text, "0123456789"), part = 0;
    const char *fraction = text + whole;
    if (whole == 0 || whole > 6)
        return false;
    int64_t hundredths = 0;
    if (*fraction == '.') {
        fraction++;
        part = strspn(fraction, "0123456789");
        if (part == 0)
            return false;
        for (size_t i = 0; i < part; i++)
            if (i >= 2 && fraction[i] != '0')
                return false;
        hundredths = (fraction[0] - '0') * 10 + (part > 1 ? fraction[1] - '0' : 0);
        fraction += part;
    }
    if (*fraction == '%')
        fraction++;
    *points = strtoll(text, NULL, 10) * 100 + hundredths;
    return *fraction == 0;
}

bool name_valid(const char *text) {
    size_t len = strlen(text);
    if (len == 0 || len > 64 || (!isalnum((unsigned char)*text) && *text != '_'))
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("_.-", *text))
            return false;
    return true;
}

bool token_valid(const char *text) {
    if (!*text)
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("!#$%&'*+-.^_`|~", *text))
            return false;
    return true;
}

bool host_valid(const char *text) {
    size_t label = 0;
    if (strlen(text) > 253)
        return false;
    for (; *text; text++) {
        if (*text == '.' && label == 0)
            return false;
        if (*text != '.' && !isalnum((unsigned char)*text) && *text != '-' && *text != '_')
            return false;
        label = *text == '.' ? 0 : label + 1;
        if (label > 63)
            return false;
    }
    return label > 0;
}

bool pointer_valid(const char *text) {
    if (*text && *text != '/')
        return false;
    for (; *text; text++)
        if (*text == '~' && text[1] != '0' && text[1] != '1')
            return false;
    return true;
}

bool url_valid(const char *text) {
    size_t scheme = strncmp(text, "http://", 7) == 0 ? 7 : strncmp(text, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0 || strcspn(text + scheme, "/:?#") == 0)
        return false;
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || *text == 0x7f)
            return false;
    return true;
}

bool header_value_valid(const char *text) {
    for (; *text; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}
