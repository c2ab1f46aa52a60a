#include <stdlib.h>

int test_body(void);
int test_chunk(void);
int test_cookie(void);
int test_corpus(void);
int test_find(void);
int test_framing(void);
int test_head(void);
int test_hop(void);
int test_parser(void);
int test_reject(void);
int test_sse(void);
int test_trailer(void);
int test_unzip(void);
int test_uri(void);
int test_usage(void);
int test_writer(void);

int main(void) {
    int failures = test_body() + test_chunk() + test_cookie() + test_corpus() + test_find() + test_framing() +
                   test_head() + test_hop() + test_parser() + test_reject() + test_sse() + test_trailer() +
                   test_unzip() + test_uri() + test_usage() + test_writer();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
