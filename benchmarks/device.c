/* The Modbus devices that all clients of the benchmarks ask, as small and quick as a device can be.

   device [-c] [-d MICROSECONDS] [-n COUNT]   listens on COUNT ports of 127.0.0.1, each a device, prints them in a line, and
                       answers every read of registers and every write (FC3, FC4, FC6, FC16), however many come at once,
                       each that long after it came; ends when its standard input does

   A register reads as its address, so that a client can see that it was answered what it asked; with -c every tenth
   reads as another number each time, as measurements do. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DEVICES = 64, BUFFER = 65536, HEAD = 6, FRAME = 260, WAITING = 256 };

typedef struct {
    int fd, have, first, count;
    uint8_t in[BUFFER];
    struct { int64_t due; int size; uint8_t data[FRAME]; } answers[WAITING];
} Connection;

static Connection connections[DEVICES];
static int64_t delay_ns;
static int changing, asked;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int answer(const uint8_t *request, int size, uint8_t *reply) {
    int start = request[8] << 8 | request[9], count = request[10] << 8 | request[11], length = 6;
    memcpy(reply, request, 12);
    if (request[7] == 3 || request[7] == 4) {
        reply[8] = 2 * count;
        asked++;
        for (int i = 0; i < count; i++) {
            int value = changing && (start + i) % 10 == 0 ? asked : start + i;
            reply[9 + 2 * i] = value >> 8, reply[10 + 2 * i] = value & 255;
        }
        length = 3 + 2 * count;
    }
    reply[4] = length >> 8, reply[5] = length & 255;
    return size ? HEAD + length : 0;
}

static void take(Connection *c) {
    ssize_t got = read(c->fd, c->in + c->have, BUFFER - c->have);
    if (got <= 0) { close(c->fd); c->fd = -1; return; }
    c->have += got;
    int at = 0;
    static uint8_t out[BUFFER];
    int filled = 0;
    while (c->have - at >= HEAD) {
        int size = HEAD + (c->in[at + 4] << 8 | c->in[at + 5]);
        if (c->have - at < size) break;
        if (delay_ns) {
            int place = (c->first + c->count++) % WAITING;
            c->answers[place].due = now_ns() + delay_ns;
            c->answers[place].size = answer(c->in + at, size, c->answers[place].data);
        } else filled += answer(c->in + at, size, out + filled);
        at += size;
    }
    memmove(c->in, c->in + at, c->have - at);
    c->have -= at;
    if (filled && send(c->fd, out, filled, MSG_NOSIGNAL) != filled) close(c->fd), c->fd = -1;
}

static int release(Connection *c, int64_t now) {  /* until the next answer is due, ns; -1: there is none */
    for (; c->count && c->answers[c->first].due <= now; c->first = (c->first + 1) % WAITING, c->count--)
        if (send(c->fd, c->answers[c->first].data, c->answers[c->first].size, MSG_NOSIGNAL) < 0) c->count = 1;
    return c->count ? (int)(c->answers[c->first].due - now) : -1;
}

int main(int arguments, char **argument) {
    int devices = 1, option, one = 1;
    struct pollfd polled[1 + 2 * DEVICES] = {{.fd = 0, .events = POLLIN}};
    while ((option = getopt(arguments, argument, "cd:n:")) != -1) {
        if (option == 'd') delay_ns = atoi(optarg) * 1000LL;
        else if (option == 'c') changing = 1;
        else if (option == 'n') devices = atoi(optarg);
        else return 2;
    }
    for (int i = 0; i < devices; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof address;
        int listener = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 4)) return 1;
        getsockname(listener, (struct sockaddr *)&address, &length);
        printf("%d%c", ntohs(address.sin_port), i + 1 < devices ? ' ' : '\n');
        polled[1 + i] = (struct pollfd){.fd = listener, .events = POLLIN};
        polled[1 + devices + i] = (struct pollfd){.fd = connections[i].fd = -1, .events = POLLIN};
    }
    fflush(stdout);
    for (;;) {
        int64_t now = now_ns(), next = -1;
        for (int i = 0; i < devices; i++) {
            int rest = release(&connections[i], now);
            if (rest >= 0 && (next < 0 || rest < next)) next = rest;
        }
        struct timespec wait = {.tv_nsec = next};
        if (ppoll(polled, 1 + 2 * devices, next < 0 ? NULL : &wait, NULL) < 0) return 1;
        if (polled[0].revents) return 0;
        for (int i = 0; i < devices; i++) {
            Connection *c = &connections[i];
            if (polled[1 + i].revents) {
                if (c->fd >= 0) close(c->fd);
                *c = (Connection){.fd = accept(polled[1 + i].fd, 0, 0)};
                setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                polled[1 + devices + i].fd = c->fd;
                polled[1 + devices + i].revents = 0;
            }
            if (c->fd >= 0 && polled[1 + devices + i].revents) take(c);
            polled[1 + devices + i].fd = c->fd;
        }
    }
}
