int test_address(void);
int test_address_list(void);
int test_deadline(void);
int test_descriptors(void);
int test_inherited(void);
int test_listen(void);
int test_mailbox(void);
int test_outbox(void);
int test_proxy_protocol(void);
int test_socket_file(void);
int test_stream(void);
int test_tls(void);
int test_tls_context(void);
int test_tls_ticket(void);
int test_turns(void);

int main(void) {
    int failed = test_address() + test_address_list() + test_deadline() + test_descriptors() + test_listen() +
                 test_mailbox() + test_outbox() + test_proxy_protocol() + test_socket_file() + test_stream() +
                 test_tls() + test_tls_context() + test_turns() + test_inherited() + test_tls_ticket();
    return failed != 0;
}
