/* libmodbus as a program: a client that does what stands on its input, or a server that shows what it holds.

   libmodbus client ADDRESS UNIT          each line of the input: FUNCTION ADDRESS COUNT, or FUNCTION ADDRESS VALUE...
                                          (22: ADDRESS AND OR; 23: ADDRESS COUNT-TO-READ ADDRESS VALUE...)
   libmodbus server tcp|pty UNIT AT=N...  prints its address; each line of the input: a holding register to show

   ADDRESS: a port of this machine or the path of a serial line. The rule kept here: an exception of the device is an
   answer, and whatever else libmodbus refuses ends the program. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <modbus.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { VALUES = 130, REGISTERS = 300 };

static void need(int well, const char *what) {
    if (!well) {
        fprintf(stderr, "%s: %s\n", what, modbus_strerror(errno));
        exit(1);
    }
}

static int bits(modbus_t *device, int function, const int *given, int count, uint16_t *told) {
    uint8_t each[VALUES];
    int done, i;
    for (i = 2; i < count; i++)
        each[i - 2] = given[i] != 0;
    if (function == 5)
        return modbus_write_bit(device, given[1], given[2]) - 1;
    if (function == 15)
        return modbus_write_bits(device, given[1], count - 2, each) == -1 ? -2 : 0;
    done = (function == 1 ? modbus_read_bits : modbus_read_input_bits)(device, given[1], given[2], each);
    for (i = 0; i < done; i++)
        told[i] = each[i];
    return done;
}

static int registers(modbus_t *device, int function, const int *given, int count, uint16_t *told) {
    uint16_t each[VALUES];
    int i, first = function == 23 ? 4 : 2;
    for (i = first; i < count; i++)
        each[i - first] = (uint16_t)given[i];
    switch (function) {
    case 3: return modbus_read_registers(device, given[1], given[2], told);
    case 4: return modbus_read_input_registers(device, given[1], given[2], told);
    case 6: return modbus_write_register(device, given[1], given[2]) == -1 ? -2 : 0;
    case 16: return modbus_write_registers(device, given[1], count - 2, each) == -1 ? -2 : 0;
    case 22: return modbus_mask_write_register(device, given[1], given[2], given[3]) == -1 ? -2 : 0;
    case 23: return modbus_write_and_read_registers(device, given[3], count - 4, each, given[1], given[2], told);
    default: need(0, "no such function"); return -2;
    }
}

static void client(const char *address, int unit) {
    modbus_t *device =
        *address == '/' ? modbus_new_rtu(address, 115200, 'N', 8, 1) : modbus_new_tcp("127.0.0.1", atoi(address));
    char line[1024];
    need(device != NULL && modbus_set_slave(device, unit) == 0, "new");
    need(modbus_set_response_timeout(device, 2, 0) == 0 && modbus_connect(device) == 0, "connect");
    while (fgets(line, sizeof line, stdin)) {
        int given[VALUES] = {0}, count = 0, i, done, code;
        uint16_t told[VALUES];
        for (char *word = strtok(line, " \n"); word && count < VALUES; word = strtok(NULL, " \n"))
            given[count++] = atoi(word);
        code = given[0];
        done = (code < 3 || code == 5 || code == 15 ? bits : registers)(device, code, given, count, told);
        if (done < 0 && errno > MODBUS_ENOBASE && errno < EMBBADCRC)
            printf("exception %d", errno - MODBUS_ENOBASE);
        else
            need(done >= 0, "request");
        for (i = 0; i < done; i++)
            printf("%s%d", i ? " " : "", told[i]);
        printf("\n");
    }
}

static int told_terminal(int unit) { /* the device's end of a terminal, whose other end is the line */
    struct termios raw;
    int end = posix_openpt(O_RDWR | O_NOCTTY), line;
    need(end >= 0 && grantpt(end) == 0 && unlockpt(end) == 0, "terminal");
    line = open(ptsname(end), O_RDWR | O_NOCTTY); /* stays open, so that the line is there between two clients */
    need(line >= 0 && tcgetattr(line, &raw) == 0, "line");
    cfmakeraw(&raw);
    need(tcsetattr(line, TCSANOW, &raw) == 0, "raw");
    printf("modbus+rtu:%s?baud=19200&unit=%d\n", ptsname(end), unit);
    return end;
}

static int told_port(modbus_t *device, int unit) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    int listening = modbus_tcp_listen(device, 4);
    need(listening >= 0 && getsockname(listening, (struct sockaddr *)&at, &size) == 0, "listen");
    printf("modbus://127.0.0.1:%d?unit=%d\n", ntohs(at.sin_port), unit);
    return listening;
}

static void server(int tcp, int unit, char **given) {
    modbus_t *device = tcp ? modbus_new_tcp("127.0.0.1", 0) : modbus_new_rtu("/dev/null", 19200, 'N', 8, 1);
    modbus_mapping_t *holds = modbus_mapping_new(REGISTERS, REGISTERS, REGISTERS, REGISTERS);
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    char line[64];
    int listening = -1, connected = -1, at, value, size;
    need(device != NULL && holds != NULL && modbus_set_slave(device, unit) == 0, "new");
    while (*given && sscanf(*given++, "%d=%d", &at, &value) == 2)
        holds->tab_registers[at] = (uint16_t)value;
    if (tcp)
        listening = told_port(device, unit);
    else
        modbus_set_socket(device, connected = told_terminal(unit));
    fflush(stdout);
    for (;;) {
        struct pollfd ready[] = {{0, POLLIN, 0}, {connected, POLLIN, 0}, {listening, POLLIN, 0}};
        need(poll(ready, 3, -1) > 0, "poll");
        if (ready[0].revents) {
            if (!fgets(line, sizeof line, stdin))
                return;
            printf("%d\n", holds->tab_registers[atoi(line)]);
            fflush(stdout);
        }
        if (ready[1].revents && (size = modbus_receive(device, request)) > 0)
            modbus_reply(device, request, size, holds);
        else if (ready[1].revents && size < 0 && tcp) {
            close(connected);
            connected = -1;
        }
        if (ready[2].revents) {
            close(connected);
            connected = modbus_tcp_accept(device, &listening);
        }
    }
}

int main(int count, char **given) {
    if (count > 3 && strcmp(given[1], "client") == 0)
        client(given[2], atoi(given[3]));
    else if (count > 3)
        server(strcmp(given[2], "tcp") == 0, atoi(given[3]), given + 4);
    return count > 3 ? 0 : 2;
}
