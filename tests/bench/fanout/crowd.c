/* Many subscribers in one process, at little CPU: websocket, long polling or MQTT.
 *
 * crowd sio PORTS SUBSCRIBERS POLLING | crowd mqtt PORTS SUBSCRIBERS 0
 *
 * PORTS is one port or several with commas, which subscribers take in turn. It connects all, prints "ready", then obeys
 * lines on standard input:
 *   produce RATE BURST   send events: RATE times a second, BURST of them (0 stops); each asks for an ack
 *   saturate EVENTS      keep so many events on their way: a further one leaves when one has reached everybody
 *   command RATE         a page switches a device RATE times a second, and waits for the result of each
 *   measure SECONDS      forget what was counted, watch that long, then report
 *   report               print what was counted, as one line of JSON
 *   quit
 * Every event carries "id" (its number) and "monotonic_ns" (when it was sent, CLOCK_MONOTONIC). Per subscriber the
 * numbers must go up by one: gaps, duplicates and reorders are counted apart. One that comes late is both a gap, when
 * it was passed over, and a reorder, when it came.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
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

enum kind { WEBSOCKET, POLLING, MQTT };
enum role { SUBSCRIBER, PRODUCER, DEVICE, COMMANDER };
enum { BUFFER = 1 << 20, BUCKETS = 200000, BUCKET_US = 10, AT_A_TIME = 200, REMEMBERED = 1 << 16, MOST_PORTS = 64 };

typedef struct {
    int fd, port, joined, upgraded, answering;
    enum kind kind;
    enum role role;
    char sid[64];
    char *left;
    size_t left_size;
    int64_t last_id;
} client;

typedef struct { uint64_t count, sum, slots[BUCKETS]; } histogram;

static char input[BUFFER * 2], joined_input[BUFFER * 4];
static int loop, ports[MOST_PORTS], port_count, count, joined, closed_count, saturating;
static client *clients, producer, device, commander;
static int64_t sent_id, command_id;
static uint64_t gaps, duplicates, reorders, bytes_in;
static histogram delivered, acked, commanded;
static int64_t ack_sent[REMEMBERED], command_sent[REMEMBERED];
static int reached[REMEMBERED]; /* subscribers that an event has come to, by its number */

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what) { perror(what); exit(1); }

static void note(histogram *h, int64_t ns) {
    int64_t slot = ns / 1000 / BUCKET_US;
    h->slots[slot < 0 ? 0 : slot >= BUCKETS ? BUCKETS - 1 : slot]++;
    h->count++;
}

static double quantile_ms(const histogram *h, double part) {
    uint64_t wanted = (uint64_t)(h->count * part), seen = 0;
    for (int i = 0; i < BUCKETS; i++)
        if ((seen += h->slots[i]) > wanted) return i * BUCKET_US / 1000.0;
    return 0;
}

static void put(int fd, const void *data, size_t size) {
    const char *at = data;
    while (size) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN) { usleep(100); continue; }
            return;
        }
        at += sent, size -= (size_t)sent;
    }
}

static void put_frame(int fd, const char *text) {
    size_t size = strlen(text), head = 2;
    unsigned char frame[4096] = {0x81, 0};
    if (size < 126) frame[1] = (unsigned char)(0x80 | size);
    else frame[1] = 0x80 | 126, frame[2] = (unsigned char)(size >> 8), frame[3] = (unsigned char)size, head = 4;
    memset(frame + head, 0, 4); /* a mask of zeros, as small devices send it */
    memcpy(frame + head + 4, text, size);
    put(fd, frame, head + 4 + size);
}

static void get_poll(client *c) {
    char text[512];
    int size = snprintf(text, sizeof text, "GET /socket.io/?EIO=4&transport=polling%s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
                        c->sid[0] ? "&sid=" : "", c->sid, c->port);
    put(c->fd, text, (size_t)size);
}

