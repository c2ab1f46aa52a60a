int test_bad(void);
int test_config(void);
int test_defaults(void);
int test_environment(void);
int test_fingerprint(void);
int test_forms(void);
int test_names(void);
int test_network(void);
int test_reference(void);
int test_report(void);
int test_robust(void);
int test_rollout(void);
int test_samples(void);
int test_settle(void);
int test_value(void);

int main(void) {
    int failed = test_value() + test_names() + test_report() + test_defaults() + test_settle();
    failed += test_environment() + test_config() + test_samples() + test_reference();
    return failed + test_network() + test_bad() + test_robust() + test_forms() + test_rollout() +
                   test_fingerprint()
               ? 1
               : 0;
}
