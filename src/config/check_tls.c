// What a `tls` section must say together. That the files fit each other is found out by io/tls.h, by `check`
// and by every load.
#include "check.h"

void check_listener_tls(struct check *check, const struct listener_tls_config *tls) {
    if (tls->client_certificate != CLIENT_CERTIFICATE_OFF && !tls->client_ca)
        report_add(check->report, place_of_field(check, &tls->client_certificate, tls->main.place),
                   "add `client_ca: FILE`", "`client_certificate` needs the authorities to trust");
    if (tls->client_certificate == CLIENT_CERTIFICATE_OFF && tls->client_ca)
        report_add(check->report, place_of_field(check, &tls->client_ca, tls->main.place),
                   "add `client_certificate: required` or `optional`",
                   "`client_ca` has no effect: clients are not asked for a certificate");
}

void check_pool_tls(struct check *check, const struct pool_tls_config *tls) {
    if (!tls->certificate == !tls->private_key)
        return;
    report_add(check->report,
               tls->certificate ? place_of_field(check, &tls->certificate, tls->place)
                                : place_of_field(check, &tls->private_key, tls->place),
               NULL, "`certificate` and `private_key` belong together: `%s` is missing",
               tls->certificate ? "private_key" : "certificate");
}
