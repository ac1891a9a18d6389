/*
 * faults FROM STEP: tests the engine with every STEPth fault from FROM on. Each case starts an engine, makes a few
 * connections, and checks that nothing hangs, nothing spins, nothing is cut without a reset, and that the engine
 * works when the fault is over, with and without a stock of dials. Prints the violation.
 */
#define _GNU_SOURCE
#include "../../native/engine/engine.h"
#include "plan.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 3, UP = 1000, DOWN = 1500 * 1000, HANG_MS = 5000, DIAL_MS = 500 };
/* Of one call, per second: failed calls may be retried now and then. */
enum { MOST_CALLS = 4000 };

static char bytes[DOWN];
/* A client, or its backend. */
struct end {
  int fd; /* -1: none (yet) */
  size_t to_send, sent, to_get, got;
  bool eof, write_side_closed, failed;
};
struct connection {
  struct end client, backend;
  uint16_t port; /* of the client */
  bool accepted, ended, closed; /* `closed`: by the controller, since the dial failed */
};
static struct engine *engine;
static int wake[2], backend_listener, listener, stock; /* `stock` is -1: there is none */
static bool with_stock;
static struct sockaddr_in listen_address, backend;
static struct connection connections[CONNECTIONS];
static uint16_t ports[4096]; /* by slot */
static uint64_t checked_at;

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void fail(const char *what) {
  const char *when = plan.at == ALWAYS ? "always" : plan.at ? "later" : "once";
  printf("%s %s (%s%s%s): %s\n", plan.call, strerrorname_np(plan.error), when,
         plan.at_start ? ", at the start" : "", with_stock ? ", with a stock" : "", what);
  fflush(stdout);
  _exit(1);
}

static int bound(struct sockaddr_in *address) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  socklen_t length = sizeof *address;
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr *)address, length) < 0) abort();
  getsockname(fd, (struct sockaddr *)address, &length);
  return fd;
}

static struct connection *of_port(uint16_t port) {
  for (int index = 0; index < CONNECTIONS; index++)
    if (connections[index].port == port) return &connections[index];
  return NULL;
}

static void dial(uint32_t slot) {
  struct sockaddr_storage address = {0};
  memcpy(&address, &backend, sizeof backend);
  if (engine_dial(engine, slot, &address, 1, DIAL_MS) == 0) return;
  engine_close(engine, slot); /* as for a dial that failed */
  struct connection *connection = of_port(ports[slot]);
  if (connection) connection->closed = true;
}

static void on_event(const struct event *event) {
  if (event->kind == ACCEPT_FAILED) return;
  if (event->slot >= sizeof ports / sizeof *ports) fail("a slot that cannot be");
  if (event->kind == ACCEPTED) {
    ports[event->slot] = ((const struct sockaddr_in *)engine_peer(engine, event->slot))->sin_port;
    if (event->ticket < 0) dial(event->slot);
  }
  struct connection *connection = of_port(ports[event->slot]);
  if (event->kind == DIAL_FAILED) engine_close(engine, event->slot);
  if (!connection) return;
  if (event->kind == ACCEPTED) connection->accepted = true;
  if (event->kind == DIAL_FAILED) connection->closed = true;
  if (event->kind == ENDED) connection->ended = true;
}

/* Two dials at a time, for three clients. */
static void fill_stock(void) {
  struct sockaddr_storage addresses[2] = {0};
  memcpy(&addresses[0], &backend, sizeof backend);
  memcpy(&addresses[1], &backend, sizeof backend);
  if (stock < 0) return;
  engine_unstock(engine, stock);
  engine_stock(engine, stock, addresses, 1, DIAL_MS, 1);
  engine_stock(engine, stock, addresses, 2, DIAL_MS, 1);
}

static void take(void) {
  struct event events[64];
  char byte[64];
  while (recv(wake[0], byte, sizeof byte, MSG_DONTWAIT) > 0) continue;
  for (unsigned count = 64; count >= 62;) {
    count = engine_take(engine, events, 64);
    for (unsigned index = 0; index < count; index++) on_event(&events[index]);
  }
  fill_stock();
}

