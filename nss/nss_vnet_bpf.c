// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guests' names for the programs of the host, through glibc: "hosts: files vnet_bpf dns" in
 * /etc/nsswitch.conf. What is known is what dnsmasq has written into its files of leases: nothing is kept,
 * and nothing has to run. It is loaded into any process, set-user-id ones included.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <nss.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define MAX_FOUND 16

struct lease {
  int family;
  unsigned char addr[16];
};

struct found {
  struct lease leases[MAX_FOUND];
  size_t count;
  int32_t ttl; /* seconds until the first of them ends */
};

static size_t addr_size(int family) {
  return family == AF_INET ? 4 : 16;
}

/* As dnsmasq writes it: EXPIRY MAC-OR-IAID ADDRESS NAME CLIENT-ID; 0 never ends, "*" has no name. */
static void take_line(char* line, const char* name, int family, time_t now, struct found* found) {
  char *rest = line, *expiry = strsep(&rest, " "), *hardware = strsep(&rest, " "),
       *address = strsep(&rest, " "), *host = strsep(&rest, " ");
  struct lease lease = {0};
  long long left;
  char* end;

  if (!hardware || !address || !host || strcasecmp(host, name) || found->count == MAX_FOUND) return;
  left = strtoll(expiry, &end, 10);
  if (*end || end == expiry || (left && left <= now)) return;
  lease.family = strchr(address, ':') ? AF_INET6 : AF_INET;
  if ((family != AF_UNSPEC && family != lease.family) || inet_pton(lease.family, address, lease.addr) != 1)
    return;
  left = left ? left - now : INT32_MAX;
  if (left < found->ttl) found->ttl = (int32_t)left;
  found->leases[found->count++] = lease;
}

static void take_file(int folder, const char* file, const char* name, int family, struct found* found) {
  int fd = openat(folder, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  FILE* leases = fd < 0 ? NULL : fdopen(fd, "re");
  time_t now = time(NULL);
  char* line = NULL;
  size_t size = 0;

  if (!leases) {
    if (fd >= 0) close(fd);
    return;
  }
  while (getline(&line, &size, leases) > 0) take_line(line, name, family, now, found);
  free(line);
  fclose(leases);
}

static void look_up(const char* name, int family, struct found* found) {
  const char* state = secure_getenv("VNET_BPF_STATE_DIR");
  char path[PATH_MAX] = VNET_LEASES;
  struct dirent* entry;
  DIR* folder;

  found->count = 0;
  found->ttl = INT32_MAX;
  // A guest calls itself what it likes: not by the names of others.
  if (!*name || !strcmp(name, "*") || strchr(name, '.') || !strcasecmp(name, "localhost")) return;
  if (state && *state && snprintf(path, sizeof(path), "%s/leases", state) >= (int)sizeof(path)) return;
  folder = opendir(path);
  if (!folder) return;
  while ((entry = readdir(folder))) {
    const char* dot = strrchr(entry->d_name, '.');

    if (dot && !strcmp(dot, ".leases")) take_file(dirfd(folder), entry->d_name, name, family, found);
  }
  closedir(folder);
}

/* Room of the caller's, who is told to come again with more. */
struct room {
  char* at;
  size_t left;
};

static void* take_room(struct room* room, size_t size) {
  size_t gap = -(uintptr_t)room->at % alignof(max_align_t);
  char* start = room->at + gap;

  if (room->left < gap || room->left - gap < size) return NULL;
  room->at = start + size;
  room->left -= gap + size;
  return start;
}

static enum nss_status no_room(int* errnop, int* herrnop) {
  *errnop = ERANGE;
  *herrnop = NETDB_INTERNAL;
  return NSS_STATUS_TRYAGAIN;
}

static enum nss_status unknown(int* errnop, int* herrnop) {
  *errnop = ENOENT;
  *herrnop = HOST_NOT_FOUND;
  return NSS_STATUS_NOTFOUND;
}

EXPORT enum nss_status _nss_vnet_bpf_gethostbyname4_r(const char* name, struct gaih_addrtuple** answer,
                                                      char* buffer, size_t size, int* errnop, int* herrnop,
                                                      int32_t* ttl) {
  struct room room = {buffer, size};
  struct gaih_addrtuple** next = answer;
  struct found found;
  char* own_name;

  look_up(name, AF_UNSPEC, &found);
  if (!found.count) return unknown(errnop, herrnop);
  own_name = take_room(&room, strlen(name) + 1);
  if (!own_name) return no_room(errnop, herrnop);
  strcpy(own_name, name);
  for (size_t i = 0; i < found.count; i++) {
    /* The first one may be the caller's own. */
    struct gaih_addrtuple* tuple = *next && !i ? *next : take_room(&room, sizeof(*tuple));

    if (!tuple) return no_room(errnop, herrnop);
    *tuple = (struct gaih_addrtuple){.name = own_name, .family = found.leases[i].family};
    memcpy(tuple->addr, found.leases[i].addr, addr_size(tuple->family));
    *next = tuple;
    next = &tuple->next;
  }
  if (ttl) *ttl = found.ttl;
  return NSS_STATUS_SUCCESS;
}

EXPORT enum nss_status _nss_vnet_bpf_gethostbyname3_r(const char* name, int family, struct hostent* result,
                                                      char* buffer, size_t size, int* errnop, int* herrnop,
                                                      int32_t* ttl, char** canonical) {
  struct room room = {buffer, size};
  struct found found;
  char **pointers, *own_name, *addresses;
  size_t length;

  if (family == AF_UNSPEC) family = AF_INET;
  if (family != AF_INET && family != AF_INET6) return unknown(errnop, herrnop);
  look_up(name, family, &found);
  if (!found.count) return unknown(errnop, herrnop);
  length = addr_size(family);
  pointers = take_room(&room, (found.count + 2) * sizeof(*pointers));
  addresses = take_room(&room, found.count * length);
  own_name = take_room(&room, strlen(name) + 1);
  if (!pointers || !addresses || !own_name) return no_room(errnop, herrnop);
  strcpy(own_name, name);
  for (size_t i = 0; i < found.count; i++) {
    pointers[i] = addresses + i * length;
    memcpy(pointers[i], found.leases[i].addr, length);
  }
  pointers[found.count] = pointers[found.count + 1] = NULL;
  *result = (struct hostent){.h_name = own_name,
                             .h_aliases = &pointers[found.count + 1],
                             .h_addrtype = family,
                             .h_length = (int)length,
                             .h_addr_list = pointers};
  if (ttl) *ttl = found.ttl;
  if (canonical) *canonical = own_name;
  return NSS_STATUS_SUCCESS;
}

EXPORT enum nss_status _nss_vnet_bpf_gethostbyname2_r(const char* name, int family, struct hostent* result,
                                                      char* buffer, size_t size, int* errnop, int* herrnop) {
  return _nss_vnet_bpf_gethostbyname3_r(name, family, result, buffer, size, errnop, herrnop, NULL, NULL);
}

EXPORT enum nss_status _nss_vnet_bpf_gethostbyname_r(const char* name, struct hostent* result, char* buffer,
                                                     size_t size, int* errnop, int* herrnop) {
  return _nss_vnet_bpf_gethostbyname2_r(name, AF_INET, result, buffer, size, errnop, herrnop);
}
