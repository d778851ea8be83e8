/* The least that a fan-out can cost: one send() of a ready frame for each socket. Built and called by reference_sockets.py. */
#include <stddef.h>
#include <sys/socket.h>

int send_to_all(const int *sockets, int count, const char *frame, size_t size) {
    int sent = 0;
    for (int index = 0; index < count; index++) {
        if (send(sockets[index], frame, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size) {
            sent++;
        }
    }
    return sent;
}
