/*
 * One thread that plays a client and its backend, connection after connection: it sends and reads streams of bytes
 * that are known by position, with pauses, half-closes and resets, and compares how each connection ended with what
 * it and the owner did.
 */
#define _GNU_SOURCE
#include "stress.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, BLOCK = 1048573, SMALL_WINDOW = 100 * 1024, PATIENCE_MS = 20000 };
static const char *const names[] = {"client", "backend"};
static const char *const reasons[REASONS] = {"finished",    "client-failed", "backend-failed", "idle",
                                             "half-closed", "stalled",       "closed",         "killed"};

/* One end of a connection. */
struct end {
  int fd; /* -1: none, or it has reset itself */
  uint64_t stream, to_send, sent, received, reset_after, urgent_after, rest_until;
  bool exists, shut, eof, reset_itself;
  bool lazy, hasty; /* pauses often; may reset after it has ended its output */
  int failed; /* an errno: the connection was reset under it */
};

struct connection {
  struct session *session;
  uint64_t id, progress_at;
  uint64_t *random;
  struct end ends[2];
  unsigned replaced; /* backends of dials that were given up */
};

static uint8_t block[BLOCK];
static pthread_once_t filled = PTHREAD_ONCE_INIT;
static void fill(void) {
  uint64_t random = 1;
  for (size_t at = 0; at < BLOCK; at++) block[at] = (uint8_t)random_below(&random, 256);
}

/* Bytes of a stream from a position on; no more than stand in one piece. */
static const uint8_t *bytes_at(uint64_t stream, uint64_t position, size_t *length) {
  size_t at = (size_t)((stream + position) % BLOCK);
  if (*length > BLOCK - at) *length = BLOCK - at;
  return block + at;
}

static _Noreturn void wrong(const struct connection *this, const struct told *told, const char *what) {
  char text[700] = "";
  int length = 0;
  for (int which = 0; which < 2; which++) {
    const struct end *end = &this->ends[which];
    length += snprintf(text + length, sizeof text - (size_t)length,
                       "; %s: exists %d, to send %llu, sent %llu, received %llu, shut %d, eof %d, failed %d, reset itself %d",
                       names[which], end->exists, (unsigned long long)end->to_send, (unsigned long long)end->sent,
                       (unsigned long long)end->received, end->shut, end->eof, end->failed, end->reset_itself);
  }
  violation("connection %llu of session %u: %s (door %d, did %u, accepted %d, connected %d, ended %s, errno %d, "
            "%llu/%llu bytes%s)",
            (unsigned long long)this->id, this->session->number, what, told->door, told->did, told->accepted,
            told->connected, told->ended ? reasons[told->reason] : "not", told->error,
            (unsigned long long)told->bytes[0], (unsigned long long)told->bytes[1], text);
}

static void wrong_now(const struct connection *this, const char *what) {
  pthread_mutex_lock(&this->session->lock);
  struct told told = this->session->told;
  pthread_mutex_unlock(&this->session->lock);
  wrong(this, &told, what);
}

static uint64_t random_length(uint64_t *random) {
  static const uint64_t limits[] = {1, 1, 200, 200, 200, 20000, 100000, 100000, 1 << 20, 1 << 20, 4 << 20};
  return random_below(random, limits[random_below(random, sizeof limits / sizeof *limits)]);
}

static struct end new_end(const struct connection *this, int which, uint64_t to_send) {
  struct end end = {.fd = -1, .to_send = to_send, .stream = this->id * 2 + (unsigned)which, .reset_after = UINT64_MAX};
  end.stream *= 7919;
  end.lazy = chance(this->random, 20);
  end.hasty = chance(this->random, 5);
  end.urgent_after = chance(this->random, 5) ? random_below(this->random, to_send + 1) : UINT64_MAX;
  if (chance(this->random, 8)) end.reset_after = random_below(this->random, to_send + 1);
  return end;
}

static void reset_now(struct end *end) {
  struct linger linger = {.l_onoff = 1};
  setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(end->fd);
  end->fd = -1;
  end->reset_itself = true;
}

