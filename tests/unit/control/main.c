int test_access(void);
int test_adoption(void);
int test_certificates(void);
int test_ejection(void);
int test_emit(void);
int test_evaluation(void);
int test_events(void);
int test_expect(void);
int test_fetch(void);
int test_fetch_name(void);
int test_gates(void);
int test_hooks(void);
int test_journal(void);
int test_notifier(void);
int test_parameters(void);
int test_percent(void);
int test_prometheus(void);
int test_rates(void);
int test_reload(void);
int test_resolver(void);
int test_rollout_record(void);
int test_scores(void);
int test_seen(void);
int test_task_journal(void);
int test_token(void);
int test_webhook(void);
int test_weights(void);

int main(void) {
    int failures = test_percent() + test_emit() + test_access() + test_token() + test_expect();
    failures += test_weights() + test_rates() + test_ejection() + test_adoption() + test_fetch() +
                test_reload() + test_resolver() + test_certificates();
    failures += test_parameters() + test_seen() + test_events() + test_journal() + test_rollout_record() +
                test_scores();
    failures += test_evaluation() + test_gates() + test_webhook() + test_hooks() + test_notifier() +
                test_prometheus() + test_fetch_name() + test_task_journal();
    return failures ? 1 : 0;
}
