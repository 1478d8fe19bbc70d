/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * evtchn-list: ports on any Xen, whose they are, and what is said of them.
 */
#include "test.h"

#include <signal.h>

#include "cmd.h"
#include "evtchn/devices.h"
#include "evtchn/diagnose.h"
#include "evtchn/list.h"
#include "fakes/evtchn_world.h"

static int setup(void **state)
{
    *state = evtchn_world_new();
    return 0;
}

static int teardown(void **state)
{
    evtchn_world_free(*state);
    return 0;
}

static int list(struct evtchn_world *w, struct xlx_evtchn_info *info,
                struct xlx_evtchn_port **ports)
{
    int nr = xlx__evtchn_list(w->ctx, 5, info, ports);
    if (nr < 0)
        fail_msg("list: %s", xlx_ctx_error(w->ctx));
    assert_int_equal(nr, (int)info->nr_ports);
    return nr;
}

/* The device of a port, by a list that is made anew; valid until the next. */
static const char *device_of(struct evtchn_world *w, uint32_t port)
{
    static char name[XLX_EVTCHN_DEVICE_MAX];
    struct xlx_evtchn_info info;
    struct xlx_evtchn_port *ports;
    int nr = list(w, &info, &ports);
    strcpy(name, "(no such port)");
    for (int i = 0; i < nr; i++)
        if (ports[i].port == port)
            strcpy(name, ports[i].device);
    free(ports);
    return name;
}

/* --- ports ---------------------------------------------------------------- */

static void an_unpatched_xen_tells_of_every_port(void **state)
{
    struct evtchn_world *w = *state;
    struct xlx_evtchn_info info;
    struct xlx_evtchn_port *ports;
    w->guest->port[10].vector = 0x40; /* what it does not know */
    assert_int_equal(list(w, &info, &ports), 18);
    assert_true(info.hvm);
    assert_int_equal(info.vcpus, 4);
    assert_false(info.vectors || info.allowed || info.counting);
    assert_int_equal(ports[0].port, 1);
    assert_int_equal(ports[0].type, XLX_EVTCHN_INTERDOMAIN);
    assert_int_equal(ports[0].remote_domid, 0);
    assert_int_equal(ports[0].remote_port, 101);
    assert_int_equal(ports[6].type, XLX_EVTCHN_VIRQ);
    assert_int_equal(ports[6].irq, 1);
    assert_int_equal(ports[7].port, 10);
    assert_int_equal(ports[7].vector, 0);
    assert_int_equal(ports[17].type, XLX_EVTCHN_UNBOUND);
    free(ports);
}

static void a_patched_one_tells_more_in_pieces(void **state)
{
    struct evtchn_world *w = *state;
    struct xlx_evtchn_info info;
    struct xlx_evtchn_port *ports;
    w->mem->patched = true;
    w->mem->list_max = 5;
    w->guest->counting = true;
    w->guest->port[11].vector = 0x40;
    w->guest->port[11].pending = true;
    w->guest->port[11].count = 77;
    assert_int_equal(list(w, &info, &ports), 18);
    assert_true(info.vectors && info.allowed && info.counting);
    assert_int_equal(ports[8].vector, 0x40);
    assert_true(ports[8].pending);
    assert_int_equal(ports[8].count, 77);
    assert_string_equal(ports[8].device, "vbd/51712 queue 1");
    free(ports);
    w->guest->forbidden = true;
    list(w, &info, &ports);
    assert_true(info.vectors && !info.allowed);
    free(ports);
}

static void a_pv_domain_may_not_use_what_is_there(void **state)
{
    struct evtchn_world *w = *state;
    w->mem->patched = true;
    assert_int_equal(evtchn_world_call(w, "evtchn-list 6"), CMD_OK);
    assert_string_equal(w->err, "");
    assert_non_null(strstr(w->out, "note: a PV domain"));
}

static void many_ports_are_all_listed(void **state)
{
    struct evtchn_world *w = *state;
    struct xlx_evtchn_info info;
    struct xlx_evtchn_port *ports;
    for (int patched = 0; patched < 2; patched++) {
        w->mem->patched = patched;
        w->guest->nr_ports = EVTCHN_MEM_PORTS;
        for (uint32_t p = 1; p < EVTCHN_MEM_PORTS; p++)
            evtchn_mem_open(w->guest, p, XLX_EVTCHN_IPI);
        assert_int_equal(list(w, &info, &ports), EVTCHN_MEM_PORTS - 1);
        for (uint32_t p = 1; p < EVTCHN_MEM_PORTS; p++)
            assert_int_equal(ports[p - 1].port, p);
        free(ports);
    }
}

