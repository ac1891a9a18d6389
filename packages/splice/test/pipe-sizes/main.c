/*
 * pipe-sizes LIMIT…: prints the size of a new pipe of the engine where the system allows so many bytes at most, or 0 if
 * the engine makes none.
 */
#define _GNU_SOURCE
#include "../../native/engine/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Of a pipe that was not enlarged. */
enum { DEFAULT_SIZE = 64 * 1024 };
static int limit;

int limited_fcntl(int fd, int operation, ...);
int limited_fcntl(int fd, int operation, ...) {
  if (operation == F_GETPIPE_SZ) return limit < DEFAULT_SIZE ? limit : fcntl(fd, operation);
  va_list arguments;
  va_start(arguments, operation);
  int size = va_arg(arguments, int);
  va_end(arguments);
  if (size <= limit) return fcntl(fd, operation, size);
  errno = EPERM;
  return -1;
}

int main(int count, char **arguments) {
  for (int index = 1; index < count; index++) {
    static struct engine engine;
    struct thread thread = {.engine = &engine};
    limit = atoi(arguments[index]);
    engine.pipes_left = 1;
    engine.highest_pipe = INT_MAX;
    const struct pipe *pipe = take_pipe(&thread);
    printf("%u\n", pipe ? pipe->size : 0);
  }
  return 0;
}
