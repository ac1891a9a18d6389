/* The service manager's notification socket, sd_notify(3): one datagram, which Node cannot send. */
#define _GNU_SOURCE
#include "../engine/engine.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

int notify_service(const char *path, size_t path_length, const char *state, size_t state_length) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path_length < 2 || path_length >= sizeof address.sun_path) return EINVAL;
  if (path[0] != '/' && path[0] != '@') return EAFNOSUPPORT;
  memcpy(address.sun_path, path, path_length);
  if (path[0] == '@') address.sun_path[0] = '\0'; /* of the abstract namespace */
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length);
  ssize_t sent;
  do sent = sendto(fd, state, state_length, MSG_NOSIGNAL, (struct sockaddr *)&address, length);
  while (sent < 0 && errno == EINTR);
  int error = sent < 0 ? errno : 0;
  close(fd);
  return error;
}