static void a_list_that_does_not_go_on_ends(void **state)
{
    struct evtchn_world *w = *state;
    struct xlx_evtchn_info info;
    struct xlx_evtchn_port *ports;
    w->mem->patched = w->mem->stuck = true;
    assert_int_equal(xlx__evtchn_list(w->ctx, 5, &info, &ports), -EIO);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "does not continue"));
}

/* --- devices -------------------------------------------------------------- */

static void each_port_has_its_device(void **state)
{
    static const struct {
        uint32_t port;
        const char *device;
    } rows[] = {
        { 1, "xenstore" },
        { 2, "console" },
        { 3, "" },
        { 7, "" },
        { 10, "vbd/51712 queue 0" },
        { 11, "vbd/51712 queue 1" },
        { 12, "vif/0 queue 0 tx" },
        { 13, "vif/0 queue 0 rx" },
        { 15, "vif/0 queue 1 rx" },
        { 16, "vkbd/0" },
        { 18, "9pfs/0 queue 1" },
        { 19, "vusb/0" },
        { 20, "" },
    };
    struct evtchn_world *w = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(device_of(w, rows[i].port), rows[i].device);
}

static void other_frontends_have_names_too(void **state)
{
    struct evtchn_world *w = *state;
    evtchn_world_put(w, "device/vsnd/0/backend-id", "0");
    evtchn_world_put(w, "device/vsnd/0/1/0/event-channel", "21");
    evtchn_world_put(w, "device/vsnd/0/1/0/evt-event-channel", "22");
    evtchn_world_put(w, "device/pvcalls/0/port", "23");
    evtchn_world_put(w, "device/console/1/port", "24");
    for (uint32_t port = 21; port < 25; port++)
        evtchn_mem_connect(w->guest, port, 0, 100 + port);
    assert_string_equal(device_of(w, 21), "vsnd/0/1/0");
    assert_string_equal(device_of(w, 22), "vsnd/0/1/0 evt");
    assert_string_equal(device_of(w, 23), "pvcalls/0");
    assert_string_equal(device_of(w, 24), "console/1");
}

static void what_a_backend_serves_is_named_by_the_other_end(void **state)
{
    struct evtchn_world *w = *state;
    struct xlx_evtchn_info info;
    struct xlx_evtchn_port *ports;
    int nr = xlx__evtchn_list(w->ctx, 0, &info, &ports);
    assert_int_equal(nr, 11);
    assert_false(info.hvm);
    assert_string_equal(ports[0].device, "xenstore of domain 5");
    assert_string_equal(ports[1].device, "vbd/51712 queue 0 of domain 5");
    assert_string_equal(ports[3].device, "vif/0 queue 0 tx of domain 5");
    free(ports);
}

/* A guest may write anything; only what the hypervisor says too is believed. */
static void lies_in_xenstore_name_nothing(void **state)
{
    struct evtchn_world *w = *state;
    static const char *const junk[] = {
        "", "-1", "0", "4294967296", "10x", " 10", "0x0a", "999999999999999",
    };
    for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        evtchn_world_put(w, "device/vbd/51712/queue-0/event-channel", junk[i]);
        assert_string_equal(device_of(w, 10), "");
    }
    /* not a device's: an IPI, a closed one, another backend's */
    evtchn_world_put(w, "device/vbd/51712/queue-0/event-channel", "3");
    assert_string_equal(device_of(w, 3), "");
    evtchn_world_put(w, "device/vbd/51712/queue-0/event-channel", "60");
    assert_string_equal(device_of(w, 60), "(no such port)");
    evtchn_world_put(w, "device/vbd/51712/queue-0/event-channel", "10");
    evtchn_world_put(w, "device/vbd/51712/backend-id", "9");
    assert_string_equal(device_of(w, 10), "");
    evtchn_world_put(w, "device/vbd/51712/backend-id", "x");
    assert_string_equal(device_of(w, 10), "vbd/51712 queue 0");
}

static void a_guest_cannot_make_it_walk_forever(void **state)
{
    struct evtchn_world *w = *state;
    struct xlx__claims claims;
    char node[128];
    for (unsigned i = 0; i < XLX__CLAIMS_NODES_MAX / 4; i++)
        for (unsigned k = 0; k < 4; k++) {
            snprintf(node, sizeof(node), "device/aaa/%u/event-channel-%u", i,
                     k);
            evtchn_world_put(w, node, "33");
        }
    assert_int_equal(xlx__claims_read(w->ctx, 5, &claims), 0);
    assert_in_range(claims.nr, 1, XLX__CLAIMS_NODES_MAX);
    xlx__claims_free(&claims);
    evtchn_world_put(w, "device/aaa", NULL);
    /* and names that are too deep, too long, or not printable */
    evtchn_world_put(w, "device/aaa/0/1/2/3/4/5/6/event-channel", "33");
    evtchn_world_put(w,
                     "device/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/0/event-channel",
                     "34");
    evtchn_world_put(w, "device/\x1b[2J/0/event-channel", "35");
    for (uint32_t port = 33; port < 36; port++)
        evtchn_mem_connect(w->guest, port, 0, 100 + port);
    assert_string_equal(device_of(w, 33), "");
    assert_string_equal(device_of(w, 34), "");
    assert_string_equal(device_of(w, 35), "?[2J/0");
}

