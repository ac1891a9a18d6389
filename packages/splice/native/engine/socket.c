/* Sockets: see socket.h. */
#define _GNU_SOURCE
#include "socket.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

bool is_local_error(int error) {
  switch (error) {
  case EPIPE:
  case ECONNRESET:
  case ECONNREFUSED:
  case ECONNABORTED:
  case ETIMEDOUT:
  case EHOSTUNREACH:
  case EHOSTDOWN:
  case ENETUNREACH:
  case ENETDOWN:
  case ENETRESET:
  case ENONET:
  case ENOPROTOOPT: /* an ICMP message */
  case EPROTO:
    return false;
  default:
    return true;
  }
}

int socket_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
  return error;
}

void reset_on_close(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0) return;
  /* Dissolving the association resets the connection as well: connect(2). */
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  (void)connect(fd, &none, sizeof none);
}

/* 0 leaves the system's default. */
static bool set_option(int fd, int level, int name, uint32_t value) {
  int option = (int)value;
  return value == 0 || setsockopt(fd, level, name, &option, sizeof option) == 0;
}

/* The system has whole seconds. */
static uint32_t seconds(uint32_t ms) { return ms / 1000 + (ms % 1000 > 0); }

int set_no_delay(int fd) { return set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) ? 0 : errno; }

int set_keepalive_options(int fd, const struct settings *settings) {
  bool all = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, settings->keepalive_delay > 0) &&
             set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds(settings->keepalive_delay)) &&
             set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds(settings->keepalive_interval)) &&
             set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, settings->keepalive_probes) &&
             set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, settings->user_timeout);
  return all ? 0 : errno;
}

bool set_user_timeout(int fd, uint32_t ms) {
  unsigned value = ms;
  return setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value) == 0;
}

/* The options that accepted sockets inherit. Unix sockets have none of them. */
static int set_inherited_options(int fd, int family, const struct settings *settings) {
  if (family == AF_UNIX) return 0;
  int error = set_no_delay(fd);
  return error ? error : set_keepalive_options(fd, settings);
}

int listening_socket(const struct sockaddr *address, socklen_t length, const struct settings *settings) {
  int family = address->sa_family;
  int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int error = family == AF_UNIX || set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) ? 0 : errno;
  if (error == 0) error = set_inherited_options(fd, family, settings);
  if (error == 0 && bind(fd, address, length) == 0 && listen(fd, BACKLOG) == 0) return fd;
  if (error == 0) error = errno;
  close(fd);
  errno = error;
  return -1;
}

/* An option of a socket that has a number; -1 with errno set. */
static int get_option(int fd, int name) {
  int value;
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0 ? -1 : value;
}

int adopt_listening_socket(int fd, const struct settings *settings) {
  int family = get_option(fd, SO_DOMAIN);
  if (family < 0) return errno;
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) return EAFNOSUPPORT;
  if (get_option(fd, SO_TYPE) != SOCK_STREAM) return EPROTOTYPE;
  if (get_option(fd, SO_ACCEPTCONN) != 1) return EINVAL;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return errno;
  return set_inherited_options(fd, family, settings);
}

in_port_t port_of(const union address *address) {
  return address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port;
}

struct ports ephemeral_ports(void) {
  struct ports ports = {0, UINT16_MAX};
  char text[32] = "";
  int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ports;
  ssize_t length = RETRIED(read(fd, text, sizeof text - 1));
  close(fd);
  char *end = text;
  unsigned long first = length > 0 ? strtoul(text, &end, 10) : 0, last = strtoul(end, NULL, 10);
  if (first > 0 && last >= first && last <= UINT16_MAX) ports = (struct ports){(uint16_t)first, (uint16_t)last};
  return ports;
}

/* A dial to a local port without a listener connects to itself if the system picks that port as the source. */
static bool is_connected_to_itself(int fd, in_port_t port, struct ports ephemeral) {
  if (ntohs(port) < ephemeral.first || ntohs(port) > ephemeral.last) return false;
  union address here, there;
  socklen_t length = sizeof here, other = sizeof there;
  if (getsockname(fd, &here.any, &length) < 0 || port_of(&here) != port) return false;
  if (getpeername(fd, &there.any, &other) < 0) return false;
  if (here.any.sa_family == AF_INET)
    return here.v4.sin_port == there.v4.sin_port && here.v4.sin_addr.s_addr == there.v4.sin_addr.s_addr;
  return here.v6.sin6_port == there.v6.sin6_port &&
         memcmp(&here.v6.sin6_addr, &there.v6.sin6_addr, sizeof here.v6.sin6_addr) == 0;
}

int dial_error(int fd, bool has_failed, in_port_t port, struct ports ephemeral) {
  int error = has_failed ? socket_error(fd) : 0;
  if (error != 0 || !is_connected_to_itself(fd, port, ephemeral)) return error;
  reset_on_close(fd);
  return ECONNREFUSED;
}
