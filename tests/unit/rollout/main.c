int test_vectors(void);

int main(void) {
    return test_vectors() ? 1 : 0;
}