static void post(client *c, const char *body) {
    char text[512];
    int size = snprintf(text, sizeof text,
                        "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                        "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s", c->sid, c->port, strlen(body), body);
    c->answering = 1;
    put(c->fd, text, (size_t)size);
}

static int64_t number_after(const char *data, size_t size, const char *key) {
    const char *found = memmem(data, size, key, strlen(key));
    return found ? strtoll(found + strlen(key), NULL, 10) : -1;
}

static void produce_one(void);

static void event(client *c, const char *data, size_t size) {
    int64_t at = number_after(data, size, "\"monotonic_ns\":");
    if (at < 0) return;
    note(&delivered, now_ns() - at);
    int64_t id = number_after(data, size, "\"id\":");
    if (c->last_id >= 0) {
        if (id == c->last_id) duplicates++;
        else if (id < c->last_id) reorders++;
        else gaps += (uint64_t)(id - c->last_id - 1);
    }
    if (id > c->last_id) c->last_id = id;
    if (saturating && id > 0 && ++reached[id % REMEMBERED] == count) produce_one();
}

static void switch_once(void) {
    char text[200];
    if (!device.joined || !commander.joined) return;
    command_sent[++command_id % REMEMBERED] = now_ns();
    snprintf(text, sizeof text,
             "42/client,%lld[\"command_request_client\",{\"action\":\"on\",\"accessory\":\"breath_light\",\"device\":\"bench\"}]",
             (long long)command_id);
    put_frame(commander.fd, text);
}

static void device_event(const char *data, size_t size) {
    char text[200];
    int64_t command = number_after(data, size, "\"command\":\"");
    if (command < 0) return;
    snprintf(text, sizeof text,
             "42/pi,[\"LED_status_pub_pi\",{\"device\":\"bench\",\"status\":true,\"command\":\"%lld\",\"cause\":\"user\"}]",
             (long long)command);
    put_frame(device.fd, text);
}

static void commander_event(const char *data, size_t size) {
    if (!memmem(data, size, "\"command_result_pub_client\"", 27)) return;
    int64_t command = number_after(data, size, "\"command\":\"");
    if (command >= 0) note(&commanded, now_ns() - command_sent[command % REMEMBERED]);
}

static void entered(client *c) {
    c->joined = 1;
    if (c->role == SUBSCRIBER) joined++;
    else if (c->role == PRODUCER) for (int i = 0; i < saturating; i++) produce_one();
}

static void message(client *c, const char *data, size_t size) {
    int is_device = c->role == PRODUCER || c->role == DEVICE;
    const char *namespace = is_device ? "/pi" : "/client";
    if (!size) return;
    if (data[0] == '0') {
        char text[128];
        const char *sid = memmem(data, size, "\"sid\":\"", 7);
        if (sid && c->kind == POLLING) sscanf(sid + 7, "%63[^\"]", c->sid);
        snprintf(text, sizeof text, "40%s,%s", namespace, is_device ? "{\"device\":\"bench\",\"contract\":\"1.0\"}" : "");
        if (c->kind == POLLING) post(c, text); else put_frame(c->fd, text);
    } else if (data[0] == '2') {
        if (c->kind == POLLING) post(c, "3"); else put_frame(c->fd, "3");
    } else if (data[0] == '4' && size > 1) {
        if (data[1] == '0' && !c->joined) entered(c);
        else if (data[1] == '2' && c->role == SUBSCRIBER) event(c, data, size);
        else if (data[1] == '2' && c->role == DEVICE) device_event(data, size);
        else if (data[1] == '2' && c->role == COMMANDER) commander_event(data, size);
        else if (data[1] == '3' && c->role == PRODUCER) {
            const char *comma = memchr(data, ',', size);
            if (comma) note(&acked, now_ns() - ack_sent[strtoll(comma + 1, NULL, 10) % REMEMBERED]);
        }
    }
}

/* Each of these takes one unit off the front and returns how long it was, 0 for "not all of it is there". */

static size_t take_http(client *c, char *data, size_t size) {
    char *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - data) + 4;
    if (c->kind == WEBSOCKET) {
        if (strncmp(data, "HTTP/1.1 101", 12)) { fprintf(stderr, "refused: %.60s\n", data); exit(1); }
        c->upgraded = 1;
        return head;
    }
    char *length = strcasestr(data, "content-length:");
    size_t body = length && length < end ? (size_t)strtoul(length + 15, NULL, 10) : 0;
    if (size < head + body) return 0;
    int was_answer = c->answering;
    c->answering = 0;
    if (!was_answer) {
        char *at = data + head, *stop = at + body;
        while (at < stop) {
            char *next = memchr(at, 0x1e, (size_t)(stop - at));
            if (!next) next = stop;
            message(c, at, (size_t)(next - at));
            at = next + 1;
        }
    }
    if (!c->answering) get_poll(c);
    return head + body;
}

static size_t take_frame(client *c, char *data, size_t size) {
    const unsigned char *d = (const unsigned char *)data;
    if (size < 2) return 0;
    uint64_t length = d[1] & 0x7f;
    size_t head = length == 126 ? 4 : length == 127 ? 10 : 2;
    if (size < head) return 0;
    if (head > 2) for (size_t i = length = 0; i < head - 2; i++) length = length << 8 | d[2 + i];
    if (size < head + length) return 0;
    if ((d[0] & 15) == 1) message(c, data + head, length);
    return head + length;
}