/* At the bounds: what is read, and what is not any more. */
static void the_walk_ends_where_it_is_said_to(void **state)
{
    struct evtchn_world *w = *state;
    struct xlx__claims claims;
    char node[64];
    evtchn_world_put(w, "device/aaa/0/1/2/3/event-channel", "33");
    evtchn_world_put(w, "device/aab/0/1/2/3/4/event-channel", "34");
    for (uint32_t port = 33; port < 35; port++)
        evtchn_mem_connect(w->guest, port, 0, 100 + port);
    assert_string_equal(device_of(w, 33), "aaa/0/1/2/3");
    assert_string_equal(device_of(w, 34), "");
    evtchn_world_put(w, "device", NULL);
    evtchn_world_put(w, "console", NULL);
    evtchn_world_put(w, "store", NULL);
    /* the device itself is a node, too */
    for (unsigned i = 1; i <= XLX__CLAIMS_NODES_MAX; i++) {
        snprintf(node, sizeof(node), "device/aaa/0/event-channel-%u", i);
        evtchn_world_put(w, node, "33");
        if (i < XLX__CLAIMS_NODES_MAX - 1)
            continue;
        assert_int_equal(xlx__claims_read(w->ctx, 5, &claims), 0);
        assert_int_equal(claims.nr, XLX__CLAIMS_NODES_MAX - 1);
        xlx__claims_free(&claims);
        assert_int_equal(evtchn_world_call(w, "evtchn-list guest"), CMD_OK);
        if (i < XLX__CLAIMS_NODES_MAX)
            assert_string_equal(w->err, "");
        else
            assert_non_null(strstr(w->err, "more than 4096 nodes of devices"));
    }
}

/* --- what is said --------------------------------------------------------- */

static const char *said(struct evtchn_world *w,
                        enum xlx_evtchn_finding_code code)
{
    static char text[XLX_EVTCHN_FINDING_MAX];
    struct xlx_evtchn_info info;
    struct xlx_evtchn_port *ports;
    struct xlx_evtchn_finding *findings;
    list(w, &info, &ports);
    int nr = xlx__evtchn_diagnose(&info, ports, &findings);
    text[0] = '\0';
    for (int i = 0; i < nr; i++)
        if (findings[i].code == code && !*text)
            strcpy(text, findings[i].text);
    free(ports);
    if (nr > 0)
        free(findings);
    return text;
}

static void disks_on_one_vcpu_are_told(void **state)
{
    struct evtchn_world *w = *state;
    assert_string_equal(said(w, XLX_EVTCHN_ONE_VCPU),
                        "vbd: all 2 channels interrupt vCPU 0 of 4: set their "
                        "affinity in the guest");
    w->mem->patched = true;
    assert_non_null(strstr(said(w, XLX_EVTCHN_ONE_VCPU), "see evtchn-spread"));
    w->guest->port[11].vcpu = 1;
    assert_string_equal(said(w, XLX_EVTCHN_ONE_VCPU),
                        "9pfs: all 2 channels interrupt vCPU 0 of 4: see "
                        "evtchn-spread, or set their affinity in the guest");
    w->guest->port[18].vcpu = 3;
    assert_string_equal(said(w, XLX_EVTCHN_ONE_VCPU), "");
    /* one vCPU: there is no other */
    w->guest->port[11].vcpu = w->guest->port[18].vcpu = 0;
    w->guest->is.vcpus = 1;
    assert_string_equal(said(w, XLX_EVTCHN_ONE_VCPU), "");
}

