// The backend: it does with each connection what the connection's first byte asks for.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

struct peer {
  int fd;
  bool listens;
  unsigned char header[5];
  int header_got;
  /* A message of MODE_REQUEST: `got` bytes of it have come, then `sent` have gone back. */
  int size, got, sent;
  unsigned char *message;
};

static int epoll;
/* What a source sends; its content does not matter, and it stays in the cache. */
static unsigned char scratch[256 * 1024];

static void forget(struct peer *peer) {
  close(peer->fd);
  free(peer->message);
  free(peer);
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct peer *peer = calloc(1, sizeof *peer);
    peer->fd = fd;
    watch(epoll, fd, EPOLLIN, peer);
  }
}

/* Whether the header is complete. Ends the peer when it is none. */
static bool read_header(struct peer *peer, bool *gone) {
  int wanted = peer->header_got > 0 && peer->header[0] == MODE_REQUEST ? 5 : 1;
  while (peer->header_got < wanted) {
    ssize_t got = recv(peer->fd, peer->header + peer->header_got, (size_t)(wanted - peer->header_got), 0);
    if (got <= 0) {
      *gone = got == 0 || errno != EAGAIN;
      return false;
    }
    peer->header_got += (int)got;
    if (peer->header[0] == MODE_REQUEST) wanted = 5;
  }
  if (peer->header[0] == MODE_REQUEST && !peer->message) {
    memcpy(&peer->size, peer->header + 1, 4);
    peer->message = malloc((size_t)peer->size);
  }
  if (peer->header[0] == MODE_SOURCE) rewatch(epoll, peer->fd, EPOLLIN | EPOLLOUT, peer);
  // The announcing byte is answered too: it shows the client that it is connected.
  if (peer->header[0] == MODE_ECHO && send(peer->fd, peer->header, 1, MSG_NOSIGNAL) < 0) *gone = true;
  return true;
}

/* These return false when the connection is over. */

static bool reply(struct peer *peer) {
  while (peer->sent < peer->size) {
    ssize_t sent = send(peer->fd, peer->message + peer->sent, (size_t)(peer->size - peer->sent), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) return false;
      rewatch(epoll, peer->fd, EPOLLOUT, peer);
      return true;
    }
    peer->sent += (int)sent;
  }
  peer->got = peer->sent = 0;
  return true;
}

static bool request(struct peer *peer, uint32_t events) {
  if (events & EPOLLOUT) {
    rewatch(epoll, peer->fd, EPOLLIN, peer);
    return reply(peer);
  }
  ssize_t got = recv(peer->fd, peer->message + peer->got, (size_t)(peer->size - peer->got), 0);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  peer->got += (int)got;
  return peer->got < peer->size || reply(peer);
}

static bool echo(struct peer *peer) {
  unsigned char bytes[64];
  ssize_t got = recv(peer->fd, bytes, sizeof bytes, 0);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  return send(peer->fd, bytes, (size_t)got, MSG_NOSIGNAL) == got;
}

/* MSG_TRUNC: the kernel drops the bytes without a copy, so that the cores are left to the proxy. */
static bool sink(struct peer *peer) {
  ssize_t got = recv(peer->fd, NULL, 1 << 20, MSG_TRUNC);
  return got > 0 || (got < 0 && errno == EAGAIN);
}

static bool source(struct peer *peer, uint32_t events) {
  if (events & EPOLLIN) return false;
  return send(peer->fd, scratch, sizeof scratch, MSG_NOSIGNAL) > 0 || errno == EAGAIN;
}

static bool go_on(struct peer *peer, uint32_t events) {
  if (peer->header_got == 0 || (peer->header[0] == MODE_REQUEST && peer->header_got < 5)) {
    bool gone = false;
    if (!read_header(peer, &gone)) return !gone;
    return !gone;
  }
  switch (peer->header[0]) {
    case MODE_REQUEST: return request(peer, events);
    case MODE_ECHO: return echo(peer);
    case MODE_SINK: return sink(peer);
    case MODE_SOURCE: return source(peer, events);
    default: return false;
  }
}

/* Listens at this address; a port of 0 is replaced by the one that the kernel chose. */
static void listen_at(struct sockaddr_in *address) {
  struct peer *listener = calloc(1, sizeof *listener);
  socklen_t length = sizeof *address;
  listener->listens = true;
  listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(listener->fd, (struct sockaddr *)address, length) < 0 || listen(listener->fd, 4096) < 0) fail("listen");
  getsockname(listener->fd, (struct sockaddr *)address, &length);
  watch(epoll, listener->fd, EPOLLIN, listener);
}

int serve(const struct settings *settings) {
  epoll = epoll_create1(EPOLL_CLOEXEC);
  struct sockaddr_in address = {.sin_family = AF_INET};
  for (int n = 0; n < settings->endpoints; n++) {
    // 127.0.0.1, then 127.1.0.1 and so on: clients dial from addresses in 127.0.0.0/16.
    address.sin_addr.s_addr = htonl(n == 0 ? INADDR_LOOPBACK : (INADDR_LOOPBACK & 0xff000000) + (1 << 16) + (uint32_t)n);
    listen_at(&address);
  }
  printf("{\"event\":\"serving\",\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, -1);
    for (int n = 0; n < count; n++) {
      struct peer *peer = events[n].data.ptr;
      if (peer->listens) accept_all(peer->fd);
      else if (!go_on(peer, events[n].events)) forget(peer);
    }
  }
}
