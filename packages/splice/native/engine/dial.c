/* A dial, from its order to its outcome. One to several addresses is a race: dial-race.c. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dial *new_dial(const struct sockaddr_storage *targets, unsigned count, uint32_t timeout) {
  struct dial *dial = calloc(1, sizeof *dial);
  if (!dial) return NULL;
  dial->timeout = timeout;
  if (count == 1) {
    memcpy(&dial->target, targets, sizeof dial->target);
    return dial;
  }
  dial->race = new_race(targets, count, timeout);
  if (dial->race) return dial;
  free(dial);
  return NULL;
}

void free_dial(struct dial *dial) {
  if (dial) free(dial->race);
  free(dial);
}

int connecting_socket(struct thread *thread, const union address *target) {
  socklen_t length = target->any.sa_family == AF_INET ? sizeof target->v4 : sizeof target->v6;
  int fd = socket(target->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 && (errno == EMFILE || errno == ENFILE) && thread->idle_pipes) {
    close_idle_pipes(thread);
    fd = socket(target->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  }
  if (fd < 0) return -1;
  /* An interrupted connect goes on in the background: connect(2). */
  if (connect(fd, &target->any, length) == 0 || errno == EINPROGRESS || errno == EINTR) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

void start_dial(struct thread *thread, struct connection *connection) {
  struct dial *dial = connection->dial;
  connection->state = DIALLING;
  if (dial->race) return start_race(thread, connection);
  int fd = connecting_socket(thread, &dial->target);
  if (fd < 0) return dial_failed(thread, connection, errno);
  connection->side[BACKEND] = (struct side){.fd = fd};
  connection->has_keepalive_options = false;
  connection->dialled_in_tick = thread->tick;
  dial->deadline = thread->now + dial->timeout;
  if (watch_side(thread, connection, BACKEND) < 0) return dial_failed(thread, connection, errno);
  schedule_check(thread, dial->deadline);
}

void on_dialled(struct thread *thread, struct connection *connection, uint32_t events) {
  bool has_failed = events & (EPOLLERR | EPOLLHUP);
  in_port_t port = port_of(&connection->dial->target);
  int error = dial_error(connection->side[BACKEND].fd, has_failed, port, thread->engine->ephemeral_ports);
  if (error != 0) return dial_failed(thread, connection, error);
  dial_succeeded(thread, connection);
}

/* Reports the outcome, and frees the dial. */
static void settle_dial(struct thread *thread, struct connection *connection, uint8_t what, int error) {
  report(thread->engine, thread, connection, what, error);
  free_dial(connection->dial);
  connection->dial = NULL;
}

void dial_failed(struct thread *thread, struct connection *connection, int error) {
  close_side(thread, &connection->side[BACKEND], false); /* not connected: there is nothing to reset */
  connection->state = WAITING;
  settle_dial(thread, connection, REPORT_DIAL_FAILED, error);
}

void dial_succeeded(struct thread *thread, struct connection *connection) {
  connection->state = RELAYING;
  connection->active_at = thread->now;
  /* Whether they can be read is what epoll has reported since each was registered. */
  for (int which = CLIENT; which <= BACKEND; which++) connection->side[which].writable = true;
  settle_dial(thread, connection, REPORT_CONNECTED, 0);
  move_bytes(thread, connection);
}

void check_dial(struct thread *thread, struct connection *connection) {
  if (connection->dial->race) check_race(thread, connection);
  else dial_failed(thread, connection, ETIMEDOUT);
}

void extend_dial(struct dial *dial, uint32_t ms) {
  dial->deadline += ms;
  if (dial->race) extend_race(dial->race, ms);
}

void end_dial(struct thread *thread, struct connection *connection) {
  if (!connection->dial) return;
  end_race(thread, connection->dial);
  free_dial(connection->dial);
  connection->dial = NULL;
}

void abandon_dial(struct thread *thread, struct connection *connection) {
  end_dial(thread, connection);
  close_side(thread, &connection->side[BACKEND], true);
  connection->state = WAITING;
}
