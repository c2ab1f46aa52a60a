int test_contest(void);
int test_machine(void);
int test_machine_any(void);
int test_trial(void);
int test_vectors(void);

int main(void) {
    return test_vectors() + test_trial() + test_contest() + test_machine() + test_machine_any() ? 1 : 0;
}
