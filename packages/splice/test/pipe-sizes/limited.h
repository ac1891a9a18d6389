/* An fcntl(2) that enlarges no pipe beyond a limit, as for a user who has used up pipe-user-pages-soft.
 * pipe-sizes.test.ts compiles the engine with `-include limited.h`. */
#ifndef GW_LIMITED_H
#define GW_LIMITED_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>

int limited_fcntl(int fd, int operation, ...);
#define fcntl(...) limited_fcntl(__VA_ARGS__)

#endif
