int test_access(void);
int test_adoption(void);
int test_bequest(void);
int test_call_filter(void);
int test_certificates(void);
int test_channel(void);
int test_dashboard(void);
int test_denials(void);
int test_ejection(void);
int test_emit(void);
int test_etcd(void);
int test_etcd_faults(void);
int test_etcd_json(void);
int test_etcd_pages(void);
int test_etcd_tls(void);
int test_etcd_token(void);
int test_etcd_watch(void);
int test_evaluation(void);
int test_evidence(void);
int test_evidence_poller(void);
int test_evidence_series(void);
int test_events(void);
int test_expect(void);
int test_fetch(void);
int test_fetch_name(void);
int test_fleet(void);
int test_fleet_lead(void);
int test_fleet_reads(void);
int test_fleet_view(void);
int test_fetch_stream(void);
int test_gates(void);
int test_hooks(void);
int test_journal(void);
int test_json_pieces(void);
int test_launch(void);
int test_notifier(void);
int test_parameters(void);
int test_percent(void);
int test_prometheus(void);
int test_rates(void);
int test_reload(void);
int test_resolver(void);
int test_rollout_record(void);
int test_scores(void);
int test_share_record(void);
int test_seen(void);
int test_service(void);
int test_span_exporter(void);
int test_task_journal(void);
int test_token(void);
int test_webhook(void);
int test_weights(void);

int main(void) {
    int failures = test_percent() + test_emit() + test_access() + test_token() + test_expect();
    failures += test_weights() + test_rates() + test_ejection() + test_adoption() + test_fetch() +
                test_reload() + test_resolver() + test_certificates();
    failures += test_parameters() + test_seen() + test_events() + test_journal() + test_rollout_record() +
                test_scores() + test_share_record() + test_span_exporter();
    failures += test_evaluation() + test_gates() + test_webhook() + test_hooks() + test_notifier() +
                test_prometheus() + test_fetch_name() + test_task_journal() + test_dashboard();
    failures += test_evidence() + test_evidence_poller() + test_evidence_series();
    failures += test_fleet() + test_fleet_lead() + test_fleet_reads() + test_fleet_view();
    failures += test_bequest() + test_channel() + test_launch() + test_service() + test_denials() +
                test_call_filter();
    failures += test_fetch_stream() + test_json_pieces() + test_etcd_json() + test_etcd_faults() +
                test_etcd() + test_etcd_pages() + test_etcd_watch() + test_etcd_token() + test_etcd_tls();
    return failures ? 1 : 0;
}
