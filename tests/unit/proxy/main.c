int test_retry(void);

int main(void) {
    return test_retry() != 0;
}