static void exchange(struct end *end) {
  static char got[256 * 1024];
  if (end->fd < 0 || end->failed) return;
  size_t left = end->to_send - end->sent;
  ssize_t count = left > 0 ? send(end->fd, bytes, left, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
  if (count > 0) end->sent += (size_t)count;
  if (count < 0 && errno != EAGAIN && errno != ENOTCONN) end->failed = true;
  if (end->sent == end->to_send && !end->write_side_closed) {
    end->write_side_closed = shutdown(end->fd, SHUT_WR) == 0;
    end->failed = !end->write_side_closed; /* it was reset after it had sent all */
  }
  while (!end->eof && !end->failed && (count = recv(end->fd, got, sizeof got, MSG_DONTWAIT)) != -1) {
    if (count == 0) end->eof = true;
    else end->got += (size_t)count;
  }
  if (count < 0 && errno != EAGAIN && errno != ENOTCONN) end->failed = true;
}

static bool is_over(const struct end *end) {
  return end->fd < 0 || end->failed || (end->eof && end->write_side_closed);
}

static void accept_backends(void) {
  int fd;
  /* All clients and all backends send the same, so that any backend does. */
  while ((fd = accept4(backend_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
    for (int index = 0; index <= CONNECTIONS; index++) {
      if (index == CONNECTIONS) close(fd);
      else if (connections[index].backend.fd < 0) {
        connections[index].backend = (struct end){.fd = fd, .to_send = DOWN, .to_get = UP};
        break;
      }
    }
}

static void tick(void) {
  struct pollfd fds[2 + 2 * CONNECTIONS] = {{wake[0], POLLIN, 0}, {backend_listener, POLLIN, 0}};
  for (int index = 0; index < CONNECTIONS; index++)
    for (int which = 0; which < 2; which++) {
      struct end *end = which ? &connections[index].backend : &connections[index].client;
      fds[2 + 2 * index + which] = (struct pollfd){is_over(end) ? -1 : end->fd, POLLIN, 0};
    }
  poll(fds, 2 + 2 * CONNECTIONS, 5);
  take();
  accept_backends();
  for (int index = 0; index < CONNECTIONS; index++) {
    exchange(&connections[index].client);
    exchange(&connections[index].backend);
  }
  if (now_ms() - checked_at < 1000) return;
  checked_at = now_ms();
  if (engine_check(engine) > 0) fail("a thread hangs");
}

static void connect_client(struct connection *connection) {
  struct sockaddr_in address;
  int fd = bound(&address);
  *connection = (struct connection){.port = address.sin_port, .backend.fd = -1};
  connection->client = (struct end){.fd = fd, .to_send = UP, .to_get = DOWN};
  if (connect(fd, (struct sockaddr *)&listen_address, sizeof listen_address) < 0 && errno != EINPROGRESS) abort();
}

static void check_end(const struct end *end, bool closed) {
  if (end->fd < 0 || end->failed || !end->eof || end->got == end->to_get) return;
  if (end->got > 0 || !closed) fail("cut without a reset");
}

/* Runs until all connections are over. With `may_wait`, those that were not accepted may go on waiting. */
static void run_connections(bool may_wait) {
  uint64_t since = now_ms();
  for (;;) {
    tick();
    bool over = true, waits = false;
    for (int index = 0; index < CONNECTIONS; index++) {
      const struct connection *connection = &connections[index];
      if (is_over(&connection->client) && (connection->ended || !connection->accepted)) continue;
      if (connection->accepted || !may_wait) over = false;
      else waits = true;
    }
    uint64_t passed = now_ms() - since;
    if (over && (!waits || passed >= 500)) break;
    if (passed > HANG_MS) fail(may_wait ? "hangs" : "hangs after the fault");
  }
  for (int index = 0; index < CONNECTIONS; index++) {
    const struct connection *connection = &connections[index];
    check_end(&connection->client, connection->closed || connection->ended);
  }
}

static void close_all(void) {
  for (int index = 0; index < CONNECTIONS; index++) {
    if (connections[index].client.fd >= 0) close(connections[index].client.fd);
    if (connections[index].backend.fd >= 0) close(connections[index].backend.fd);
    connections[index] = (struct connection){.client.fd = -1, .backend.fd = -1};
  }
}

static bool start(void) {
  struct settings settings = {1000, 1000, 3, 10000, 0, 0, 3000, 0};
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_storage address;
  engine = engine_start(1, wake[1]);
  if (!engine) return false;
  stock = with_stock ? engine_new_stock(engine) : -1;
  if (engine_listen(engine, (struct sockaddr *)&any, sizeof any, &settings, stock, &listener, &address) == 0) {
    memcpy(&listen_address, &address, sizeof listen_address);
    fill_stock();
    if (listen_address.sin_port != 0) return true;
  }
  if (!engine_stop(engine)) fail("does not stop after a failed start");
  return false;
}

static unsigned descriptors(void) {
  unsigned count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (folder && readdir(folder)) count++;
  if (folder) closedir(folder);
  return count;
}

static void run(void) {
  unsigned before = descriptors();
  atomic_store(&calls, 0);
  atomic_store(&injected, 0);
  memset(connections, -1, sizeof connections);
  for (int index = 0; index < CONNECTIONS; index++) connections[index].client.fd = connections[index].backend.fd = -1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, wake) < 0) abort();
  atomic_store(&armed, plan.at_start);
  bool started = start();
  atomic_store(&armed, false);
  if (!started && !start()) fail("does not start after the fault");
  uint64_t since = now_ms();
  atomic_store(&armed, !plan.at_start);
  for (int index = 0; index < CONNECTIONS; index++) connect_client(&connections[index]);
  run_connections(true);
  uint64_t passed = now_ms() - since;
  if (atomic_load(&injected) > MOST_CALLS * (1 + passed / 1000)) fail("spins");
  atomic_store(&armed, false);
  /* Clients that waited are served now, and then new ones. */
  for (int index = 0; index < CONNECTIONS; index++) {
    struct connection *connection = &connections[index];
    if (connection->client.eof || connection->client.failed) connection->ended = connection->accepted = true;
  }
  run_connections(false);
  close_all();
  for (int index = 0; index < CONNECTIONS; index++) connect_client(&connections[index]);
  run_connections(false);
  for (int index = 0; index < CONNECTIONS; index++)
    if (connections[index].client.got != DOWN) fail("does not serve after the fault");
  close_all();
  if (!engine_stop(engine)) fail("does not stop");
  close(wake[0]);
  close(wake[1]);
  if (descriptors() != before) fail("leaks descriptors");
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  unsigned from = (unsigned)atoi(arguments[1]), step = (unsigned)atoi(arguments[2]), cases = 0;
  backend_listener = bound(&backend);
  listen(backend_listener, 64);
  for (unsigned number = from; number < plan_count(); number += step, cases++) {
    plan = plan_of(number);
    for (int stocks = 0; stocks < 2; stocks++) {
      with_stock = stocks > 0;
      alarm(30); /* a case that blocks ends the program by a signal */
      run();
    }
  }
  printf("%u cases\n", cases);
  return 0;
}
