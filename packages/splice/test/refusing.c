/* A call of the C library as a sandbox refuses it, for LD_PRELOAD: cc -shared -DCALL=splice. */
#include <errno.h>

long CALL(void) {
  errno = EPERM;
  return -1;
}
