/* The floor of the protocols without HTTP: an echo server with nothing but epoll and their framing.

       cc -O3 -o stream_echo stream_echo.c && ./stream_echo text 9001

   The first argument is `text` (lines), `frame` (four bytes of length before each message), `tcp`
   (bytes as they come) or `udp` (a datagram for each). Each message is found, and answered with one
   of its own; what one read brings is answered by one write.

   It shows the least that the work can cost, and is no server to use: it trusts its clients, has no
   limits, no timeouts, no TLS and no log, takes messages of at most ROOM bytes (a longer one makes
   it wait for ever), and spins in place while a client does not read its answers. */
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
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 1 << 18, EVENTS = 1024, FDS = 1 << 20 };

struct peer {
    char *begun; /* of a message that is not whole */
    size_t size, room;
};

static struct peer *peers[FDS];
static unsigned char in[ROOM], out[2 * ROOM];
static const char *protocol;

/* How many of the bytes are whole messages; they are put into `out`, framed anew. */
static size_t answer(const unsigned char *data, size_t size, size_t *written)
{
    size_t taken = 0, put = 0;
    if (!strcmp(protocol, "tcp")) {
        memcpy(out, data, size);
        *written = size;
        return size;
    }
    if (!strcmp(protocol, "text")) {
        const unsigned char *end;
        while ((end = memchr(data + taken, '\n', size - taken)) != NULL) {
            size_t length = (size_t)(end - data) - taken;
            memcpy(out + put, data + taken, length);
            out[put + length] = '\n';
            put += length + 1;
            taken += length + 1;
        }
    } else {
        while (size - taken >= 4) {
            uint32_t length;
            memcpy(&length, data + taken, 4);
            length = ntohl(length);
            if (length < 4 || length > size - taken) break;
            uint32_t head = htonl(length);
            memcpy(out + put, &head, 4);
            memcpy(out + put + 4, data + taken + 4, length - 4);
            put += length;
            taken += length;
        }
    }
    *written = put;
    return taken;
}

static void end(int fd)
{
    free(peers[fd]->begun);
    free(peers[fd]);
    peers[fd] = NULL;
    close(fd);
}

static void send_all(int fd, const unsigned char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = write(fd, data, size);
        if (sent < 0 && errno != EAGAIN) return;
        if (sent > 0) data += sent, size -= (size_t)sent;
    }
}

static void serve(int fd)
{
    struct peer *peer = peers[fd];
    unsigned char *data = in;
    size_t have = peer->size, written;
    if (have > 0) memcpy(in, peer->begun, have);
    ssize_t count = read(fd, in + have, ROOM - have);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
        end(fd);
        return;
    }
    have += (size_t)count;
    size_t taken = answer(data, have, &written);
    peer->size = have - taken;
    if (peer->size > peer->room) {
        peer->room = peer->size;
        peer->begun = realloc(peer->begun, peer->room);
    }
    if (peer->size > 0) memcpy(peer->begun, data + taken, peer->size);
    send_all(fd, out, written);
}

static void serve_datagrams(int fd)
{
    struct sockaddr_in from;
    for (int i = 0; i < 64; i++) {
        socklen_t length = sizeof from;
        ssize_t count = recvfrom(fd, in, ROOM, 0, (struct sockaddr *)&from, &length);
        if (count < 0) return;
        sendto(fd, in, (size_t)count, 0, (struct sockaddr *)&from, length);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) return fprintf(stderr, "usage: stream_echo text|frame|tcp|udp PORT\n"), 2;
    protocol = argv[1];
    int is_udp = !strcmp(protocol, "udp"), yes = 1;
    int listener = socket(AF_INET, (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || (!is_udp && listen(listener, 4096)))
        return perror("stream_echo"), 1;
    int poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                serve(fd);
            } else if (is_udp) {
                serve_datagrams(fd);
            } else {
                int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (client < 0 || client >= FDS) continue;
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                peers[client] = calloc(1, sizeof **peers);
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = client};
                epoll_ctl(poller, EPOLL_CTL_ADD, client, &event);
            }
        }
    }
}