static size_t take_mqtt(client *c, char *data, size_t size) {
    const unsigned char *d = (const unsigned char *)data;
    size_t length = 0, at = 1;
    for (int shift = 0;; shift += 7, at++) {
        if (at >= size) return 0;
        length |= (size_t)(d[at] & 0x7f) << shift;
        if (!(d[at] & 0x80)) { at++; break; }
    }
    if (size < at + length) return 0;
    int kind = d[0] >> 4;
    if (kind == 2) { /* connected */
        if (c->role == PRODUCER) entered(c);
        else put(c->fd, "\x82\x06\x00\x01\x00\x01t\x00", 8);
    } else if (kind == 9 && !c->joined) entered(c);
    else if (kind == 3) event(c, data + at, length);
    else if (kind == 4) note(&acked, now_ns() - ack_sent[d[at] << 8 | d[at + 1]]);
    return at + length;
}

static void readable(client *c) {
    ssize_t got = recv(c->fd, input, BUFFER, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) { epoll_ctl(loop, EPOLL_CTL_DEL, c->fd, NULL); closed_count++; return; }
    bytes_in += (uint64_t)got;
    char *data = input;
    size_t size = (size_t)got;
    if (c->left_size) {
        memcpy(joined_input, c->left, c->left_size);
        memcpy(joined_input + c->left_size, input, size);
        data = joined_input, size += c->left_size;
    }
    for (size_t took = 1; size && took; data += took, size -= took)
        took = c->kind == MQTT ? take_mqtt(c, data, size) : c->upgraded ? take_frame(c, data, size) : take_http(c, data, size);
    if (size) memmove(c->left = realloc(c->left, size), data, size);
    c->left_size = size;
}

static void open_client(client *c, enum kind kind, enum role role, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    c->kind = kind, c->role = role, c->port = port, c->last_id = -1, c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &e);
    if (kind == MQTT) {
        char text[64], name[16];
        int size = snprintf(name, sizeof name, "c%d", c->fd);
        memcpy(text, "\x10\x00\x00\x04MQTT\x04\x02\x00\x00\x00", 13);
        text[13] = (char)size;
        memcpy(text + 14, name, (size_t)size);
        text[1] = (char)(12 + size);
        put(c->fd, text, 14 + (size_t)size);
    } else if (kind == POLLING) get_poll(c);
    else {
        char text[256];
        int size = snprintf(text, sizeof text,
                            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\n"
                            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", c->port);
        put(c->fd, text, (size_t)size);
    }
}

static void produce_one(void) {
    char body[600], text[700];
    int64_t now = now_ns(), id = ++sent_id;
    int size = snprintf(body, sizeof body,
                        "{\"device\":\"bench\",\"stream\":\"bench\",\"clock\":{\"boot_id\":\"b\",\"monotonic_ns\":%lld,\"synchronised\":true},"
                        "\"id\":%lld,\"datetime\":\"2026-01-31 23:59:59\",\"fail\":[],\"data\":{\"temperature\":21.4,\"humidity\":48.2}}",
                        (long long)now, (long long)id);
    ack_sent[id % REMEMBERED] = now, reached[id % REMEMBERED] = 0;
    if (producer.kind == MQTT) {
        unsigned char head[8] = {0x32};
        size_t length = (size_t)size + 5;
        head[1] = (unsigned char)(length % 128 | 128), head[2] = (unsigned char)(length / 128);
        head[3] = 0, head[4] = 1, head[5] = 't', head[6] = (unsigned char)(id >> 8), head[7] = (unsigned char)id;
        memcpy(text, head, 8), memcpy(text + 8, body, (size_t)size);
        put(producer.fd, text, 8 + (size_t)size);
    } else {
        snprintf(text, sizeof text, "42/pi,%lld[\"sensor_data_pub_pi\",%s]", (long long)id, body);
        put_frame(producer.fd, text);
    }
}

static void pace(int timer, int rate) {
    struct itimerspec every = {.it_interval.tv_nsec = rate ? 1000000000L / rate : 0, .it_value.tv_nsec = rate ? 500000000L : 0};
    timerfd_settime(timer, 0, &every, NULL);
}

static uint64_t ticks(int timer) {
    uint64_t times;
    return read(timer, &times, sizeof times) == sizeof times ? times : 0;
}

