int test_body_edit(void);
int test_decide(void);
int test_edit(void);
int test_forwarded(void);
int test_match(void);
int test_mirror(void);
int test_pointer(void);
int test_split(void);
int test_sticky(void);
int test_tasks(void);

int main(void) {
    int failed = test_split() + test_pointer() + test_match() + test_body_edit();
    return failed + test_sticky() + test_tasks() + test_decide() + test_mirror() + test_edit() +
                   test_forwarded()
               ? 1
               : 0;
}
