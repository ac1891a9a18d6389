// Closed-loop requests: at any time `outstanding` requests are under way, and the connections take turns, first
// come, first served. Each message carries its number at both ends, and a reply must bring it back.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "histogram.h"
#include "load.h"

struct client {
  int fd;
  uint64_t number; /* of the request that is under way; 0 for none */
  int64_t asked;
  int sent, got;
  unsigned char *message;
  struct client *next; /* among those that wait for their turn */
};

struct run {
  const struct settings *settings;
  int epoll;
  struct client *first, *last; /* those that wait */
  uint64_t numbers, errors;
  struct window window;
  struct histogram latencies;
};

static void send_rest(struct run *run, struct client *client) {
  int left = run->settings->size - client->sent;
  ssize_t sent = send(client->fd, client->message + client->sent, (size_t)left, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) fail("request");
  if (sent > 0) client->sent += (int)sent;
  if (client->sent < run->settings->size) rewatch(run->epoll, client->fd, EPOLLIN | EPOLLOUT, client);
}

static void ask_next(struct run *run) {
  struct client *client = run->first;
  run->first = client->next;
  client->number = ++run->numbers;
  client->sent = client->got = 0;
  memcpy(client->message, &client->number, 8);
  memcpy(client->message + run->settings->size - 8, &client->number, 8);
  client->asked = now_ns();
  send_rest(run, client);
}

static void wait_for_turn(struct run *run, struct client *client) {
  client->number = 0;
  client->next = NULL;
  if (run->first) run->last->next = client;
  else run->first = client;
  run->last = client;
}

static void hear(struct run *run, struct client *client) {
  int left = run->settings->size - client->got;
  ssize_t got = recv(client->fd, client->message + client->got, (size_t)left, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got == 0) errno = EPIPE;
  if (got <= 0 || client->number == 0) fail("response");
  client->got += (int)got;
  if (client->got < run->settings->size) return;
  int64_t now = now_ns();
  if (memcmp(client->message, &client->number, 8) != 0 ||
      memcmp(client->message + run->settings->size - 8, &client->number, 8) != 0)
    run->errors++;
  if (run->window.open) record(&run->latencies, now - client->asked);
  wait_for_turn(run, client);
  ask_next(run);
}

static void open_all(struct run *run) {
  const struct settings *settings = run->settings;
  struct client *clients = calloc((size_t)settings->connections, sizeof *clients);
  for (int n = 0; n < settings->connections; n++) {
    struct client *client = &clients[n];
    client->message = calloc(1, (size_t)settings->size);
    client->fd = dial_mode(&settings->to, n, MODE_REQUEST, settings->size);
    // One exchange before the next connection: the proxy has its own connection, and no backlog overflows.
    struct pollfd answer = {.fd = client->fd, .events = POLLIN};
    if (send(client->fd, client->message, (size_t)settings->size, MSG_NOSIGNAL) != settings->size)
      fail("first request");
    for (int got = 0; got < settings->size;) {
      if (poll(&answer, 1, 5000) != 1) errno = ETIMEDOUT, fail("first response");
      ssize_t more = recv(client->fd, client->message, (size_t)(settings->size - got), 0);
      if (more == 0) errno = EPIPE;
      if (more <= 0) fail("first response");
      got += (int)more;
    }
    watch(run->epoll, client->fd, EPOLLIN, client);
    wait_for_turn(run, client);
  }
}

int request_response(const struct settings *settings) {
  static struct run run;
  run.settings = settings;
  run.epoll = epoll_create1(EPOLL_CLOEXEC);
  open_all(&run);
  run.window = window_after(settings->warmup, settings->measure);
  int outstanding = settings->outstanding < settings->connections ? settings->outstanding : settings->connections;
  for (int n = 0; n < outstanding; n++) ask_next(&run);
  int64_t heard = now_ns();
  while (window_tick(&run.window, now_ns())) {
    struct epoll_event events[256];
    int count = epoll_wait(run.epoll, events, 256, 10);
    for (int n = 0; n < count; n++) {
      struct client *client = events[n].data.ptr;
      if (events[n].events & EPOLLOUT) {
        rewatch(run.epoll, client->fd, EPOLLIN, client);
        send_rest(&run, client);
      }
      if (events[n].events & ~(uint32_t)EPOLLOUT) hear(&run, client);
    }
    if (count > 0) heard = now_ns();
    else if (now_ns() - heard > 2000000000LL) errno = ETIMEDOUT, fail("no response");
  }
  double seconds = (double)(now_ns() - run.window.from) / 1e9;
  printf("{\"event\":\"end\",\"seconds\":%.6f,\"count\":%lu,\"errors\":%lu", seconds,
         (unsigned long)run.latencies.total, (unsigned long)run.errors);
  print_percentiles(&run.latencies);
  puts("}");
  fflush(stdout);
  // The connections stay open: the driver reads the proxy's memory, then ends this program.
  for (;;) pause();
}
