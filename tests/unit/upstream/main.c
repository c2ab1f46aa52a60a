int test_balance(void);
int test_connection(void);
int test_directory(void);
int test_endpoint(void);
int test_queue(void);

int main(void) {
    return test_balance() + test_connection() + test_directory() + test_endpoint() + test_queue() != 0;
}