static void a_device_with_one_queue_is_told(void **state)
{
    struct evtchn_world *w = *state;
    assert_string_equal(said(w, XLX_EVTCHN_ONE_QUEUE), "");
    evtchn_world_put(w, "device/vbd/51712/queue-1", NULL);
    assert_string_equal(said(w, XLX_EVTCHN_ONE_QUEUE),
                        "vbd/51712: one queue for 4 vCPUs: the backend's "
                        "max_queues, or the guest's driver, allows no more");
    evtchn_world_put(w, "device/vbd/51712/queue-1/event-channel", "11");
    evtchn_world_put(w, "device/vif/0/queue-1", NULL);
    assert_non_null(strstr(said(w, XLX_EVTCHN_ONE_QUEUE), "vif/0: one queue"));
    w->guest->is.vcpus = 1; /* enough for it */
    assert_string_equal(said(w, XLX_EVTCHN_ONE_QUEUE), "");
}

/* The library's calls come here. */
static bool no_memory;

void *reallocarray(void *at, size_t nr, size_t size)
{
    return no_memory ? NULL : realloc(at, nr * size);
}

static void without_memory_nothing_is_told(void **state)
{
    const struct xlx_evtchn_info info = { .vcpus = 1 };
    struct xlx_evtchn_finding *findings = NULL;
    (void)state;
    no_memory = true;
    int rc = xlx__evtchn_diagnose(&info, NULL, &findings);
    no_memory = false;
    assert_int_equal(rc, -ENOMEM);
    assert_null(findings);
    assert_int_equal(xlx__evtchn_diagnose(&info, NULL, &findings), 2);
    free(findings);
}

static void what_needs_the_patch_is_told(void **state)
{
    struct evtchn_world *w = *state;
    assert_non_null(strstr(said(w, XLX_EVTCHN_NO_PATCH), "make hypervisor"));
    assert_string_equal(said(w, XLX_EVTCHN_PV), "");
    w->guest->is.hvm = false;
    assert_non_null(strstr(said(w, XLX_EVTCHN_PV), "no local APIC"));
    w->guest->is.hvm = true;
    w->mem->patched = true;
    assert_string_equal(said(w, XLX_EVTCHN_NO_PATCH), "");
    assert_string_equal(said(w, XLX_EVTCHN_FORBIDDEN), "");
    w->guest->forbidden = true;
    assert_non_null(strstr(said(w, XLX_EVTCHN_FORBIDDEN), "switched off"));
}

/* --- the command ---------------------------------------------------------- */

static void the_command_prints_text(void **state)
{
    struct evtchn_world *w = *state;
    for (uint32_t port = 3; port < 64; port++)
        if (port != 7 && port != 10 && port != 20)
            w->guest->port[port].type = XLX_EVTCHN_CLOSED;
    assert_int_equal(evtchn_world_call(w, "evtchn-list guest"), CMD_OK);
    assert_string_equal(
        w->out,
        "PORT  TYPE         REMOTE  VCPU  DEVICE\n"
        "   1  interdomain  0:101      0  xenstore\n"
        "   2  interdomain  0:102      0  console\n"
        "   7  virq         virq 1     0  -\n"
        "  10  interdomain  0:110      0  vbd/51712 queue 0\n"
        "  20  unbound      0:-        0  -\n"
        "note: vbd/51712: one queue for 4 vCPUs: the backend's max_queues, or "
        "the guest's driver, allows no more\n"
        "note: this hypervisor has no interrupt vectors for single channels: "
        "pending and masked flags, counts, evtchn-bind and evtchn-spread need "
        "the one that 'make hypervisor' builds\n");
    w->mem->patched = true;
    w->guest->counting = true;
    w->guest->port[10].vector = 0xf1;
    w->guest->port[10].toolstack = true;
    w->guest->port[10].pending = true;
    w->guest->port[10].count = UINT64_C(12345678901);
    w->guest->port[7].used_by_xen = true;
    w->guest->port[2].pending = w->guest->port[2].masked = true;
    assert_int_equal(evtchn_world_call(w, "evtchn-list 5"), CMD_OK);
    assert_non_null(strstr(
        w->out,
        "PORT  TYPE         REMOTE  VCPU  VECTOR  STATE                EVENTS  "
        "DEVICE\n"
        "   1  interdomain  0:101      0  -       -                         0  "
        "xenstore\n"
        "   2  interdomain  0:102      0  -       pending,masked            0  "
        "console\n"
        "   7  virq         virq 1     0  -       -                         0  "
        "(Xen)\n"
        "  10  interdomain  0:110      0  0xf1t   pending         12345678901  "
        "vbd/51712 queue 0\n"));
}

/* It has the first signal before its second look. A guest that offers nonsense
 * does not end it. */
