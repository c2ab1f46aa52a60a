#include <stdlib.h>

int test_arena(void);
int test_base64(void);
int test_clock(void);
int test_counter(void);
int test_error(void);
int test_file(void);
int test_hash(void);
int test_histogram(void);
int test_list(void);
int test_log(void);
int test_mem(void);
int test_random(void);
int test_redact(void);
int test_refcount(void);
int test_roff(void);
int test_secret(void);
int test_slice(void);
int test_strbuf(void);

int main(void) {
    int failures = test_arena() + test_base64() + test_clock() + test_counter() + test_error() + test_file() +
                   test_hash() + test_histogram() + test_list() + test_log() + test_mem() + test_random() +
                   test_redact() + test_refcount() + test_roff() + test_secret() + test_slice() +
                   test_strbuf();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
