/*
 * A process ends while one of two threads of its engine hangs in a dial. Prints how many of its clients see no reset:
 * those that have got nothing must not take the end of the process for an end of the connection.
 */
#define _GNU_SOURCE
#include "../../native/engine/engine.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS = 12 };

static atomic_bool hangs;
static atomic_uint accepted;

int hanging_connect(int fd, const struct sockaddr *address, socklen_t length) {
  if (!atomic_exchange(&hangs, true))
    for (;;) pause();
  return connect(fd, address, length);
}

int counting_accept(int fd, struct sockaddr *address, socklen_t *length, int flags) {
  int client = accept4(fd, address, length, flags);
  if (client >= 0) atomic_fetch_add(&accepted, 1);
  return client;
}

/* Accepts all clients by dials in stock, then ends. Of those that the engine gives to the thread that hangs, it hears
 * nothing. */
static void run_engine(const struct sockaddr_storage *backend, int address_fd) {
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_storage bound;
  struct settings settings = {0};
  int wake[2], listener;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, wake) < 0) abort();
  struct engine *engine = engine_start(2, wake[1]);
  int stock = engine_new_stock(engine);
  if (engine_listen(engine, (struct sockaddr *)&any, sizeof any, &settings, stock, &listener, &bound) != 0) abort();
  if (engine_stock(engine, stock, backend, 1, 60000, CLIENTS) != CLIENTS) abort();
  if (write(address_fd, &bound, sizeof bound) != sizeof bound) abort();
  while (atomic_load(&accepted) < CLIENTS) usleep(1000);
  if (engine_stop(engine)) abort();
  _exit(0);
}

int main(void) {
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_storage backend = {0}, gateway;
  socklen_t length = sizeof backend;
  int ends[2], clients[CLIENTS], status, without_reset = 0;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&any, sizeof any) < 0 || listen(listener, CLIENTS) < 0) abort();
  getsockname(listener, (struct sockaddr *)&backend, &length);
  if (pipe(ends) < 0) abort();
  pid_t child = fork();
  if (child == 0) run_engine(&backend, ends[1]);
  if (read(ends[0], &gateway, sizeof gateway) != sizeof gateway) abort();
  for (int index = 0; index < CLIENTS; index++) {
    clients[index] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(clients[index], (struct sockaddr *)&gateway, sizeof any) < 0) abort();
  }
  if (waitpid(child, &status, 0) != child || status != 0) abort();
  for (int index = 0; index < CLIENTS; index++) {
    char byte;
    if (recv(clients[index], &byte, 1, 0) >= 0) without_reset++;
  }
  printf("%d\n", without_reset);
  return 0;
}
