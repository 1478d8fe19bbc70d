/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The channels of the guest's frontends, from what they wrote below device/ in
 * xenstore: device/vif/0/queue-1/event-channel-rx,
 * device/vbd/51712/event-channel.
 */
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <xen/xenbus.h>

#include "xen-vec.h"

#define PATH_MAX_HERE 80
#define MAJOR_XVD 202
#define EXTENDED BIT(28)

struct frontend {
	char kind[16];	 /* "vif" */
	char path[32];	 /* "vif/0" */
	char disk[12];	 /* "xvda", or "" */
	char called[24]; /* "vif0", "xvda" */
	xv_found_fn *fn;
};

/* --- names ---------------------------------------------------------------- */

/* "a" to "z", then "aa" and so on. */
static void disk_letters(unsigned int n, char *to, size_t size)
{
	if (n >= 26)
		snprintf(to, size, "xvd%c%c", 'a' + n / 26 - 1, 'a' + n % 26);
	else
		snprintf(to, size, "xvd%c", 'a' + n);
}

/* Only whole disks, and only those that Linux calls xvd. */
static void disk_name(unsigned int vdev, char *to, size_t size)
{
	unsigned int n = 26 * 27;

	*to = 0;
	if (vdev & EXTENDED && !(vdev & 0xff))
		n = (vdev & ~EXTENDED) >> 8;
	else if (vdev >> 8 == MAJOR_XVD && !(vdev & 0xf))
		n = (vdev & 0xff) >> 4;
	if (n < 26 * 27)
		disk_letters(n, to, size);
}

static void name_device(struct frontend *d, const char *id)
{
	unsigned int vdev;

	d->disk[0] = 0;
	if (!strcmp(d->kind, "vbd") && !kstrtouint(id, 10, &vdev))
		disk_name(vdev, d->disk, sizeof(d->disk));
	if (d->disk[0])
		strscpy(d->called, d->disk, sizeof(d->called));
	else
		snprintf(d->called, sizeof(d->called), "%s%s", d->kind, id);
}

/* --- the scan ------------------------------------------------------------- */

/* A folder's nodes; NULL when there are none. To be freed. */
static char **nodes_of(const char *path, unsigned int *nr)
{
	char **nodes = xenbus_directory(XBT_NIL, path, "", nr);

	return IS_ERR(nodes) ? NULL : nodes;
}

/* A node "event-channel", or "event-channel-rx" with that ending. */
static void tell(const struct frontend *d, const char *folder, const char *node,
		 unsigned int queue)
{
	const char *ending = node + strlen("event-channel");
	struct xv_found found = { .kind = d->kind,
				  .device = d->path,
				  .disk = d->disk };
	char name[XV_NAME_MAX - 8];

	found.port = xenbus_read_unsigned(folder, node, 0);
	snprintf(name, sizeof(name), "%s-q%u%s", d->called, queue, ending);
	found.name = name;
	if (found.port)
		d->fn(&found);
}

static void scan_queue(const struct frontend *d, const char *folder,
		       unsigned int queue)
{
	unsigned int nr, i;
	char **nodes = nodes_of(folder, &nr);

	for (i = 0; nodes && i < nr; i++)
		if (strstarts(nodes[i], "event-channel"))
			tell(d, folder, nodes[i], queue);
	kfree(nodes);
}

static void scan_queues(const struct frontend *d, const char *folder)
{
	unsigned int nr, i, queue;
	char **nodes = nodes_of(folder, &nr);
	char path[PATH_MAX_HERE];

	for (i = 0; nodes && i < nr; i++) {
		if (sscanf(nodes[i], "queue-%u", &queue) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, nodes[i]);
		scan_queue(d, path, queue);
	}
	kfree(nodes);
}

/* Before it is connected, what a frontend wrote may be of the time before. */
static void scan_device(struct frontend *d, const char *id)
{
	char folder[PATH_MAX_HERE];
	unsigned int state;

	snprintf(d->path, sizeof(d->path), "%s/%s", d->kind, id);
	snprintf(folder, sizeof(folder), "device/%s", d->path);
	state = xenbus_read_unsigned(folder, "state", XenbusStateUnknown);
	if (state != XenbusStateConnected)
		return;
	name_device(d, id);
	scan_queue(d, folder, 0);
	scan_queues(d, folder);
}

static void scan_kind(struct frontend *d, const char *kind)
{
	char folder[PATH_MAX_HERE];
	unsigned int nr, i;
	char **nodes;

	strscpy(d->kind, kind, sizeof(d->kind));
	snprintf(folder, sizeof(folder), "device/%s", kind);
	nodes = nodes_of(folder, &nr);
	for (i = 0; nodes && i < nr; i++)
		scan_device(d, nodes[i]);
	kfree(nodes);
}

void xv_scan(xv_found_fn *fn)
{
	struct frontend d = { .fn = fn };
	unsigned int nr, i;
	char **nodes = nodes_of("device", &nr);

	for (i = 0; nodes && i < nr; i++)
		scan_kind(&d, nodes[i]);
	kfree(nodes);
}

/* --- the choice ----------------------------------------------------------- */

static bool is(const char *word, size_t len, const char *text)
{
	return *text && strlen(text) == len && !strncmp(word, text, len);
}

bool xv_chosen(const char *list, const struct xv_found *found)
{
	char port[16];
	size_t len;

	snprintf(port, sizeof(port), "port/%u", found->port);
	for (; *list; list += len) {
		list += strspn(list, ", \n");
		len = strcspn(list, ", \n");
		if (is(list, len, found->kind) ||
		    is(list, len, found->device) ||
		    is(list, len, found->disk) || is(list, len, port))
			return true;
	}
	return false;
}
