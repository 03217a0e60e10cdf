/* The floor of P4, and the device that all clients of P4 poll. Run by benchmarks/scan.py.

   scan server         listens on a port of 127.0.0.1 that it prints, answers every read of 100 registers of one
                       connection, a tenth of which change each time, and then prints when each request came (ns)
   scan client PORT N  reads 100 registers N times, every 10 ms by absolute time; prints the CPU seconds it took

   Both ask for real-time priority, as our control process does, and go on without it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { REGISTERS = 100, REQUEST = 12, REPLY = 9 + 2 * REGISTERS, PERIOD_NS = 10000000, ARRIVALS = 100000,
       CHANGING = 10 };

static int64_t arrivals[ARRIVALS];

static int64_t now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int all(int fd, uint8_t *data, int size) {
    for (int have = 0; have < size;) {
        ssize_t got = read(fd, data + have, size - have);
        if (got <= 0) return 0;
        have += got;
    }
    return 1;
}

static void serve(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int one = 1, count = 0, listener = socket(AF_INET, SOCK_STREAM, 0);
    uint8_t request[REQUEST], reply[REPLY] = {0};
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1)) exit(1);
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    int fd = accept(listener, 0, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    while (count < ARRIVALS && all(fd, request, REQUEST)) {
        arrivals[count++] = now_ns(CLOCK_MONOTONIC);
        memcpy(reply, request, 8);
        reply[4] = (REPLY - 6) >> 8, reply[5] = (REPLY - 6) & 255, reply[8] = 2 * REGISTERS;
        for (int i = 0; i < CHANGING; i++) reply[10 + 2 * i * (REGISTERS / CHANGING)] = count & 255;
        if (write(fd, reply, REPLY) != REPLY) break;
    }
    for (int i = 0; i < count; i++) printf("%lld\n", (long long)arrivals[i]);
}

static void poll_it(int port, int times) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    uint8_t request[REQUEST] = {0, 0, 0, 0, 0, 6, 1, 3, 0, 0, 0, REGISTERS}, reply[REPLY];
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) exit(1);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID), due = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < times; i++, due += PERIOD_NS) {
        struct timespec at = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, 0)) {}
        request[0] = i >> 8, request[1] = i & 255;
        if (write(fd, request, REQUEST) != REQUEST || !all(fd, reply, REPLY)) exit(1);
    }
    printf("%f\n", (now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e9);
}

int main(int count, char **arguments) {
    int server = count == 2 && !strcmp(arguments[1], "server");
    struct sched_param priority = {.sched_priority = server ? 30 : 20};
    sched_setscheduler(0, SCHED_FIFO, &priority);
    if (server) serve();
    else if (count == 4) poll_it(atoi(arguments[2]), atoi(arguments[3]));
    else return 2;
    return 0;
}
