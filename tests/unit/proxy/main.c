int test_batch(void);
int test_ceiling(void);
int test_frame(void);
int test_issued(void);
int test_own_error(void);
int test_plan(void);
int test_retry(void);
int test_span(void);

int main(void) {
    return test_batch() + test_ceiling() + test_frame() + test_issued() + test_own_error() + test_plan() +
               test_retry() + test_span() !=
           0;
}
