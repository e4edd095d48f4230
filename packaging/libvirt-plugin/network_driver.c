// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libvirt_driver_network.so for a monolithic libvirtd: every call about networks goes to the socket of
 * `vnet-bpf serve`. libvirtd loads it from the folder that LIBVIRT_DRIVER_DIR names, in place of its own.
 *
 * What libvirtd wants of a driver is no public interface of libvirt's. So the versions are listed with which
 * this has been tried; with another one it registers nothing, and libvirtd goes on without networks.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/model/tried_libvirt.h"

#define DEFAULT_SOCKET "/run/vnet-bpf/network-sock"

static const struct {
	unsigned long major, minor;
} tried[] = {
#define ROW(major, minor) { major, minor },
	VNET_TRIED_LIBVIRT(ROW)
#undef ROW
};

/* One connection for all, made anew when the server was restarted. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static virConnectPtr shared;

static virConnectPtr server(void)
{
	const char *path = getenv("VNET_BPF_NETWORK_SOCKET");
	virConnectPtr connection = NULL;
	char uri[512];

	snprintf(uri, sizeof(uri), "network+unix:///system?socket=%s", path ? path : DEFAULT_SOCKET);
	pthread_mutex_lock(&lock);
	if (shared && virConnectIsAlive(shared) != 1) {
		virConnectClose(shared);
		shared = NULL;
	}
	if (!shared)
		shared = virConnectOpen(uri);
	if (shared && virConnectRef(shared) == 0)
		connection = shared;
	pthread_mutex_unlock(&lock);
	return connection;
}

/* The object handed in belongs to libvirtd's connection; this one to the server's. */
static virNetworkPtr theirs(virNetworkPtr net)
{
	unsigned char uuid[VIR_UUID_BUFLEN];
	virConnectPtr connection = server();
	virNetworkPtr found = NULL;

	if (!connection)
		return NULL;
	if (virNetworkGetUUID(net, uuid) == 0)
		found = virNetworkLookupByUUID(connection, uuid);
	virConnectClose(connection);
	return found;
}

static virNetworkPortPtr their_port(virNetworkPortPtr port)
{
	unsigned char uuid[VIR_UUID_BUFLEN];
	virNetworkPtr net = theirs(virNetworkPortGetNetwork(port));
	virNetworkPortPtr found = NULL;

	if (!net)
		return NULL;
	if (virNetworkPortGetUUID(port, uuid) == 0)
		found = virNetworkPortLookupByUUID(net, uuid);
	virNetworkFree(net);
	return found;
}

/* A call with the server's connection, network or port in the place of libvirtd's. */
#define WITH(type, get, put, name, result, failed, parameters, call)         \
	static result name parameters                                         \
	{                                                                     \
		type of = get;                                                \
		result value = failed;                                        \
                                                                              \
		if (!of)                                                      \
			return failed;                                        \
		value = call;                                                 \
		put(of);                                                      \
		return value;                                                 \
	}
#define ON_CONNECTION(...) WITH(virConnectPtr, server(), virConnectClose, __VA_ARGS__)
#define ON_NETWORK(...) WITH(virNetworkPtr, theirs(net), virNetworkFree, __VA_ARGS__)
#define ON_PORT(...) WITH(virNetworkPortPtr, their_port(port), virNetworkPortFree, __VA_ARGS__)

ON_CONNECTION(count_active, int, -1, (virConnectPtr conn), virConnectNumOfNetworks(of))
ON_CONNECTION(list_active, int, -1, (virConnectPtr conn, char **const names, int most),
	      virConnectListNetworks(of, names, most))
ON_CONNECTION(count_defined, int, -1, (virConnectPtr conn), virConnectNumOfDefinedNetworks(of))
ON_CONNECTION(list_defined, int, -1, (virConnectPtr conn, char **const names, int most),
	      virConnectListDefinedNetworks(of, names, most))
ON_CONNECTION(list_all, int, -1, (virConnectPtr conn, virNetworkPtr **nets, unsigned int flags),
	      virConnectListAllNetworks(of, nets, flags))
ON_CONNECTION(deregister_event, int, -1, (virConnectPtr conn, int callback),
	      virConnectNetworkEventDeregisterAny(of, callback))
ON_CONNECTION(lookup_by_uuid, virNetworkPtr, NULL, (virConnectPtr conn, const unsigned char *uuid),
	      virNetworkLookupByUUID(of, uuid))
