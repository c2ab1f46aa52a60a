#include <stdlib.h>

int test_arguments(void);
int test_client(void);
int test_course(void);
int test_decision_text(void);
int test_fleet_text(void);
int test_foot(void);
int test_options(void);
int test_panel(void);
int test_question(void);
int test_report(void);
int test_rollout_text(void);
int test_status(void);
int test_status_text(void);
int test_witness(void);
int test_watch(void);
int test_words(void);

int main(void) {
    setenv("NO_COLOR", "1", 1); // what is printed is compared, on a terminal too
    int failures = test_arguments() + test_client() + test_course() + test_decision_text() +
                   test_fleet_text() + test_foot() + test_options() + test_panel() + test_question() +
                   test_report() + test_rollout_text() + test_status() + test_status_text() + test_witness() +
                   test_watch() + test_words();
    return failures ? 1 : 0;
}
