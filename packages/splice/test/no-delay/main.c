/* no-delay: relays four writes to a backend, and prints after each whether the backend's socket has TCP_NODELAY. */
#define _GNU_SOURCE
#include "../../native/engine/internal.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WRITES = 4 };

static void check(bool holds, const char *what) {
  if (holds) return;
  perror(what);
  exit(1);
}

/* Two TCP sockets that are connected with each other. */
static void connected_pair(int fds[2]) {
  union address address = {.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof address.v4;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  check(bind(listener, &address.any, length) == 0 && listen(listener, 1) == 0, "listen");
  check(getsockname(listener, &address.any, &length) == 0, "getsockname");
  fds[0] = socket(AF_INET, SOCK_STREAM, 0);
  check(connect(fds[0], &address.any, length) == 0, "connect");
  fds[1] = accept(listener, NULL, NULL);
  check(fds[1] >= 0, "accept");
  close(listener);
}

int main(void) {
  static struct engine engine;
  static struct listener listener; /* without timeouts */
  struct thread thread = {.engine = &engine, .buffer = malloc(BUFFER)};
  int client[2], backend[2];
  connected_pair(client);
  connected_pair(backend);
  struct connection connection = {.thread = &thread, .listener = &listener, .state = RELAYING};
  connection.side[CLIENT] = (struct side){.fd = client[1], .writable = true};
  connection.side[BACKEND] = (struct side){.fd = backend[0], .writable = true};
  for (int write = 0; write < WRITES; write++) {
    char byte = 'x';
    check(send(client[0], &byte, 1, 0) == 1, "send");
    connection.side[CLIENT].readable = true;
    move_bytes(&thread, &connection);
    check(recv(backend[1], &byte, 1, 0) == 1, "recv");
    int is_set = 0;
    socklen_t length = sizeof is_set;
    check(getsockopt(backend[0], IPPROTO_TCP, TCP_NODELAY, &is_set, &length) == 0, "getsockopt");
    printf("%d\n", is_set);
  }
  return 0;
}
