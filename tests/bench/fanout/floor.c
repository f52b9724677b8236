/* The floor: what it costs to give the same bytes to every socket with one send() each, and nothing else.
 *
 * floor: listens on a free port of 127.0.0.1, prints "port N"; obeys "RATE BURST" lines as the other servers do.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 20000 };
static int subscribers[MOST], count;
static char upgraded[MOST * 4];
static long long id;

static void put_text(int fd, const char *text) {
    unsigned char frame[4096] = {0x81};
    size_t size = strlen(text), head = 2;
    if (size < 126) frame[1] = (unsigned char)size;
    else frame[1] = 126, frame[2] = (unsigned char)(size >> 8), frame[3] = (unsigned char)size, head = 4;
    memcpy(frame + head, text, size);
    send(fd, frame, head + size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void publish(void) {
    char text[600];
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    snprintf(text, sizeof text,
             "42/client,[\"sensor_data_pub_client\",{\"device\":\"bench\",\"stream\":\"bench\",\"clock\":{\"boot_id\":\"b\",\"monotonic_ns\":%lld,"
             "\"synchronised\":true},\"id\":%lld,\"datetime\":\"2026-01-31 23:59:59\",\"fail\":[],\"data\":{\"temperature\":21.4,\"humidity\":48.2}}]",
             t.tv_sec * 1000000000LL + t.tv_nsec, ++id);
    for (int i = 0; i < count; i++) put_text(subscribers[i], text);
}

int main(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files), files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), loop = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0), one = 1, burst = 1;
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024)) return 1;
    getsockname(listener, (struct sockaddr *)&at, &size);
    printf("port %d\n", ntohs(at.sin_port)), fflush(stdout);
    struct epoll_event events[256];
    for (int fd, i = 0; i < 3; i++) {
        fd = i == 0 ? listener : i == 1 ? timer : 0;
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e);
    }
    for (;;) {
        int n = epoll_wait(loop, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            char text[4096];
            if (fd == listener) {
                int peer = accept(listener, NULL, NULL);
                if (peer < 0 || peer >= MOST * 4) continue;
                setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                struct epoll_event e = {.events = EPOLLIN, .data.fd = peer};
                upgraded[peer] = 0;
                epoll_ctl(loop, EPOLL_CTL_ADD, peer, &e);
            } else if (fd == timer) {
                uint64_t times;
                if (read(timer, &times, sizeof times) == sizeof times)
                    for (int k = 0; k < burst * (int)times; k++) publish();
            } else if (fd == 0) {
                int rate;
                ssize_t got = read(0, text, sizeof text - 1);
                if (got <= 0) return 0;
                text[got] = 0;
                if (sscanf(text, "%d %d", &rate, &burst) == 2) {
                    struct itimerspec every = {.it_interval.tv_nsec = rate ? 1000000000L / rate : 0, .it_value.tv_nsec = rate ? 1 : 0};
                    timerfd_settime(timer, 0, &every, NULL);
                }
            } else if (recv(fd, text, sizeof text, MSG_DONTWAIT) <= 0) {
                epoll_ctl(loop, EPOLL_CTL_DEL, fd, NULL);
                for (int k = 0; k < count; k++) if (subscribers[k] == fd) subscribers[k] = subscribers[--count];
                close(fd);
            } else if (!upgraded[fd]) {
                const char *answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
                send(fd, answer, strlen(answer), MSG_NOSIGNAL);
                put_text(fd, "0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000}");
                upgraded[fd] = 1;
            } else if (upgraded[fd] == 1 && count < MOST) {
                put_text(fd, "40/client,{\"sid\":\"x\"}");
                upgraded[fd] = 2, subscribers[count++] = fd;
            }
        }
    }
}
