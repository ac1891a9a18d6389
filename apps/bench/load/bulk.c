// One-way bulk over some connections, up or down. Counts what this side has sent or received: what lies in
// between at the two ends of the measured time is some megabytes, next to gigabytes.
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "load.h"

/* Small enough to stay in the cache. */
static unsigned char scratch[256 * 1024];

int bulk(const struct settings *settings) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (int n = 0; n < settings->connections; n++) {
    int fd = dial_mode(&settings->to, n, settings->up ? MODE_SINK : MODE_SOURCE, 0);
    watch(epoll, fd, settings->up ? EPOLLOUT : EPOLLIN, (void *)(intptr_t)fd);
  }
  struct window window = window_after(settings->warmup, settings->measure);
  int64_t bytes = 0, moved_at = now_ns();
  while (window_tick(&window, now_ns())) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, 64, 10);
    for (int n = 0; n < count; n++) {
      int fd = (int)(intptr_t)events[n].data.ptr;
      // MSG_TRUNC: the kernel drops the bytes without a copy, so that the cores are left to the proxy.
      ssize_t moved = settings->up ? send(fd, scratch, sizeof scratch, MSG_NOSIGNAL)
                                   : recv(fd, NULL, 1 << 20, MSG_TRUNC);
      if (moved < 0 && errno == EAGAIN) continue;
      if (moved == 0) errno = EPIPE;
      if (moved <= 0) fail("bulk");
      if (window.open) bytes += moved;
    }
    if (count > 0) moved_at = now_ns();
    else if (now_ns() - moved_at > 2000000000LL) errno = ETIMEDOUT, fail("no byte moves");
  }
  double seconds = (double)(now_ns() - window.from) / 1e9;
  printf("{\"event\":\"end\",\"seconds\":%.6f,\"bytes\":%lld,\"errors\":0}\n", seconds, (long long)bytes);
  return 0;
}
