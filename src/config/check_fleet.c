// What a fleet needs: etcd's addresses, who one is there, and rollouts that many proxies can share.
#include "check.h"
#include "config/fleet.h"
#include "config/rollout.h"
#include "value.h"

#include <string.h>

#define PREFIX_MOST 200

static void check_endpoints(struct check *check, const struct fleet_etcd_config *etcd) {
    struct place none = {0};
    if (report_given(check->report, &etcd->endpoints) && etcd->endpoints.count == 0 &&
        !report_refused(check->report, &etcd->endpoints))
        report_add(check->report, place_of_field(check, &etcd->endpoints, none), NULL,
                   "`endpoints` is empty: there is no etcd to ask");
    for (size_t i = 0; i < etcd->endpoints.count; i++) {
        const char *url = etcd->endpoints.items[i];
        size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : 7;
        if (!url_valid(url) || strpbrk(url + scheme, "/?#@"))
            report_add(check->report, place_of_field(check, &etcd->endpoints.items[i], etcd->place),
                       "scheme, host and port only",
                       "endpoint %zu of etcd is not of the form http://host:port", i + 1);
    }
}

static bool printable(const char *text) {
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static void check_prefix(struct check *check, const struct fleet_etcd_config *etcd) {
    size_t len = strlen(etcd->prefix);
    if (len < 2 || len > PREFIX_MOST || etcd->prefix[0] != '/' || etcd->prefix[len - 1] == '/' ||
        !printable(etcd->prefix))
        report_add(check->report, place_of_field(check, &etcd->prefix, etcd->place), "write /sluice/prod",
                   "`prefix` must begin with /, not end with it, and be at most %d visible ASCII characters",
                   PREFIX_MOST);
}

static void check_login(struct check *check, struct fleet_etcd_config *etcd) {
    if (!etcd->username != !etcd->password_file)
        report_add(check->report, etcd->place, NULL, "`username` and `password_file` go together");
    else if (etcd->password_file)
        etcd->password = check_secret_file(check, &etcd->password_file, "password_file", etcd->place);
}

// An update drains endpoints in the instance that updates them; the others would go on sending requests
// there.
static void check_rollouts(struct check *check) {
    const struct config *config = check->config;
    for (size_t i = 0; i < config->route_count; i++) {
        const struct rollout_config *rollout = config->routes[i].rollout;
        if (rollout && rollout->strategy == ROLLOUT_ROLLING &&
            !report_refused(check->report, &rollout->strategy))
            report_add(
                check->report, place_of_field(check, &rollout->strategy, rollout->place), NULL,
                "a fleet cannot share a rolling update: leave out `fleet`, or take another `strategy`");
    }
}

void check_fleet(struct check *check) {
    struct fleet_config *fleet = check->config->fleet;
    if (fleet)
        check_rollouts(check);
    if (!fleet || report_refused(check->report, &fleet->etcd))
        return;
    check_endpoints(check, &fleet->etcd);
    if (fleet->etcd.prefix)
        check_prefix(check, &fleet->etcd);
    if (fleet->etcd.ttl % 1000 != 0 && !report_refused(check->report, &fleet->etcd.ttl))
        report_add(check->report, place_of_field(check, &fleet->etcd.ttl, fleet->etcd.place), NULL,
                   "`ttl` must be whole seconds");
    check_login(check, &fleet->etcd);
    if (fleet->etcd.tls)
        check_pool_tls(check, fleet->etcd.tls);
    check_url(check, &fleet->prometheus, "prometheus");
}
