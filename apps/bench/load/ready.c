// Starts a program and reports the time from exec until a connection through it has returned a byte.
// The same for all subjects: what "ready" means is decided here, not by what a program prints.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

enum { TIMEOUT_MS = 20000, PAUSE_US = 250 };

static bool gets_through(const struct sockaddr_in *to) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct timeval timeout = {.tv_sec = 1};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  char byte = MODE_ECHO;
  bool through = connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 &&
                 send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1;
  close(fd);
  return through;
}

int ready(const struct settings *settings) {
  int64_t began = now_ns();
  // In this program's process group, so that ending the group ends both.
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(2, 1);
    execvp(settings->command[0], settings->command);
    _exit(127);
  }
  while (!gets_through(&settings->to)) {
    if (waitpid(child, NULL, WNOHANG) == child) errno = ECHILD, fail("the program ended");
    if (now_ns() - began > TIMEOUT_MS * 1000000LL) errno = ETIMEDOUT, fail("not ready");
    usleep(PAUSE_US);
  }
  printf("{\"event\":\"ready\",\"ms\":%.3f,\"pid\":%d}\n", (double)(now_ns() - began) / 1e6, (int)child);
  fflush(stdout);
  for (;;) pause();
}
