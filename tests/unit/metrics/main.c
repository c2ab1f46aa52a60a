int test_exemplar(void);
int test_experiment(void);
int test_exposition(void);
int test_latency(void);
int test_registry(void);
int test_variant(void);

int main(void) {
    return test_variant() + test_latency() + test_registry() + test_experiment() + test_exposition() +
                   test_exemplar()
               ? 1
               : 0;
}
