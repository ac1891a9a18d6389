/*
 * Tests in a few milliseconds what the engine needs of this machine: one connection on loopback, bytes both ways, a
 * reset. A sandbox may forbid any of it. (Where splice(2) fails, the engine copies: that is not tested here.) Signals and
 * pauses of the process do not fail it.
 */
#define _GNU_SOURCE
#include "engine.h"
#include "internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum {
  BYTES = 2 * BUFFER, /* each way */
  PERIOD = 4093, /* of the bytes, which are few because a process pays for each page that it touches first */
  TIMEOUT_MS = 2000, POLL_MS = 100,
};

/* What is passed repeats itself: from any position in a period on, these are the next BUFFER bytes. */
struct pattern { char bytes[PERIOD + BUFFER]; };

static int loopback_socket(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  struct timeval timeout = {.tv_sec = TIMEOUT_MS / 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  return fd;
}

/* poll(2) in short steps: if the process is stopped, at most one step is lost. */
static int poll_in_steps(struct pollfd *fds, nfds_t count) {
  for (int step = 0; step < TIMEOUT_MS / POLL_MS; step++) {
    int ready = poll(fds, count, POLL_MS);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return ready;
  }
  errno = ETIMEDOUT;
  return 0;
}

/* The slot of the next event if it is of this kind, else -1 with errno set. */
static int64_t await(struct engine *engine, int wake_fd, enum event_kind kind) {
  struct event events[3];
  struct pollfd poll_fd = {.fd = wake_fd, .events = POLLIN};
  unsigned count = 0;
  char byte;
  while ((count = engine_take(engine, events, 3)) == 0) {
    if (poll_in_steps(&poll_fd, 1) <= 0) return -1;
    (void)!recv(wake_fd, &byte, 1, MSG_DONTWAIT);
  }
  errno = events[0].error;
  return count == 1 && events[0].kind == kind ? (int64_t)events[0].slot : -1;
}

/* Sends of `count` bytes what the socket takes, and adds it to `sent`. */
static bool send_bytes(int to, const struct pattern *pattern, size_t count, size_t *sent) {
  while (*sent < count) {
    size_t length = count - *sent < BUFFER ? count - *sent : BUFFER;
    ssize_t out = send(to, pattern->bytes + *sent % PERIOD, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (out < 0) return errno == EAGAIN;
    *sent += (size_t)out;
  }
  return true;
}

/* Passes `count` bytes, of which `sent` were sent already. */
static bool pass_bytes(int from, int to, const struct pattern *pattern, size_t count, size_t sent) {
  char got[BUFFER / 4];
  for (size_t received = 0; received < count;) {
    if (!send_bytes(from, pattern, count, &sent)) return false;
    ssize_t in = recv(to, got, sizeof got, MSG_DONTWAIT);
    if (in == 0 || (in < 0 && errno != EAGAIN)) return false;
    if (in > 0) {
      if (memcmp(got, pattern->bytes + received % PERIOD, (size_t)in) != 0) return false;
      received += (size_t)in;
      continue;
    }
    struct pollfd ends[2] = {{.fd = to, .events = POLLIN}, {.fd = from, .events = sent < count ? POLLOUT : 0}};
    if (poll_in_steps(ends, 2) <= 0) return false;
  }
  return true;
}

static bool try_relay(struct engine *engine, int wake_fd, int backend, int client, const struct pattern *pattern) {
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_storage target = {0};
  struct sockaddr_storage bound;
  /* So that each socket option is set. */
  struct settings settings = {1000, 1000, 1, TIMEOUT_MS, 0, 0, 0, TIMEOUT_MS};
  socklen_t length = sizeof target;
  int listener;
  if (bind(backend, (struct sockaddr *)&any, sizeof any) < 0 || listen(backend, 1) < 0) return false;
  getsockname(backend, (struct sockaddr *)&target, &length);
  errno = engine_listen(engine, (struct sockaddr *)&any, sizeof any, &settings, -1, &listener, &bound);
  if (errno != 0 || connect(client, (struct sockaddr *)&bound, sizeof any) < 0) return false;
  int64_t slot = await(engine, wake_fd, ACCEPTED);
  if (slot < 0) return false;
  /* Before the engine reads, so that its first reads fill the buffer. */
  size_t sent = 0;
  if (!send_bytes(client, pattern, BYTES, &sent)) return false;
  errno = engine_dial(engine, (uint32_t)slot, &target, 1, TIMEOUT_MS);
  if (errno != 0) return false;
  if (await(engine, wake_fd, CONNECTED) != slot) return false;
  int server;
  do server = accept(backend, NULL, NULL);
  while (server < 0 && errno == EINTR);
  bool passed = server >= 0 && pass_bytes(client, server, pattern, BYTES, sent) &&
                pass_bytes(server, client, pattern, BYTES, 0);
  engine_abort(engine, (uint32_t)slot);
  passed = passed && await(engine, wake_fd, ENDED) == slot;
  char byte;
  ssize_t received = 0;
  do received = passed ? recv(client, &byte, 1, 0) : 0;
  while (received < 0 && errno == EINTR);
  passed = passed && received < 0 && errno == ECONNRESET;
  if (server >= 0) close(server);
  return passed;
}

static int run_self_test(void) {
  int wake[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wake) < 0) return errno;
  struct pattern *pattern = malloc(sizeof *pattern);
  for (size_t at = 0; pattern && at < sizeof pattern->bytes; at++) {
    size_t position = at % PERIOD;
    pattern->bytes[at] = (char)(position * 31 + (position >> 8));
  }
  struct engine *engine = pattern ? engine_start(1, wake[1]) : NULL;
  int backend = engine ? loopback_socket() : -1;
  int client = backend >= 0 ? loopback_socket() : -1;
  bool passed = client >= 0 && try_relay(engine, wake[0], backend, client, pattern);
  int error = passed ? 0 : errno != 0 ? errno : EPROTO;
  if (engine) engine_stop(engine);
  free(pattern);
  for (size_t index = 0; index < 2; index++) close(wake[index]);
  if (backend >= 0) close(backend);
  if (client >= 0) close(client);
  return error;
}

int engine_self_test(void) {
  /* Signals must not interrupt the calls here. They are delivered afterwards. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = run_self_test();
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  /* Without a free port nothing can be tested. That is temporary, and no reason to fail. */
  return error == EADDRNOTAVAIL || error == EADDRINUSE ? 0 : error;
}
