/*
 * turns CONNECTIONS MEGABYTES: so many connections through one thread of the engine, whose clients always have more to
 * send and whose backends take everything, until so much has passed on each on average. Prints the most bytes that
 * passed in one tick, once all connections are known to carry bulk, and the fewest that passed on a connection.
 */
#define _GNU_SOURCE
#include "../../native/engine/engine.h"
#include "waiting.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 256, CHUNK = 1024 * 1024, DIAL_MS = 10000, SIZE = 4 * CHUNK };

static char chunk[CHUNK];
static int connections, clients[MOST_CONNECTIONS], backends[MOST_CONNECTIONS];
static unsigned long long passed[MOST_CONNECTIONS], total, wanted, most;
static atomic_bool connected, done;

/* Everything that this thread has not moved yet is there when it goes on, however fast this machine is. */
void between_ticks(void) {
  if (!atomic_load(&connected) || atomic_load(&done)) return;
  unsigned long long before = total;
  for (int index = 0; index < connections; index++) {
    ssize_t got;
    while ((got = recv(backends[index], chunk, CHUNK, MSG_DONTWAIT | MSG_TRUNC)) > 0) {
      passed[index] += (unsigned long long)got;
      total += (unsigned long long)got;
    }
    while (send(clients[index], chunk, CHUNK, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) continue;
  }
  bool all_bulk = before >= (unsigned long long)connections * CHUNK;
  if (all_bulk && total - before > most) most = total - before;
  if (total >= wanted) atomic_store(&done, true);
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int new_socket(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), size = SIZE;
  if (fd < 0) fail("socket");
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  return fd;
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  connections = atoi(arguments[1]);
  wanted = (unsigned long long)connections * (unsigned long long)atoi(arguments[2]) * CHUNK;
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, address = any;
  struct sockaddr_storage bound, target = {0};
  socklen_t length = sizeof address;
  int backend = new_socket(), wake[2], listener;
  if (bind(backend, (struct sockaddr *)&any, length) < 0 || listen(backend, MOST_CONNECTIONS) < 0) fail("backend");
  getsockname(backend, (struct sockaddr *)&target, &length);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, wake) < 0) fail("socketpair");
  struct engine *engine = engine_start(1, wake[1]);
  static const struct settings settings;
  if (!engine) fail("engine_start");
  if (engine_listen(engine, (struct sockaddr *)&any, length, &settings, -1, &listener, &bound) != 0) fail("listen");
  for (int index = 0; index < connections; index++) {
    clients[index] = new_socket();
    if (connect(clients[index], (struct sockaddr *)&bound, length) < 0) fail("connect");
    for (bool accepted = false; !accepted;) {
      char bytes[8];
      struct event event[3];
      poll(&(struct pollfd){.fd = wake[0], .events = POLLIN}, 1, -1);
      if (read(wake[0], bytes, sizeof bytes) < 0) continue;
      for (unsigned taken = 1; taken > 0;) {
        taken = engine_take(engine, event, 3);
        for (unsigned at = 0; at < taken; at++) {
          if (event[at].kind == ACCEPTED) engine_dial(engine, event[at].slot, &target, 1, DIAL_MS), accepted = true;
          if (event[at].kind == DIAL_FAILED) fail("dial");
        }
      }
    }
    backends[index] = accept(backend, NULL, NULL);
    if (backends[index] < 0) fail("accept");
  }
  atomic_store(&connected, true);
  while (!atomic_load(&done)) {
    engine_check(engine); /* wakes the thread, so that it begins */
    usleep(10000);
  }
  engine_stop(engine);
  unsigned long long fewest = passed[0];
  for (int index = 1; index < connections; index++) fewest = passed[index] < fewest ? passed[index] : fewest;
  printf("{\"most\":%llu,\"fewest\":%llu}\n", most, fewest);
  return 0;
}
