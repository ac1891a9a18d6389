/* Sockets: how they are made, their options, and what can be asked of them. Knows nothing of the engine's threads. */
#ifndef GW_SOCKET_H
#define GW_SOCKET_H

#include "engine.h"

#include <errno.h>
#include <netinet/in.h>

/* Repeats a system call that a signal has interrupted. After 16 interruptions the call has failed: nothing may spin. */
#define RETRIED(call)                                                       \
  ({                                                                        \
    int retries_left = 16;                                                  \
    __typeof__(call) call_result;                                           \
    do call_result = (call);                                                \
    while (call_result < 0 && errno == EINTR && --retries_left > 0);        \
    call_result;                                                            \
  })

/* The families that are listened on and dialled. A sockaddr_storage would be most of a connection's memory. */
union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

/* In network byte order. */
in_port_t port_of(const union address *);

/* A socket that listens; -1 with errno set. Accepted sockets inherit its options. */
int listening_socket(const struct sockaddr *, socklen_t length, const struct settings *);

/* Prepares a socket that was made elsewhere and listens, as listening_socket does. 0, or an errno: see engine.h. */
int adopt_listening_socket(int fd, const struct settings *);

/* Sets TCP_NODELAY. 0, or an errno. */
int set_no_delay(int fd);
/* Sets the keepalive options and the user timeout: five system calls that a short connection is spared. 0, or an errno. */
int set_keepalive_options(int fd, const struct settings *);
/* Sets TCP_USER_TIMEOUT; 0 is the system's default. False if the system refuses it. */
bool set_user_timeout(int fd, uint32_t ms);
/* Makes close(2) send a reset and drop what is not sent yet. */
void reset_on_close(int fd);

/* The error that is pending on a socket, or 0. */
int socket_error(int fd);
/* Whether an error comes from this machine (memory, descriptors, a sandbox), so that no peer is to blame. */
bool is_local_error(int error);
/* The ports that the system picks for sockets that dial, in host byte order; all if that cannot be read. */
struct ports {
  uint16_t first, last;
};
struct ports ephemeral_ports(void);
/*
 * The error of a socket that has dialled `port`, or 0 if it is connected. ECONNREFUSED if it is its own peer, which it
 * can only be if the system may have picked that port; closing it resets it, so that no TIME_WAIT keeps a server from
 * the port.
 */
int dial_error(int fd, bool has_failed, in_port_t port, struct ports ephemeral);

#endif
