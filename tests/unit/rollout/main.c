int test_trial(void);
int test_vectors(void);

int main(void) {
    return test_vectors() + test_trial() ? 1 : 0;
}
