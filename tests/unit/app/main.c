int test_arguments(void);
int test_client(void);
int test_options(void);
int test_question(void);
int test_status(void);
int test_tally(void);

int main(void) {
    int failures =
        test_arguments() + test_client() + test_options() + test_question() + test_status() + test_tally();
    return failures ? 1 : 0;
}
