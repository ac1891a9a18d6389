/* A function of the C library that fails as in a sandbox, for LD_PRELOAD: cc -shared -DCALL=splice. */
#include <errno.h>

long CALL(void) {
  errno = EPERM;
  return -1;
}