ON_CONNECTION(lookup_by_name, virNetworkPtr, NULL, (virConnectPtr conn, const char *name),
	      virNetworkLookupByName(of, name))
ON_CONNECTION(create_xml, virNetworkPtr, NULL, (virConnectPtr conn, const char *xml), virNetworkCreateXML(of, xml))
ON_CONNECTION(create_xml_flags, virNetworkPtr, NULL, (virConnectPtr conn, const char *xml, unsigned int flags),
	      virNetworkCreateXMLFlags(of, xml, flags))
ON_CONNECTION(define_xml, virNetworkPtr, NULL, (virConnectPtr conn, const char *xml), virNetworkDefineXML(of, xml))
ON_CONNECTION(define_xml_flags, virNetworkPtr, NULL, (virConnectPtr conn, const char *xml, unsigned int flags),
	      virNetworkDefineXMLFlags(of, xml, flags))

ON_NETWORK(undefine, int, -1, (virNetworkPtr net), virNetworkUndefine(of))
ON_NETWORK(update, int, -1,
	   (virNetworkPtr net, unsigned int command, unsigned int section, int parent, const char *xml,
	    unsigned int flags),
	   virNetworkUpdate(of, command, section, parent, xml, flags))
ON_NETWORK(create, int, -1, (virNetworkPtr net), virNetworkCreate(of))
ON_NETWORK(destroy, int, -1, (virNetworkPtr net), virNetworkDestroy(of))
ON_NETWORK(get_xml, char *, NULL, (virNetworkPtr net, unsigned int flags), virNetworkGetXMLDesc(of, flags))
ON_NETWORK(get_bridge_name, char *, NULL, (virNetworkPtr net), virNetworkGetBridgeName(of))
ON_NETWORK(get_autostart, int, -1, (virNetworkPtr net, int *enabled), virNetworkGetAutostart(of, enabled))
ON_NETWORK(set_autostart, int, -1, (virNetworkPtr net, int enable), virNetworkSetAutostart(of, enable))
ON_NETWORK(is_active, int, -1, (virNetworkPtr net), virNetworkIsActive(of))
ON_NETWORK(is_persistent, int, -1, (virNetworkPtr net), virNetworkIsPersistent(of))
ON_NETWORK(get_leases, int, -1,
	   (virNetworkPtr net, const char *mac, virNetworkDHCPLeasePtr **leases, unsigned int flags),
	   virNetworkGetDHCPLeases(of, mac, leases, flags))
ON_NETWORK(port_lookup, virNetworkPortPtr, NULL, (virNetworkPtr net, const unsigned char *uuid),
	   virNetworkPortLookupByUUID(of, uuid))
ON_NETWORK(port_create, virNetworkPortPtr, NULL, (virNetworkPtr net, const char *xml, unsigned int flags),
	   virNetworkPortCreateXML(of, xml, flags))
ON_NETWORK(list_ports, int, -1, (virNetworkPtr net, virNetworkPortPtr **ports, unsigned int flags),
	   virNetworkListAllPorts(of, ports, flags))

ON_PORT(port_get_xml, char *, NULL, (virNetworkPortPtr port, unsigned int flags), virNetworkPortGetXMLDesc(of, flags))
ON_PORT(port_set_parameters, int, -1,
	(virNetworkPortPtr port, virTypedParameterPtr parameters, int count, unsigned int flags),
	virNetworkPortSetParameters(of, parameters, count, flags))
ON_PORT(port_get_parameters, int, -1,
	(virNetworkPortPtr port, virTypedParameterPtr *parameters, int *count, unsigned int flags),
	virNetworkPortGetParameters(of, parameters, count, flags))
ON_PORT(port_delete, int, -1, (virNetworkPortPtr port, unsigned int flags), virNetworkPortDelete(of, flags))

static int register_event(virConnectPtr conn, virNetworkPtr net, int event,
			  virConnectNetworkEventGenericCallback callback, void *opaque, virFreeCallback done)
{
	virConnectPtr connection = server();
	virNetworkPtr of = NULL;
	int number = -1;

	if (!connection)
		return -1;
	if (!net || (of = theirs(net)))
		number = virConnectNetworkEventRegisterAny(connection, of, event, callback, opaque, done);
	if (of)
		virNetworkFree(of);
	virConnectClose(connection);
	return number;
}

