// `load <part> name=value…`: one part of the benchmark in a process of its own, on one thread, so that its cost
// is small and the same for all subjects. It reports events as lines of JSON on stdout; what goes wrong is
// counted and reported, never hidden.
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "load.h"

static void read_address(const char *text, struct sockaddr_in *address) {
  char host[16];
  int port;
  address->sin_family = AF_INET;
  errno = EINVAL;
  if (sscanf(text, "%15[0-9.]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &address->sin_addr) != 1)
    fail(text);
  address->sin_port = htons((uint16_t)port);
}

static void read_setting(char *text, struct settings *settings) {
  errno = EINVAL;
  char *value = strchr(text, '=');
  if (!value) fail(text);
  *value++ = 0;
  if (!strcmp(text, "to")) read_address(value, &settings->to);
  else if (!strcmp(text, "connections")) settings->connections = atoi(value);
  else if (!strcmp(text, "outstanding")) settings->outstanding = atoi(value);
  else if (!strcmp(text, "size")) settings->size = atoi(value);
  else if (!strcmp(text, "warmup")) settings->warmup = atoi(value);
  else if (!strcmp(text, "measure")) settings->measure = atoi(value);
  else if (!strcmp(text, "count")) settings->count = atoi(value);
  else if (!strcmp(text, "endpoints")) settings->endpoints = atoi(value);
  else if (!strcmp(text, "direction")) settings->up = !strcmp(value, "up");
  else fail(text);
}

int main(int count, char **arguments) {
  struct settings settings = {.connections = 1, .outstanding = 1 << 20, .size = 128, .measure = 1000, .endpoints = 1};
  const char *part = count > 1 ? arguments[1] : "";
  for (int n = 2; n < count; n++) {
    if (!strcmp(arguments[n], "--")) {
      settings.command = arguments + n + 1;
      break;
    }
    read_setting(arguments[n], &settings);
  }
  signal(SIGPIPE, SIG_IGN);
  // Whatever ends the driver ends this as well.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!strcmp(part, "serve")) return serve(&settings);
  if (!strcmp(part, "rr")) return request_response(&settings);
  if (!strcmp(part, "bulk")) return bulk(&settings);
  if (!strcmp(part, "connect")) return connect_rate(&settings);
  if (!strcmp(part, "hold")) return hold(&settings);
  if (!strcmp(part, "ready")) return ready(&settings);
  errno = EINVAL;
  fail("load serve | rr | bulk | connect | hold | ready");
}
