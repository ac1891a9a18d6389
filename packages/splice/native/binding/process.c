/* What Node lacks for a process: an exit that waits for no thread, and datagrams to a service manager. */
#define _GNU_SOURCE
#include "binding.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* exitNow(code) */
napi_value exit_now(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  get_arguments(env, info, values);
  _exit((int)to_uint32(env, values[0]));
}

/* Sends a state to a service manager as sd_notify(3) does: one datagram, which Node cannot send. 0, or an errno. */
static int sd_notify(const char *path, size_t path_length, const char *state, size_t state_length) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path_length < 2 || path_length >= sizeof address.sun_path) return EINVAL;
  if (path[0] != '/' && path[0] != '@') return EAFNOSUPPORT;
  memcpy(address.sun_path, path, path_length);
  if (path[0] == '@') address.sun_path[0] = '\0'; /* an abstract name */
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

/* notify(socket, state): 0, or an errno */
napi_value notify(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  get_arguments(env, info, values);
  char path[256], state[1024];
  size_t path_length = 0, state_length = 0;
  if (napi_get_value_string_utf8(env, values[0], path, sizeof path, &path_length) != napi_ok ||
      napi_get_value_string_utf8(env, values[1], state, sizeof state, &state_length) != napi_ok)
    return from_number(env, EINVAL);
  return from_number(env, sd_notify(path, path_length, state, state_length));
}