static void it_can_be_followed(void **state)
{
    struct evtchn_world *w = *state;
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    raise(SIGTERM);
    assert_int_equal(evtchn_world_call(w, "evtchn-list guest --watch"), CMD_OK);
    assert_non_null(strstr(w->out, "DEVICE\n   1  interdomain"));
    w->mem->patched = true;
    evtchn_world_put(w, "data/evtchn-vectors/version", "nonsense");
    assert_int_equal(evtchn_world_call(w, "evtchn-list guest"), CMD_FAILED);
    raise(SIGTERM);
    assert_int_equal(evtchn_world_call(w, "evtchn-list guest --watch"), CMD_OK);
    assert_int_equal(evtchn_world_call(w, "evtchn-list nobody --watch"),
                     CMD_FAILED);
    assert_int_equal(evtchn_world_call(w, "evtchn-list guest --watch=0"),
                     CMD_USAGE);
    sigprocmask(SIG_UNBLOCK, &term, NULL);
}

static void the_command_prints_json(void **state)
{
    struct evtchn_world *w = *state;
    assert_int_equal(evtchn_world_call(w, "evtchn-list --json guest"), CMD_OK);
    assert_non_null(strstr(w->out, "\"vectors\": false"));
    assert_non_null(strstr(w->out, "\"device\": \"vif/0 queue 1 tx\""));
    assert_non_null(strstr(w->out, "\"code\": \"no-patch\""));
    assert_null(strstr(w->out, "\"pending\""));
    w->mem->patched = true;
    w->guest->counting = true;
    assert_int_equal(evtchn_world_call(w, "evtchn-list -j guest"), CMD_OK);
    assert_non_null(strstr(w->out, "\"pending\": false"));
    assert_non_null(strstr(w->out, "\"count\": 0"));
}

static void a_pv_domain_is_listed(void **state)
{
    struct evtchn_world *w = *state;
    assert_int_equal(evtchn_world_call(w, "evtchn-list old"), CMD_OK);
    assert_non_null(strstr(w->out, "0:105      0  xenstore"));
    assert_non_null(strstr(w->out, "note: a PV domain"));
}

static void wrong_calls_are_told(void **state)
{
    struct evtchn_world *w = *state;
    static const struct {
        const char *line;
        int status;
        const char *says;
    } rows[] = {
        { "evtchn-list", CMD_USAGE, "one domain" },
        { "evtchn-list guest old", CMD_USAGE, "one domain" },
        { "evtchn-list guest --bad", CMD_USAGE, "no such option" },
        { "evtchn-list gues", CMD_FAILED,
          "domain gues: no such domain\nxl-ext: gues: did you mean guest?\n" },
        { "evtchn-list nobody", CMD_FAILED, "domain nobody: no such domain\n" },
        { "evtchn-list 77", CMD_FAILED, "domain 77: no such domain\n" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(evtchn_world_call(w, rows[i].line), rows[i].status);
        assert_non_null(strstr(w->err, rows[i].says));
        assert_string_equal(w->out, "");
    }
    w->guest->gone = true; /* while we looked */
    assert_int_equal(evtchn_world_call(w, "evtchn-list guest"), CMD_FAILED);
    assert_string_equal(w->err, "domain 5: no such domain\n");
}

static void each_call_that_fails_is_told_once(void **state)
{
    struct evtchn_world *w = *state;
    int failures = 0;
    for (int patched = 0; patched < 2; patched++)
        for (int n = 1;; n++) {
            w->mem->patched = patched;
            w->nth = (struct nth){ .fail_at = n };
            int status = evtchn_world_call(w, "evtchn-list guest");
            if (w->nth.calls < n)
                break;
            failures++;
            assert_int_equal(status, CMD_FAILED);
            assert_string_equal(w->out, "");
            assert_ptr_equal(strchr(w->err, '\n'), w->err + strlen(w->err) - 1);
        }
    assert_in_range(failures, 100, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        TEST(an_unpatched_xen_tells_of_every_port),
        TEST(a_patched_one_tells_more_in_pieces),
        TEST(a_pv_domain_may_not_use_what_is_there),
        TEST(many_ports_are_all_listed),
        TEST(a_list_that_does_not_go_on_ends),
        TEST(each_port_has_its_device),
        TEST(other_frontends_have_names_too),
        TEST(what_a_backend_serves_is_named_by_the_other_end),
        TEST(lies_in_xenstore_name_nothing),
        TEST(a_guest_cannot_make_it_walk_forever),
        TEST(the_walk_ends_where_it_is_said_to),
        TEST(disks_on_one_vcpu_are_told),
        TEST(a_device_with_one_queue_is_told),
        TEST(without_memory_nothing_is_told),
        TEST(what_needs_the_patch_is_told),
        TEST(the_command_prints_text),
        TEST(it_can_be_followed),
        TEST(the_command_prints_json),
        TEST(a_pv_domain_is_listed),
        TEST(wrong_calls_are_told),
        TEST(each_call_that_fails_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
