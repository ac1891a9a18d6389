/*
 * Dials several addresses in parallel: the first that accepts wins (RFC 8305, "Happy Eyeballs"). An epoll event names
 * only the connection. poll(2) then finds the sockets that are ready, so that an event can never be about a closed
 * socket.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Attempts of one race at once; and those beside the first of their race, of the whole engine, since their
 * descriptors are not among those counted for connections. The same as `dialRace` of @gw/interface.
 */
enum { ATTEMPTS_AT_ONCE = 8, EXTRA_ATTEMPTS = 32 };
/* Until an attempt that exceeded these limits is tried again. */
enum { RETRY_MS = 10 };

struct attempt {
  int fd; /* -1 once it has failed */
  uint32_t deadline;
  uint8_t address;
};

struct race {
  uint8_t count, next; /* addresses, and how many of them were dialled */
  uint8_t live, extra; /* attempts under way, and how many of them count as the engine's extra attempts */
  uint8_t failed_address;
  int error; /* of the attempt that failed last; an error of this machine takes precedence */
  uint32_t timeout, next_at;
  struct attempt attempts[ATTEMPTS_AT_ONCE];
  union address targets[];
};

struct race *new_race(const struct sockaddr_storage *addresses, unsigned count, uint32_t timeout) {
  if (count > DIAL_ADDRESSES) count = DIAL_ADDRESSES;
  struct race *race = malloc(sizeof *race + count * sizeof *race->targets);
  if (!race) return NULL;
  *race = (struct race){.count = (uint8_t)count, .timeout = timeout};
  for (unsigned index = 0; index < count; index++)
    memcpy(&race->targets[index], &addresses[index], sizeof *race->targets);
  return race;
}

