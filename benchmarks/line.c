/* The Modbus RTU device of P3: a terminal on which bytes take the time that they take on a real line.

   line BAUD   prints the path of its terminal, answers every read of holding registers (FC3) of unit 1, the last byte
               of each answer when a line of 8N1 would have brought it, and ends when its standard input does */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST = 8, FIFO = 16, BITS = 10 };

static uint16_t checksum(const uint8_t *data, int size) {
    uint16_t sum = 0xFFFF;
    for (int i = 0; i < size; i++) {
        sum ^= data[i];
        for (int bit = 0; bit < 8; bit++) sum = sum & 1 ? sum >> 1 ^ 0xA001 : sum >> 1;
    }
    return sum;
}

static void until(struct timespec start, double seconds) {
    int64_t ns = start.tv_nsec + (int64_t)(seconds * 1e9);
    struct timespec at = {.tv_sec = start.tv_sec + ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL)) {}
}

int main(int arguments, char **argument) {
    if (arguments != 2) return 2;
    double byte_s = (double)BITS / atoi(argument[1]);
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    struct termios raw;
    if (terminal < 0 || grantpt(terminal) || unlockpt(terminal)) return 1;
    int kept = open(ptsname(terminal), O_RDWR | O_NOCTTY); /* so that it outlives its users */
    if (kept < 0 || tcgetattr(kept, &raw)) return 1;
    cfmakeraw(&raw);
    tcsetattr(kept, TCSANOW, &raw);
    printf("%s\n", ptsname(terminal));
    fflush(stdout);
    struct pollfd polled[2] = {{.fd = 0, .events = POLLIN}, {.fd = terminal, .events = POLLIN}};
    uint8_t request[REQUEST], reply[260];
    for (int have = 0;;) {
        if (poll(polled, 2, -1) < 0 || polled[0].revents) return 0;
        ssize_t got = read(terminal, request + have, REQUEST - have);
        if (got <= 0) return 1;
        if ((have += got) < REQUEST) continue;
        struct timespec start;
        clock_gettime(CLOCK_MONOTONIC, &start);
        int registers = request[5], size = 3 + 2 * registers;
        reply[0] = request[0], reply[1] = request[1], reply[2] = 2 * registers;
        for (int i = 3; i < size; i++) reply[i] = i;
        uint16_t sum = checksum(reply, size);
        reply[size++] = sum & 255, reply[size++] = sum >> 8;
        for (int at = 0, next; at < size; at = next) {
            next = at + FIFO < size ? at + FIFO : size;
            until(start, (REQUEST + next) * byte_s);
            if (write(terminal, reply + at, next - at) < 0) return 1;
        }
        have = 0;
    }
}
