/* A thread that is a client and its backend, for one connection after the other. */
#define _GNU_SOURCE
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { SMALL_WINDOW = 100 * 1024, STUCK_MS = 20000 };
/* What a step of a session takes at most, unless the whole program is stopped: then nothing can make progress. */
enum { LONGEST_STEP_MS = 1000 };

static uint64_t random_length(uint64_t *random) {
  static const uint64_t limits[] = {1, 1, 200, 200, 200, 20000, 100000, 100000, 1 << 20, 1 << 20, 4 << 20};
  return random_below(random, limits[random_below(random, sizeof limits / sizeof *limits)]);
}

/* Replaces the backend of a dial that was cancelled, which must not have got a byte. */
static void replace_backend(struct connection *this, int fd) {
  struct end *old = &this->ends[1];
  if (old->exists && old->fd >= 0) {
    char byte;
    if (recv(old->fd, &byte, 1, MSG_DONTWAIT) > 0) old->received++;
    close(old->fd);
  }
  if (old->exists && old->received > 0) wrong_now(this, "bytes went to the backend of a dial that was cancelled");
  *old = new_end(this, 1, old->to_send);
  old->fd = fd;
  old->exists = true;
  int size = SMALL_WINDOW;
  if (chance(this->random, 20)) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

/* False if one may be left. */
static bool accept_backends(struct connection *this) {
  int fd;
  while ((fd = accept4(this->session->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
    replace_backend(this, fd);
  return errno == EAGAIN;
}

/* Runs both ends until the engine has reported the connection's end and both ends have seen it. */
static void run_ends(struct connection *this, struct outcome *outcome) {
  struct session *session = this->session;
  uint64_t step_at = this->progress_at = now_ms();
  for (;;) {
    uint64_t step_ms = now_ms() - step_at;
    step_at += step_ms;
    if (step_ms > LONGEST_STEP_MS) this->progress_at += step_ms;
    if (step_at > this->progress_at + STUCK_MS) wrong_now(this, "no progress");
    pthread_mutex_lock(&session->lock);
    *outcome = session->outcome;
    pthread_mutex_unlock(&session->lock);
    pthread_mutex_lock(&stress.lock);
    bool stopped = stress.phase == STOPPED;
    pthread_mutex_unlock(&stress.lock);
    bool over = outcome->ended || stopped;
    if (over && accept_backends(this) && is_done(&this->ends[0]) && is_done(&this->ends[1])) return;
    uint64_t now = now_ms();
    struct pollfd fds[4] = {{session->notify_fd, POLLIN, 0}, {session->listener, POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}};
    for (int which = 0; which < 2; which++) {
      const struct end *end = &this->ends[which];
      short events = poll_events(end, now);
      fds[2 + which] = (struct pollfd){events ? end->fd : -1, events, 0};
    }
    if (stress.starved) fds[1].fd = -1;
    poll(fds, 4, over ? 1 : 1 + (int)random_below(this->random, 8));
    uint64_t notify_fd;
    if (fds[0].revents) (void)!read(session->notify_fd, &notify_fd, sizeof notify_fd);
    if (fds[1].revents) accept_backends(this);
    else if (fds[3].revents) act(this, 1, fds[3].revents);
    if (fds[2].revents) act(this, 0, fds[2].revents);
  }
}

static bool connect_client(struct connection *this, const struct sockaddr_in *listener) {
  struct end *client = &this->ends[0];
  client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (client->fd < 0) return false;
  int on = 1, size = SMALL_WINDOW;
  setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (chance(this->random, 20)) setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  if (bind(client->fd, (const struct sockaddr *)&this->session->address, sizeof this->session->address) < 0)
    violation("bind: %s", strerror(errno));
  client->exists = true;
  if (connect(client->fd, (const struct sockaddr *)listener, sizeof *listener) == 0) return true;
  if (errno == EINPROGRESS) return true;
  close(client->fd);
  return false;
}

static void connect_once(struct connection this, const struct sockaddr_in *listener) {
  struct session *session = this.session;
  this.ends[0] = new_end(&this, 0, random_length(this.random));
  this.ends[1] = new_end(&this, 1, random_length(this.random));
  pthread_mutex_lock(&session->lock);
  session->outcome = (struct outcome){.listener = -1};
  pthread_mutex_unlock(&session->lock);
  if (!connect_client(&this, listener)) return (void)usleep(1000);
  struct outcome outcome;
  run_ends(&this, &outcome);
  check_outcome(&this, &outcome);
  for (int which = 0; which < 2; which++) {
    if (this.ends[which].fd >= 0) close(this.ends[which].fd);
    stress.bytes += this.ends[which].received;
  }
  stress.connections++;
  if (outcome.ended) stress.reasons[outcome.reason]++;
  else stress.reset_by_engine_stop++;
}

void *session_run(void *argument) {
  struct session *session = argument;
  uint64_t random = session->seed;
  struct connection next = {.session = session, .id = session->number, .random = &random};
  pthread_mutex_lock(&stress.lock);
  while (stress.phase != OVER) {
    if (stress.phase != RUNNING) {
      pthread_cond_wait(&stress.changed, &stress.lock);
      continue;
    }
    struct sockaddr_in listener = stress.addresses[chance(&random, 25) ? WITH_TIMEOUTS : WITHOUT_TIMEOUTS];
    if (chance(&random, 50)) listener = session->stocked;
    stress.busy++;
    pthread_mutex_unlock(&stress.lock);
    next.id += stress.concurrency;
    connect_once(next, &listener);
    pthread_mutex_lock(&stress.lock);
    stress.busy--;
    pthread_cond_broadcast(&stress.changed);
  }
  pthread_mutex_unlock(&stress.lock);
  return NULL;
}
