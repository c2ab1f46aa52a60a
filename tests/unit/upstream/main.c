#include <stdlib.h>

int test_back_off(void);
int test_balance(void);
int test_connection(void);
int test_directory(void);
int test_endpoint(void);
int test_queue(void);

int main(void) {
    int failures = test_back_off() + test_balance() + test_connection() + test_directory() + test_endpoint() +
                   test_queue();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
