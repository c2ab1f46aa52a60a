int test_contest(void);
int test_design(void);
int test_exact(void);
int test_fleet(void);
int test_guard(void);
int test_interval(void);
int test_machine(void);
int test_machine_adopt(void);
int test_machine_any(void);
int test_machine_back(void);
int test_machine_fleet(void);
int test_machine_names(void);
int test_means(void);
int test_rollout_plan(void);
int test_ledger(void);
int test_tally(void);
int test_tally_groups(void);
int test_trial(void);
int test_trial_many(void);
int test_two_sample(void);
int test_vectors(void);

int main(void) {
    return test_vectors() + test_exact() + test_two_sample() + test_means() + test_trial() +
                   test_trial_many() + test_contest() + test_interval() + test_machine() +
                   test_machine_adopt() + test_machine_any() + test_machine_back() + test_machine_fleet() +
                   test_machine_names() + test_guard() + test_design() + test_rollout_plan() + test_ledger() +
                   test_tally() + test_tally_groups() + test_fleet()
               ? 1
               : 0;
}
