/*
 * Runs a program where the system lacks something: sandbox WHAT... -- PROGRAM ARGUMENTS...
 *
 *   netlink   there are no sockets of AF_NETLINK, as in a unit with RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
 *   fd:N      descriptor N is closed
 *   cwd       the working folder has been removed
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Has a system call fail if its first argument is this one. */
static void refuse(int call, int argument, unsigned error) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)argument, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
    perror("seccomp");
    exit(3);
  }
}

int main(int count, char **arguments) {
  int at = 1;
  for (; at < count && strcmp(arguments[at], "--") != 0; at++) {
    const char *what = arguments[at];
    char folder[] = "/tmp/gw-sandbox-XXXXXX";
    if (strcmp(what, "netlink") == 0) refuse(SYS_socket, AF_NETLINK, EAFNOSUPPORT);
    else if (strncmp(what, "fd:", 3) == 0) close(atoi(what + 3));
    else if (strcmp(what, "cwd") == 0 && mkdtemp(folder) && chdir(folder) == 0 && rmdir(folder) == 0) continue;
    else return 3;
  }
  execvp(arguments[at + 1], arguments + at + 1);
  perror(arguments[at + 1]);
  return 3;
}
