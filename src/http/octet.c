#include "octet.h"

#define ALL   (OCTET_TOKEN | OCTET_TARGET | OCTET_VALUE | OCTET_HOST)
#define WORD  (OCTET_TOKEN | OCTET_TARGET | OCTET_VALUE)
#define DELIM (OCTET_TARGET | OCTET_VALUE | OCTET_HOST)
#define PLAIN (OCTET_TARGET | OCTET_VALUE)

const uint8_t octet_classes[256] = {
    ['\t'] = OCTET_VALUE,
    [' '] = OCTET_VALUE,
    ['!'] = ALL,
    ['"'] = PLAIN,
    ['#'] = OCTET_TOKEN | OCTET_VALUE,
    ['$'] = ALL,
    ['%'] = WORD,
    ['&' ... '\''] = ALL,
    ['(' ... ')'] = DELIM,
    ['*' ... '+'] = ALL,
    [','] = PLAIN,
    ['-' ... '.'] = ALL,
    ['/'] = PLAIN,
    ['0' ... '9'] = ALL,
    [':'] = PLAIN,
    [';'] = DELIM,
    ['<'] = PLAIN,
    ['='] = DELIM,
    ['>' ... '@'] = PLAIN,
    ['A' ... 'Z'] = ALL,
    ['[' ... ']'] = PLAIN,
    ['^'] = WORD,
    ['_'] = ALL,
    ['`'] = WORD,
    ['a' ... 'z'] = ALL,
    ['{'] = PLAIN,
    ['|'] = WORD,
    ['}'] = PLAIN,
    ['~'] = ALL,
    [0x80 ... 0xff] = OCTET_VALUE,
};
