/* The six programs of load/zmq on libzmq: the same arguments, the same work,
 * the same lines. One binary; its first argument is the program's name.
 *
 *   cc -O2 -o libzmq libzmq.c -lzmq
 */
#define _POSIX_C_SOURCE 199309L
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

static int64_t nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct job {
    void *socket;
    size_t size;
    long count;
};

static void *open_socket(void *context, int type)
{
    void *s = zmq_socket(context, type);
    if (!s)
        fail("zmq_socket");
    return s;
}

static void receive_one(struct job *j, zmq_msg_t *m)
{
    if (zmq_msg_recv(m, j->socket, 0) < 0)
        fail("zmq_msg_recv");
    if (zmq_msg_size(m) != j->size) {
        fprintf(stderr, "message of incorrect size received\n");
        exit(1);
    }
}

/* A message is made anew for each send, as libzmq's users do. */
static void *send_all(void *arg)
{
    struct job *j = arg;
    for (long i = 0; i < j->count; i++) {
        zmq_msg_t m;
        if (zmq_msg_init_size(&m, j->size) != 0)
            fail("zmq_msg_init_size");
        if (zmq_msg_send(&m, j->socket, 0) < 0)
            fail("zmq_msg_send");
    }
    return NULL;
}

static void receive_all(struct job *j)
{
    zmq_msg_t m;
    zmq_msg_init(&m);
    receive_one(j, &m);
    int64_t start = nanoseconds();
    for (long i = 1; i < j->count; i++)
        receive_one(j, &m);
    int64_t elapsed = nanoseconds() - start;
    zmq_msg_close(&m);
    if (elapsed < 1000)
        elapsed = 1000;
    double rate = (double)j->count / (double)elapsed * 1e9;
    printf("message size: %zu [B]\nmessage count: %ld\nmean throughput: %ld [msg/s]\nmean throughput: %.3f [Mb/s]\n",
           j->size, j->count, (long)rate, rate * (double)j->size * 8 / 1e6);
}

static void *echo_all(void *arg)
{
    struct job *j = arg;
    zmq_msg_t m;
    zmq_msg_init(&m);
    for (long i = 0; i < j->count; i++) {
        receive_one(j, &m);
        if (zmq_msg_send(&m, j->socket, 0) < 0)
            fail("zmq_msg_send");
    }
    zmq_msg_close(&m);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void ask_all(struct job *j)
{
    int64_t *trip = malloc((size_t)j->count * sizeof *trip);
    if (!trip) {
        fprintf(stderr, "no memory for %ld round trips\n", j->count);
        exit(1);
    }
    zmq_msg_t m;
    if (zmq_msg_init_size(&m, j->size) != 0)
        fail("zmq_msg_init_size");
    memset(zmq_msg_data(&m), 0, j->size);
    int64_t start = nanoseconds(), last = start;
    for (long i = 0; i < j->count; i++) {
        if (zmq_msg_send(&m, j->socket, 0) < 0)
            fail("zmq_msg_send");
        receive_one(j, &m);
        int64_t now = nanoseconds();
        trip[i] = now - last;
        last = now;
    }
    zmq_msg_close(&m);
    qsort(trip, (size_t)j->count, sizeof *trip, compare);
    printf("message size: %zu [B]\nroundtrip count: %ld\naverage latency: %.3f [us]\n"
           "median latency: %.3f [us]\n99th percentile latency: %.3f [us]\n",
           j->size, j->count, (double)(last - start) / 2e3 / (double)j->count,
           (double)trip[(j->count - 1) / 2] / 2e3, (double)trip[(j->count - 1) * 99 / 100] / 2e3);
    free(trip);
}

static void do_bind(struct job *j, const char *endpoint)
{
    if (zmq_bind(j->socket, endpoint) != 0)
        fail("zmq_bind");
}

static void do_connect(struct job *j, const char *endpoint)
{
    if (zmq_connect(j->socket, endpoint) != 0)
        fail("zmq_connect");
}

/* Runs both ends in one process: work in a thread, measure in this one. */
static void inproc(void *context, struct job *j, int measuring, int working, void (*measure)(struct job *),
                   void *(*work)(void *))
{
    const char *endpoint = "inproc://test";
    struct job other = *j;
    j->socket = open_socket(context, measuring);
    do_bind(j, endpoint);
    other.socket = open_socket(context, working);
    do_connect(&other, endpoint);
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, &other) != 0) {
        fprintf(stderr, "pthread_create failed\n");
        exit(1);
    }
    measure(j);
    pthread_join(thread, NULL);
    zmq_close(other.socket);
}

static int usage(void)
{
    fprintf(stderr, "usage: libzmq local_thr|local_lat <bind-to> <message-size> <count>\n"
                    "       libzmq remote_thr|remote_lat <connect-to> <message-size> <count>\n"
                    "       libzmq inproc_thr|inproc_lat <message-size> <count>\n");
    return 1;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return usage();
    const char *name = argv[1];
    int within = strncmp(name, "inproc_", 7) == 0;
    if (argc != (within ? 4 : 5))
        return usage();
    struct job j = {NULL, strtoul(argv[argc - 2], NULL, 10), strtol(argv[argc - 1], NULL, 10)};
    if (j.count < 1)
        return usage();
    void *context = zmq_ctx_new();
    if (!context)
        fail("zmq_ctx_new");

    if (strcmp(name, "local_thr") == 0) {
        j.socket = open_socket(context, ZMQ_PULL);
        do_bind(&j, argv[2]);
        receive_all(&j);
    } else if (strcmp(name, "remote_thr") == 0) {
        j.socket = open_socket(context, ZMQ_PUSH);
        do_connect(&j, argv[2]);
        send_all(&j);
    } else if (strcmp(name, "local_lat") == 0) {
        j.socket = open_socket(context, ZMQ_REP);
        do_bind(&j, argv[2]);
        echo_all(&j);
    } else if (strcmp(name, "remote_lat") == 0) {
        j.socket = open_socket(context, ZMQ_REQ);
        do_connect(&j, argv[2]);
        ask_all(&j);
    } else if (strcmp(name, "inproc_thr") == 0) {
        inproc(context, &j, ZMQ_PULL, ZMQ_PUSH, receive_all, send_all);
    } else if (strcmp(name, "inproc_lat") == 0) {
        inproc(context, &j, ZMQ_REQ, ZMQ_REP, ask_all, echo_all);
    } else {
        return usage();
    }
    zmq_close(j.socket);
    zmq_ctx_term(context); /* waits until all is sent */
    return 0;
}
