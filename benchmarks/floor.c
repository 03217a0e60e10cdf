/* The floor of P1 to P3: libmodbus, asking as fast as it is answered.

   floor tcp PORT SECONDS REGISTERS    or    floor rtu PATH SECONDS REGISTERS

   prints how many answers it got, in how many seconds, with how many CPU seconds, and the time of the slowest but one
   in a hundred (s) */
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ANSWERS = 10000000 };

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static int rising(const void *a, const void *b) {
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

int main(int arguments, char **argument) {
    if (arguments != 5) return 2;
    int rtu = !strcmp(argument[1], "rtu"), registers = atoi(argument[4]), answers = 0;
    double seconds = atof(argument[3]);
    modbus_t *device = rtu ? modbus_new_rtu(argument[2], 115200, 'N', 8, 1) : modbus_new_tcp("127.0.0.1", atoi(argument[2]));
    uint16_t values[125];
    float *took = malloc(ANSWERS * sizeof *took);
    if (!device || modbus_set_slave(device, 1) || modbus_connect(device)) return 1;
    double begin = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID), last = begin, at;
    while (answers < ANSWERS && last - begin < seconds) {
        if (modbus_read_registers(device, 0, registers, values) != registers) return 1;
        at = now(CLOCK_MONOTONIC);
        took[answers++] = at - last;
        last = at;
    }
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    qsort(took, answers, sizeof *took, rising);
    printf("[%d, %f, %f, %g]\n", answers, last - begin, cpu, took[answers * 99LL / 100]);
    return 0;
}