/* Public since 9.7. */
static int (*set_metadata_of)(virNetworkPtr, int, const char *, const char *, const char *, unsigned int);
static char *(*get_metadata_of)(virNetworkPtr, int, const char *, unsigned int);
ON_NETWORK(set_metadata, int, -1,
	   (virNetworkPtr net, int type, const char *metadata, const char *key, const char *uri, unsigned int flags),
	   set_metadata_of(of, type, metadata, key, uri, flags))
ON_NETWORK(get_metadata, char *, NULL, (virNetworkPtr net, int type, const char *uri, unsigned int flags),
	   get_metadata_of(of, type, uri, flags))

/* A daemon's drivers open `network:///system`; that connection needs no state of its own. */
static int open_connection(virConnectPtr conn, virConnectAuthPtr auth, void *configuration, unsigned int flags)
{
	return 0;
}

static int close_connection(virConnectPtr conn)
{
	return 0;
}

typedef void (*any_function)(void);
#define F(name) ((any_function)(name))

static struct {
	const char *name;
	any_function calls[64]; /* those behind ours: not implemented */
} network_table = { "vnet-bpf",
		    { F(count_active),	  F(list_active),      F(count_defined),    F(list_defined),
		      F(list_all),	  F(register_event),   F(deregister_event), F(lookup_by_uuid),
		      F(lookup_by_name),  F(create_xml),       F(create_xml_flags), F(define_xml),
		      F(define_xml_flags), F(undefine),	       F(update),	    F(create),
		      F(destroy),	  F(get_xml),	       F(get_bridge_name),  F(get_autostart),
		      F(set_autostart),	  F(is_active),	       F(is_persistent),    F(get_leases),
		      F(port_lookup),	  F(port_create),      F(port_get_xml),	    F(port_set_parameters),
		      F(port_get_parameters), F(port_delete),  F(list_ports),	    F(set_metadata),
		      F(get_metadata) } };
enum { set_metadata_at = 31, get_metadata_at = 32 };

static struct {
	const char *name;
	any_function probe, open, close, others[400];
} hypervisor_table = { "network", NULL, F(open_connection), F(close_connection), { NULL } };

static const char *schemes[] = { "network", NULL };

static struct {
	bool local_only, remote_only, embeddable;
	const char **schemes;
	void *hypervisor, *interface, *network, *nodedev, *nwfilter, *secret, *storage, *others[8];
} connect_driver = { .local_only = true,
		     .schemes = schemes,
		     .hypervisor = &hypervisor_table,
		     .network = &network_table };

static bool is_tried(unsigned long version)
{
	for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++)
		if (version / 1000000 == tried[i].major && version / 1000 % 1000 == tried[i].minor)
			return true;
	return false;
}

/* libvirtd calls this. -1 would keep it from starting. */
__attribute__((visibility("default"))) int networkRegister(void);
int networkRegister(void)
{
	int (*register_driver)(void *, bool) =
		(int (*)(void *, bool))dlsym(RTLD_DEFAULT, "virRegisterConnectDriver");
	int (*share_driver)(void *) = (int (*)(void *))dlsym(RTLD_DEFAULT, "virSetSharedNetworkDriver");
	unsigned long version = 0;

	if (virGetVersion(&version, NULL, NULL) < 0 || !is_tried(version) || !register_driver || !share_driver) {
		fprintf(stderr,
			"vnet-bpf: libvirt %lu.%lu.%lu is not among the versions that this network driver has been "
			"tried with; libvirtd goes on without networks (vnet-bpf libvirt disable gives libvirt's own "
			"back)\n",
			version / 1000000, version / 1000 % 1000, version % 1000);
		return 0;
	}
	set_metadata_of = dlsym(RTLD_DEFAULT, "virNetworkSetMetadata");
	get_metadata_of = dlsym(RTLD_DEFAULT, "virNetworkGetMetadata");
	if (!set_metadata_of || !get_metadata_of)
		network_table.calls[set_metadata_at] = network_table.calls[get_metadata_at] = NULL;
	if (register_driver(&connect_driver, false) < 0 || share_driver(&network_table) < 0)
		fprintf(stderr, "vnet-bpf: libvirtd does not take this network driver; it goes on without networks\n");
	return 0;
}
