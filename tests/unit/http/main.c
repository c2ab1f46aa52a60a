#include <stdlib.h>

int test_baggage(void);
int test_body(void);
int test_chunk(void);
int test_cookie(void);
int test_corpus(void);
int test_date(void);
int test_find(void);
int test_framing(void);
int test_head(void);
int test_hop(void);
int test_parser(void);
int test_pick(void);
int test_reject(void);
int test_retry_after(void);
int test_rewrite(void);
int test_sse(void);
int test_strip(void);
int test_traceparent(void);
int test_trailer(void);
int test_unzip(void);
int test_uri(void);
int test_usage(void);
int test_usage_stream(void);
int test_writer(void);
int test_zip(void);

int main(void) {
    int failures = test_baggage() + test_body() + test_chunk() + test_cookie() + test_corpus() + test_date() +
                   test_find() + test_framing() + test_head() + test_hop() + test_parser() + test_pick() +
                   test_reject() + test_retry_after() + test_rewrite() + test_sse() + test_strip() +
                   test_traceparent() + test_trailer() + test_unzip() + test_uri() + test_usage() +
                   test_usage_stream() + test_writer() + test_zip();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
