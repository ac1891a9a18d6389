/* The faults: each call with each errno that its manual page names. */
#include "plan.h"

#include <errno.h>
#include <string.h>

int fault_of(const char *call);

struct plan plan;
atomic_bool armed;
atomic_uint calls, injected;

int fault_of(const char *call) {
  if (!atomic_load(&armed) || strcmp(call, plan.call) != 0) return 0;
  unsigned number = atomic_fetch_add(&calls, 1);
  if (plan.at != ALWAYS && number != (unsigned)plan.at) return 0;
  atomic_fetch_add(&injected, 1);
  return plan.error;
}

enum { MOST_ERRORS = 24 };
static const struct {
  const char *call;
  int errors[MOST_ERRORS];
  bool at_start;
} faults[] = {
    {"accept4", {EAGAIN, EBADF, ECONNABORTED, EFAULT, EINTR, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOTSOCK,
                 EOPNOTSUPP, EPERM, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH, ENOSR,
                 ETIMEDOUT}, 0},
    {"connect", {EACCES, EPERM, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EALREADY, EBADF, ECONNREFUSED, EFAULT,
                 EINPROGRESS, EINTR, EISCONN, ENETUNREACH, ENOTSOCK, EPROTOTYPE, ETIMEDOUT}, 0},
    {"epoll_ctl", {EBADF, EEXIST, EINVAL, ELOOP, ENOENT, ENOMEM, ENOSPC, EPERM}, 0},
    {"epoll_wait", {EBADF, EFAULT, EINTR, EINVAL}, 0},
    {"close", {EBADF, EINTR, EIO, ENOSPC, EDQUOT}, 0},
    {"fcntl", {EBADF, EBUSY, EINVAL, EPERM, ENOMEM}, 0},
    {"getpeername", {EBADF, EFAULT, EINVAL, ENOBUFS, ENOTCONN, ENOTSOCK}, 0},
    {"getsockname", {EBADF, EFAULT, EINVAL, ENOBUFS, ENOTSOCK}, 0},
    {"getsockopt", {EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK}, 0},
    {"ioctl", {EBADF, EFAULT, EINVAL, ENOTTY}, 0},
    {"pipe2", {EFAULT, EINVAL, EMFILE, ENFILE, ENOPKG}, 0},
    {"recv", {EAGAIN, EBADF, ECONNREFUSED, EFAULT, EINTR, EINVAL, ENOMEM, ENOTCONN, ENOTSOCK}, 0},
    {"send", {EACCES, EAGAIN, EALREADY, EBADF, ECONNRESET, EDESTADDRREQ, EFAULT, EINTR, EINVAL, EISCONN, EMSGSIZE,
              ENOBUFS, ENOMEM, ENOTCONN, ENOTSOCK, EOPNOTSUPP, EPIPE}, 0},
    {"setsockopt", {EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK, ENOMEM}, 0},
    {"shutdown", {EBADF, EINVAL, ENOTCONN, ENOTSOCK}, 0},
    {"socket", {EACCES, EAFNOSUPPORT, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTONOSUPPORT}, 0},
    {"splice", {EAGAIN, EBADF, EINVAL, ENOMEM, ESPIPE, EINTR, EPERM, ENOSYS}, 0},
    {"write", {EAGAIN, EBADF, EDESTADDRREQ, EDQUOT, EFAULT, EFBIG, EINTR, EINVAL, EIO, ENOSPC, EPERM, EPIPE}, 0},
    {"malloc", {ENOMEM}, 0},
    {"calloc", {ENOMEM}, 0},
    {"realloc", {ENOMEM}, 0},
    {"calloc", {ENOMEM}, 1},
    {"malloc", {ENOMEM}, 1},
    {"epoll_create1", {EINVAL, EMFILE, ENFILE, ENOMEM}, 1},
    {"epoll_ctl", {EBADF, EEXIST, EINVAL, ENOMEM, ENOSPC, EPERM}, 1},
    {"eventfd", {EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM}, 1},
    {"getrlimit", {EFAULT, EINVAL, EPERM}, 1},
    {"pthread_create", {EAGAIN, EINVAL, EPERM}, 1},
    {"socket", {EACCES, EAFNOSUPPORT, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTONOSUPPORT}, 1},
    {"setsockopt", {EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK}, 1},
    {"bind", {EACCES, EADDRINUSE, EBADF, EINVAL, ENOTSOCK, EADDRNOTAVAIL, EFAULT, ENOMEM}, 1},
    {"listen", {EADDRINUSE, EBADF, ENOTSOCK, EOPNOTSUPP}, 1},
    {"getsockname", {EBADF, EFAULT, EINVAL, ENOBUFS, ENOTSOCK}, 1},
};

/* No system returns EAGAIN for good while there are bytes to read. */
static bool is_unrealistic(const char *call, int error, int at) {
  return at == ALWAYS && error == EAGAIN && strcmp(call, "recv") == 0;
}

static unsigned visit(unsigned wanted, struct plan *out) {
  static const int times[] = {0, 3, ALWAYS};
  unsigned number = 0;
  for (unsigned row = 0; row < sizeof faults / sizeof *faults; row++)
    for (const int *error = faults[row].errors; error < faults[row].errors + MOST_ERRORS && *error; error++)
      for (unsigned time = 0; time < 3; time++) {
        if (is_unrealistic(faults[row].call, *error, times[time])) continue;
        if (number++ == wanted)
          *out = (struct plan){faults[row].call, *error, times[time], faults[row].at_start};
      }
  return number;
}

unsigned plan_count(void) {
  struct plan ignored;
  return visit(-1u, &ignored);
}

struct plan plan_of(unsigned number) {
  struct plan found = {0};
  visit(number, &found);
  return found;
}
