/* One end of a connection. The bytes it sends are given by their position; it pauses and resets at random. */
#define _GNU_SOURCE
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 1048573 }; /* a prime: lost or repeated bytes shift all that follow */
static uint8_t block[BLOCK];
static pthread_once_t filled = PTHREAD_ONCE_INIT;
static void fill(void) {
  uint64_t random = 1;
  for (size_t at = 0; at < BLOCK; at++) block[at] = (uint8_t)random_below(&random, 256);
}

/* Bytes of a stream from a position on, as many as are contiguous. */
static const uint8_t *bytes_at(uint64_t stream, uint64_t position, size_t *length) {
  pthread_once(&filled, fill);
  size_t at = (size_t)((stream + position) % BLOCK);
  if (*length > BLOCK - at) *length = BLOCK - at;
  return block + at;
}

struct end new_end(const struct connection *this, int which, uint64_t to_send) {
  struct end end = {.fd = -1, .to_send = to_send, .stream = this->id * 2 + (unsigned)which, .reset_after = UINT64_MAX};
  end.stream *= 7919;
  end.slow = chance(this->random, 20);
  end.resets_after_end = chance(this->random, 5);
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

static void read_some(struct connection *this, int which) {
  struct end *end = &this->ends[which];
  uint64_t stream = this->ends[!which].stream;
  ssize_t got = recv(end->fd, this->session->buffer, 1 + random_below(this->random, CHUNK), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  this->progress_at = now_ms();
  if (got < 0) end->failed = errno;
  if (got == 0) end->eof = true;
  for (size_t at = 0, length; got > 0 && at < (size_t)got; at += length) {
    length = (size_t)got - at;
    const uint8_t *expected = bytes_at(stream, end->received + at, &length);
    if (memcmp(expected, this->session->buffer + at, length) != 0) wrong_now(this, "other bytes came than were sent");
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
  if (end->failed || end->sent < end->urgent_after) return;
  /* A byte of urgent data is not part of the stream, and is not relayed. */
  sent = send(end->fd, "!", 1, MSG_OOB | MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == 1) end->urgent_after = UINT64_MAX;
  /* The system reports a reset once: after this call the socket would look as if its peer had ended its output. */
  else if (errno != EAGAIN && errno != EINTR) end->failed = errno;
}

bool is_done(const struct end *end) { return end->fd < 0 || end->failed || (end->eof && end->write_side_closed); }

short poll_events(const struct end *end, uint64_t now) {
  if (is_done(end) || end->paused_until > now) return 0;
  return (short)((end->eof ? 0 : POLLIN) | (end->write_side_closed ? 0 : POLLOUT));
}

void act(struct connection *this, int which, short events) {
  struct end *end = &this->ends[which];
  if (events & POLLIN) read_some(this, which);
  if (!end->failed && (events & POLLOUT) && end->sent < end->to_send) send_some(this, end);
  if (!end->failed && (events & POLLERR)) {
    socklen_t size = sizeof end->failed;
    getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &end->failed, &size);
    this->progress_at = now_ms();
  }
  if (end->failed) return;
  if (end->sent >= end->reset_after) return reset_now(end);
  if (end->sent == end->to_send && !end->write_side_closed) {
    end->write_side_closed = shutdown(end->fd, SHUT_WR) == 0;
    if (!end->write_side_closed) end->failed = errno;
  }
  if (end->write_side_closed && end->resets_after_end && chance(this->random, 30)) return reset_now(end);
  unsigned longest = !end->slow ? 6 : chance(this->random, 90) ? 60 : 600;
  if (chance(this->random, end->slow ? 30 : 3)) end->paused_until = now_ms() + random_below(this->random, longest);
}
