int test_client(void);
int test_options(void);

int main(void) {
    return test_options() + test_client() ? 1 : 0;
}