static bool is_exhausted(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void count_extra(struct thread *thread, struct race *race) {
  unsigned extra = race->live > 1 ? race->live - 1u : 0;
  atomic_fetch_add(&thread->engine->extra_attempts, extra - race->extra);
  race->extra = (uint8_t)extra;
}

static void note_failure(struct race *race, unsigned address, int error) {
  /* Out of descriptors or memory: no further attempt is started, and no endpoint is to blame. */
  if (is_exhausted(error)) race->next = race->count;
  if (is_exhausted(race->error)) return;
  race->error = error;
  race->failed_address = (uint8_t)address;
}

/* Removes failed attempts, and keeps the order of the others. */
static void drop_failed(struct thread *thread, struct race *race) {
  unsigned kept = 0;
  for (unsigned index = 0; index < race->live; index++)
    if (race->attempts[index].fd >= 0) race->attempts[kept++] = race->attempts[index];
  race->live = (uint8_t)kept;
  count_extra(thread, race);
}

static bool has_room(const struct thread *thread, const struct race *race) {
  if (race->live == 0) return true;
  return race->live < ATTEMPTS_AT_ONCE && atomic_load(&thread->engine->extra_attempts) < EXTRA_ATTEMPTS;
}

/* Dials the next address. If that fails at once, the one after it, and so on. */
static void start_next(struct thread *thread, struct connection *connection) {
  struct race *race = connection->dial->race;
  while (race->next < race->count && has_room(thread, race)) {
    uint8_t address = race->next++;
    int fd = connecting_socket(thread, &race->targets[address]);
    if (fd >= 0 && watch(thread, fd, SIDE_EVENTS, (uintptr_t)connection | OF_RACE) < 0) {
      int error = errno;
      close(fd);
      errno = error;
      fd = -1;
    }
    if (fd < 0) {
      note_failure(race, address, errno);
      continue;
    }
    race->attempts[race->live++] = (struct attempt){fd, thread->now + race->timeout, address};
    count_extra(thread, race);
    race->next_at = thread->now + ATTEMPT_DELAY_MS;
    break;
  }
}

/* Ends a race without attempts, or schedules its next check. */
static void reschedule(struct thread *thread, struct connection *connection) {
  struct race *race = connection->dial->race;
  if (race->live == 0) {
    int error = race->error ? race->error : ETIMEDOUT;
    connection->dial->address = race->failed_address;
    end_race(thread, connection->dial);
    return dial_failed(thread, connection, error);
  }
  uint32_t due = race->attempts[0].deadline;
  for (unsigned index = 1; index < race->live; index++)
    if (is_past(due, race->attempts[index].deadline)) due = race->attempts[index].deadline;
  if (race->next < race->count && race->live < ATTEMPTS_AT_ONCE) {
    uint32_t next_at = is_past(thread->now, race->next_at) ? thread->now + RETRY_MS : race->next_at;
    if (is_past(due, next_at)) due = next_at;
  }
  connection->dial->deadline = due;
  schedule_check(thread, due);
}

void start_race(struct thread *thread, struct connection *connection) {
  start_next(thread, connection);
  reschedule(thread, connection);
}

static void succeed(struct thread *thread, struct connection *connection, unsigned index) {
  struct attempt *winner = &connection->dial->race->attempts[index];
  int fd = winner->fd;
  connection->dial->address = winner->address;
  winner->fd = -1;
  end_race(thread, connection->dial);
  connection->side[BACKEND] = (struct side){.fd = fd};
  connection->has_keepalive_options = false;
  connection->dialled_in_tick = thread->tick;
  /* EPOLL_CTL_MOD reports what is pending on the socket again, now as the backend's side. */
  struct epoll_event event = {.events = SIDE_EVENTS, .data.u64 = data_of_side(thread, connection, BACKEND)};
  if (epoll_ctl(thread->epoll, EPOLL_CTL_MOD, fd, &event) < 0) return dial_failed(thread, connection, errno);
  dial_succeeded(thread, connection);
}

void on_race(struct thread *thread, struct connection *connection) {
  struct race *race = connection->dial ? connection->dial->race : NULL;
  if (!race) return; /* an earlier event has decided it */
  struct pollfd polled[ATTEMPTS_AT_ONCE];
  for (unsigned index = 0; index < race->live; index++)
    polled[index] = (struct pollfd){.fd = race->attempts[index].fd, .events = POLLOUT};
  if (RETRIED(poll(polled, race->live, 0)) <= 0) return;
  for (unsigned index = 0; index < race->live; index++) {
    if (!polled[index].revents) continue;
    struct attempt *attempt = &race->attempts[index];
    bool has_failed = polled[index].revents & (POLLERR | POLLHUP);
    in_port_t port = port_of(&race->targets[attempt->address]);
    int error = dial_error(attempt->fd, has_failed, port, thread->engine->ephemeral_ports);
    if (error == 0) return succeed(thread, connection, index);
    note_failure(race, attempt->address, error);
    close_watched(thread, attempt->fd);
    attempt->fd = -1;
  }
  unsigned before = race->live;
  drop_failed(thread, race);
  if (race->live < before) start_next(thread, connection);
  reschedule(thread, connection);
}

void check_race(struct thread *thread, struct connection *connection) {
  struct race *race = connection->dial->race;
  for (unsigned index = 0; index < race->live; index++) {
    struct attempt *attempt = &race->attempts[index];
    if (!is_past(thread->now, attempt->deadline)) continue;
    note_failure(race, attempt->address, ETIMEDOUT);
    reset_on_close(attempt->fd);
    close_watched(thread, attempt->fd);
    attempt->fd = -1;
  }
  unsigned before = race->live;
  drop_failed(thread, race);
  if (race->live < before || is_past(thread->now, race->next_at)) start_next(thread, connection);
  reschedule(thread, connection);
}

void extend_race(struct race *race, uint32_t ms) {
  race->next_at += ms;
  for (unsigned index = 0; index < race->live; index++) race->attempts[index].deadline += ms;
}

void end_race(struct thread *thread, struct dial *dial) {
  struct race *race = dial->race;
  if (!race) return;
  for (unsigned index = 0; index < race->live; index++) {
    if (race->attempts[index].fd < 0) continue;
    reset_on_close(race->attempts[index].fd);
    close_watched(thread, race->attempts[index].fd);
  }
  race->live = 0;
  count_extra(thread, race);
  dial->race = NULL;
  free(race);
}