static void read_some(struct connection *this, int which, uint8_t *buffer) {
  struct end *end = &this->ends[which];
  uint64_t stream = this->ends[!which].stream;
  ssize_t got = recv(end->fd, buffer, 1 + random_below(this->random, CHUNK), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  this->progress_at = now_ms();
  if (got < 0) end->failed = errno;
  if (got == 0) end->eof = true;
  for (size_t at = 0, length; got > 0 && at < (size_t)got; at += length) {
    length = (size_t)got - at;
    const uint8_t *expected = bytes_at(stream, end->received + at, &length);
    if (memcmp(expected, buffer + at, length) != 0) wrong_now(this, "other bytes came than were sent");
  }
  if (got > 0) end->received += (uint64_t)got;
}

static void send_some(struct connection *this, struct end *end) {
  uint64_t stop = end->reset_after < end->to_send ? end->reset_after : end->to_send;
  size_t length = 1 + (size_t)random_below(this->random, chance(this->random, 50) ? CHUNK : 500);
  if (length > stop - end->sent) length = (size_t)(stop - end->sent);
  const uint8_t *bytes = bytes_at(end->stream, end->sent, &length);
  ssize_t sent = length == 0 ? 0 : send(end->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
  this->progress_at = now_ms();
  if (sent < 0) end->failed = errno;
  else end->sent += (uint64_t)sent;
  /* A byte of urgent data is no part of the stream, and is not passed on. */
  if (end->sent >= end->urgent_after && send(end->fd, "!", 1, MSG_OOB | MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
    end->urgent_after = UINT64_MAX;
}

/* Whether there is nothing more to be learnt at this end. */
static bool is_settled(const struct end *end) { return end->fd < 0 || end->failed || (end->eof && end->shut); }

static void act(struct connection *this, int which, short events, uint8_t *buffer) {
  struct end *end = &this->ends[which];
  if (events & POLLIN) read_some(this, which, buffer);
  if (!end->failed && (events & POLLOUT) && end->sent < end->to_send) send_some(this, end);
  if (!end->failed && (events & POLLERR)) {
    socklen_t size = sizeof end->failed;
    getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &end->failed, &size);
    this->progress_at = now_ms();
  }
  if (end->failed) return;
  if (end->sent >= end->reset_after) return reset_now(end);
  if (end->sent == end->to_send && !end->shut) {
    end->shut = shutdown(end->fd, SHUT_WR) == 0;
    if (!end->shut) end->failed = errno;
  }
  if (end->shut && end->hasty && chance(this->random, 30)) return reset_now(end);
  unsigned longest = !end->lazy ? 6 : chance(this->random, 90) ? 60 : 600;
  if (chance(this->random, end->lazy ? 30 : 3)) end->rest_until = now_ms() + random_below(this->random, longest);
}

/* The backend of a dial that was given up: nothing may have come to it. */
static void replace_backend(struct connection *this, int fd) {
  struct end *old = &this->ends[1];
  if (old->exists && old->fd >= 0) {
    char byte;
    if (recv(old->fd, &byte, 1, MSG_DONTWAIT) > 0) old->received++;
    close(old->fd);
  }
  if (old->exists && old->received > 0) wrong_now(this, "bytes went to the backend of a dial that was given up");
  this->replaced += old->exists;
  *old = new_end(this, 1, old->to_send);
  old->fd = fd;
  old->exists = true;
  int size = SMALL_WINDOW;
  if (chance(this->random, 20)) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

/* Tells false if one may be left. */
static bool accept_backends(struct connection *this) {
  int fd;
  while ((fd = accept4(this->session->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
    replace_backend(this, fd);
  return errno == EAGAIN;
}

static short wanted(const struct end *end, uint64_t now) {
  if (is_settled(end) || end->rest_until > now) return 0;
  return (short)((end->eof ? 0 : POLLIN) | (end->shut ? 0 : POLLOUT));
}

/* Plays both ends until the engine has told of the connection's end and both ends have seen it. */
static void play(struct connection *this, uint8_t *buffer, struct told *told) {
  struct session *session = this->session;
  for (;;) {
    pthread_mutex_lock(&session->lock);
    *told = session->told;
    pthread_mutex_unlock(&session->lock);
    pthread_mutex_lock(&stress.lock);
    bool stopped = stress.phase == STOPPED;
    pthread_mutex_unlock(&stress.lock);
    bool over = told->ended || stopped;
    if (over && accept_backends(this) && is_settled(&this->ends[0]) && is_settled(&this->ends[1])) return;
    uint64_t now = now_ms();
    struct pollfd fds[4] = {{session->news, POLLIN, 0}, {session->listener, POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}};
    for (int which = 0; which < 2; which++) {
      const struct end *end = &this->ends[which];
      bool shown = !is_settled(end) && end->rest_until <= now;
      fds[2 + which] = (struct pollfd){shown ? end->fd : -1, wanted(end, now), 0};
    }
    if (stress.starved) fds[1].fd = -1;
    poll(fds, 4, over ? 1 : 1 + (int)random_below(this->random, 8));
    uint64_t news;
    if (fds[0].revents) (void)!read(session->news, &news, sizeof news);
    if (fds[1].revents) accept_backends(this);
    else if (fds[3].revents) act(this, 1, fds[3].revents, buffer);
    if (fds[2].revents) act(this, 0, fds[2].revents, buffer);
    if (now_ms() - this->progress_at > PATIENCE_MS) wrong_now(this, "nothing happens any more");
  }
}

/* What holds however a connection ended. */
static void judge(const struct connection *this, const struct told *told) {
  const struct end *client = &this->ends[0], *backend = &this->ends[1];
  if (!told->ended) return;
  if (!told->accepted) wrong(this, told, "ended, and was never accepted");
  for (int which = 0; which < 2; which++) {
    const struct end *end = &this->ends[which], *other = &this->ends[!which];
    if (told->bytes[which] > end->sent) wrong(this, told, "more bytes are counted than were sent");
    if (other->received > told->bytes[which]) wrong(this, told, "more bytes came than are counted");
    bool blind = !end->exists || end->reset_itself || (end->eof && end->shut);
    if (told->reason == FINISHED) {
      if (end->failed) wrong(this, told, "finished, and was reset");
      if (!end->shut) wrong(this, told, "finished before an end had ended its output");
      if (told->bytes[which] != end->sent) wrong(this, told, "finished, and the bytes are miscounted");
      if (!end->reset_itself && end->received != other->sent) wrong(this, told, "finished, and bytes are missing");
    } else if (told->reason != CLOSED && !blind && !end->failed) {
      wrong(this, told, "cut, and an end saw no reset");
    } else if (end->eof && end->received > 0 && (!other->shut || end->received < other->sent)) {
      wrong(this, told, "a part of what was sent looks like the whole");
    }
  }
  bool timed_out = told->reason == IDLE || told->reason == HALF_CLOSED || told->reason == STALLED;
  if (timed_out && told->door != HASTY) wrong(this, told, "timed out where there are no timeouts");
  if (told->reason == CLIENT_FAILED && !client->reset_itself) wrong(this, told, "the client is blamed");
  if (told->reason == BACKEND_FAILED && !backend->reset_itself) wrong(this, told, "the backend is blamed");
  if (told->reason == CLOSED && !(told->did & DID_CLOSE)) wrong(this, told, "closed, and nobody asked for it");
  if (told->reason == KILLED && !(told->did & (DID_KILL | DID_CANCEL))) wrong(this, told, "killed by nobody");
  if (told->reason == FINISHED && told->connected != 1 && !told->did)
    wrong(this, told, "finished without being connected once");
}

static bool connect_client(struct connection *this, const struct sockaddr_in *door) {
  struct end *client = &this->ends[0];
  client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (client->fd < 0) return false;
  int on = 1, size = SMALL_WINDOW;
  setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (chance(this->random, 20)) setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  if (bind(client->fd, (const struct sockaddr *)&this->session->address, sizeof this->session->address) < 0)
    violation("bind: %s", strerror(errno));
  client->exists = true;
  if (connect(client->fd, (const struct sockaddr *)door, sizeof *door) == 0 || errno == EINPROGRESS) return true;
  close(client->fd);
  return false;
}

static void connect_once(struct session *session, uint64_t *random, uint64_t id, const struct sockaddr_in *door,
                         uint8_t *buffer) {
  struct connection this = {.session = session, .id = id, .random = random, .progress_at = now_ms()};
  this.ends[0] = new_end(&this, 0, random_length(random));
  this.ends[1] = new_end(&this, 1, random_length(random));
  pthread_mutex_lock(&session->lock);
  session->told = (struct told){.door = -1};
  pthread_mutex_unlock(&session->lock);
  if (!connect_client(&this, door)) return (void)usleep(1000);
  struct told told;
  play(&this, buffer, &told);
  judge(&this, &told);
  for (int which = 0; which < 2; which++) {
    if (this.ends[which].fd >= 0) close(this.ends[which].fd);
    stress.bytes += this.ends[which].received;
  }
  stress.connections++;
  if (told.ended) stress.reasons[told.reason]++;
  else stress.reset_by_engine_stop++;
}

void *session_run(void *argument) {
  struct session *session = argument;
  uint64_t random = session->seed, id = session->number;
  uint8_t *buffer = malloc(CHUNK);
  pthread_once(&filled, fill);
  pthread_mutex_lock(&stress.lock);
  while (stress.phase != OVER) {
    if (stress.phase != RUNNING) {
      pthread_cond_wait(&stress.changed, &stress.lock);
      continue;
    }
    struct sockaddr_in door = stress.doors[chance(&random, 25) ? HASTY : PATIENT];
    stress.busy++;
    pthread_mutex_unlock(&stress.lock);
    connect_once(session, &random, id += stress.concurrency, &door, buffer);
    pthread_mutex_lock(&stress.lock);
    stress.busy--;
    pthread_cond_broadcast(&stress.changed);
  }
  pthread_mutex_unlock(&stress.lock);
  free(buffer);
  return NULL;
}
