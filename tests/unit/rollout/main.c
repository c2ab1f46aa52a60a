int test_contest(void);
int test_exact(void);
int test_interval(void);
int test_machine(void);
int test_machine_adopt(void);
int test_machine_any(void);
int test_machine_back(void);
int test_means(void);
int test_trial(void);
int test_trial_many(void);
int test_two_sample(void);
int test_vectors(void);

int main(void) {
    return test_vectors() + test_exact() + test_two_sample() + test_means() + test_trial() +
                   test_trial_many() + test_contest() + test_interval() + test_machine() +
                   test_machine_adopt() + test_machine_any() + test_machine_back()
               ? 1
               : 0;
}