static double cpu_s(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void listen_to(int fd, void *who) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = who};
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e);
}

static void report(double seconds, double cpu) {
    printf("{\"delivered\":%llu,\"seconds\":%.3f,\"cpu_s\":%.3f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"gaps\":%llu,\"duplicates\":%llu,"
           "\"reorders\":%llu,\"closed\":%d,\"bytes\":%llu,",
           (unsigned long long)delivered.count, seconds, cpu, quantile_ms(&delivered, .5), quantile_ms(&delivered, .99),
           (unsigned long long)gaps, (unsigned long long)duplicates, (unsigned long long)reorders, closed_count,
           (unsigned long long)bytes_in);
    printf("\"acked\":%llu,\"ack_p50_ms\":%.2f,\"ack_p99_ms\":%.2f,\"commanded\":%llu,\"command_p50_ms\":%.2f,\"command_p99_ms\":%.2f}\n",
           (unsigned long long)acked.count, quantile_ms(&acked, .5), quantile_ms(&acked, .99),
           (unsigned long long)commanded.count, quantile_ms(&commanded, .5), quantile_ms(&commanded, .99));
}

int main(int argc, char **argv) {
    if (argc < 5) return 2;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files), files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
    for (char *at = strtok(argv[2], ","); at && port_count < MOST_PORTS; at = strtok(NULL, ",")) ports[port_count++] = atoi(at);
    int mqtt = !strcmp(argv[1], "mqtt"), polling = atoi(argv[4]), burst = 1;
    count = atoi(argv[3]), loop = epoll_create1(0), clients = calloc((size_t)count, sizeof *clients);
    int timer = timerfd_create(CLOCK_MONOTONIC, 0), switching = timerfd_create(CLOCK_MONOTONIC, 0);
    struct epoll_event events[256];
    listen_to(timer, &timer), listen_to(switching, &switching), listen_to(0, input);
    int opened = 0, ready = 0;
    int64_t ends = 0, began = now_ns();
    double cpu = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (;;) {
        for (; opened < count && opened - joined < AT_A_TIME; opened++)
            open_client(clients + opened, mqtt ? MQTT : opened < polling ? POLLING : WEBSOCKET, SUBSCRIBER, ports[opened % port_count]);
        if (!ready && joined == count) ready = 1, puts("ready");
        int n = epoll_wait(loop, events, 256, ends ? (int)((ends - now_ns()) / 1000000) + 1 : 1000);
        for (int i = 0; i < n; i++) {
            void *who = events[i].data.ptr;
            if (who == &timer) {
                for (uint64_t k = ticks(timer) * (uint64_t)burst; k > 0; k--) produce_one();
            } else if (who == &switching) {
                for (uint64_t k = ticks(switching); k > 0; k--) switch_once();
            } else if (who == input) {
                char lines[512];
                ssize_t got = read(0, lines, sizeof lines - 1);
                if (got <= 0) return 0;
                lines[got] = 0;
                for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n")) {
                    double seconds;
                    int rate;
                    if (!strcmp(line, "quit")) return 0;
                    if (!strcmp(line, "report")) report((now_ns() - began) / 1e9, cpu_s() - cpu);
                    if (sscanf(line, "produce %d %d", &rate, &burst) == 2) {
                        if (!producer.fd && rate) open_client(&producer, mqtt ? MQTT : WEBSOCKET, PRODUCER, ports[0]);
                        pace(timer, rate);
                    } else if (sscanf(line, "saturate %d", &saturating) == 1) {
                        open_client(&producer, mqtt ? MQTT : WEBSOCKET, PRODUCER, ports[0]);
                    } else if (sscanf(line, "command %d", &rate) == 1) {
                        open_client(&device, WEBSOCKET, DEVICE, ports[0]);
                        open_client(&commander, WEBSOCKET, COMMANDER, ports[port_count - 1]);
                        pace(switching, rate);
                    } else if (sscanf(line, "measure %lf", &seconds) == 1) {
                        memset(&delivered, 0, sizeof delivered), memset(&acked, 0, sizeof acked);
                        memset(&commanded, 0, sizeof commanded);
                        gaps = duplicates = reorders = bytes_in = 0;
                        cpu = cpu_s(), began = now_ns(), ends = began + (int64_t)(seconds * 1e9);
                    }
                }
            } else readable(who);
        }
        if (ends && now_ns() >= ends) {
            report((now_ns() - began) / 1e9, cpu_s() - cpu);
            ends = 0;
        }
    }
}
