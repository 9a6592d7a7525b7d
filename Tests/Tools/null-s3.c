/* A null S3 server, for measuring the cost of a client or a relay alone. It reads each request body to its end,
 * discards the body without copying it, and answers Create, UploadPart, PutObject, Complete and Abort as S3 would. It
 * checks no signature and stores nothing: lists are always empty, and the only object that can be found is the one-byte
 * object with which a gateway tests a store. Use a real server to test correctness.
 *
 * On SIGTERM it prints the number of requests of each kind.
 *
 *   cc -O2 -pthread -o null-s3 null-s3.c && ./null-s3 [ADDRESS [PORT]]      (127.0.0.1 6201)
 *
 * S3 endpoint http://127.0.0.1:6201, path style, any bucket, key, region and credentials. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_MAX = 64 * 1024, DISCARD = 1 << 20 };

enum kind { CREATE, UPLOAD_PART, LIST_PARTS, COMPLETE, ABORT, PUT_OBJECT, HEAD_OBJECT, GET_OBJECT, LIST, DELETE, KINDS };
static const char *const kind_names[KINDS] = { "CreateMultipartUpload", "UploadPart", "ListParts",
    "CompleteMultipartUpload", "AbortMultipartUpload", "PutObject", "HeadObject", "GetObject", "ListObjectsV2",
    "DeleteObject" };
static atomic_ulong counts[KINDS];

static int send_all(int fd, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        if (sent <= 0) return -1;
        bytes += sent;
        count -= (size_t)sent;
    }
    return 0;
}

/* The value of a header in the NUL-terminated head, or NULL. */
static const char *header(const char *head, const char *name) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') {
            const char *value = line + 3 + length;
            while (*value == ' ') value++;
            return value;
        }
    return NULL;
}

static int discard(int fd, size_t count) {
    while (count > 0) {
        ssize_t got = recv(fd, NULL, count < DISCARD ? count : DISCARD, MSG_TRUNC);
        if (got <= 0) return -1;
        count -= (size_t)got;
    }
    return 0;
}

static int is(const char *head, const char *method) { return strncmp(head, method, strlen(method)) == 0; }

static enum kind kind_of(const char *head) {
    const char *end = strchr(head, '\r'), *query = memchr(head, '?', (size_t)(end - head));
    const char *upload = query ? memmem(query, (size_t)(end - query), "uploadId=", 9) : NULL;
    const char *list = query ? memmem(query, (size_t)(end - query), "list-type=", 10) : NULL;
    if (query && !list) list = memmem(query, (size_t)(end - query), "uploads=", 8);
    if (is(head, "POST ")) return upload ? COMPLETE : CREATE;
    if (is(head, "PUT ")) return upload ? UPLOAD_PART : PUT_OBJECT;
    if (is(head, "DELETE ")) return upload ? ABORT : DELETE;
    if (is(head, "HEAD ")) return HEAD_OBJECT;
    return upload ? LIST_PARTS : list ? LIST : GET_OBJECT;
}

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
#define NAMESPACE " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"

static int answer(int fd, const char *head) {
    const char *etag = "", *body = "", *status = "200 OK", *line_end = strchr(head, '\r');
    enum kind kind = kind_of(head);
    counts[kind]++;
    switch (kind) {
    case CREATE:
        body = XML "<InitiateMultipartUploadResult" NAMESPACE "<Bucket>b</Bucket><Key>k</Key>"
               "<UploadId>null-upload</UploadId></InitiateMultipartUploadResult>";
        break;
    case COMPLETE:
        body = XML "<CompleteMultipartUploadResult" NAMESPACE "<Bucket>b</Bucket><Key>k</Key>"
               "<ETag>\"d41d8cd98f00b204e9800998ecf8427e-1\"</ETag></CompleteMultipartUploadResult>";
        break;
    case LIST_PARTS:
        body = XML "<ListPartsResult" NAMESPACE "<Bucket>b</Bucket><Key>k</Key><UploadId>null-upload</UploadId>"
               "<IsTruncated>false</IsTruncated></ListPartsResult>";
        break;
    case LIST:
        body = XML "<ListBucketResult" NAMESPACE "<Name>b</Name><KeyCount>0</KeyCount>"
               "<IsTruncated>false</IsTruncated></ListBucketResult>";
        break;
    case UPLOAD_PART:
    case PUT_OBJECT:
        etag = "ETag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\n";
        break;
    case HEAD_OBJECT:
        if (memmem(head, (size_t)(line_end - head), "/.sluice/probe/", 15)) {
            static const char probe[] = "HTTP/1.1 200 OK\r\nServer: null-s3\r\nContent-Length: 1\r\n"
                                        "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n";
            return send_all(fd, probe, sizeof probe - 1);
        }
        status = "404 Not Found";
        break;
    case ABORT:
    case DELETE:
        status = "204 No Content";
        break;
    default:
        status = "404 Not Found";
    }
    char reply[1024];
    int length = snprintf(reply, sizeof reply,
        "HTTP/1.1 %s\r\nServer: null-s3\r\n%sContent-Type: application/xml\r\nContent-Length: %zu\r\n\r\n%s",
        status, etag, strlen(body), body);
    return send_all(fd, reply, (size_t)length);
}

static void report(int signal) {
    (void)signal;
    for (int kind = 0; kind < KINDS; kind++)
        if (counts[kind]) dprintf(1, "%s %lu\n", kind_names[kind], (unsigned long)counts[kind]);
    _exit(0);
}

static void *serve(void *argument) {
    int fd = (int)(long)argument, one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    char *head = malloc(HEAD_MAX + 1);
    size_t held = 0;
    for (;;) {
        char *end;
        head[held] = 0;
        while (!(end = memmem(head, held, "\r\n\r\n", 4))) {
            ssize_t got = held < HEAD_MAX ? recv(fd, head + held, HEAD_MAX - held, 0) : -1;
            if (got <= 0) goto done;
            held += (size_t)got;
            head[held] = 0;
        }
        end[2] = 0;
        size_t size = (size_t)(end + 4 - head);
        const char *length = header(head, "content-length"), *expect = header(head, "expect");
        size_t body = length ? strtoull(length, NULL, 10) : 0, have = held - size;
        if (expect && have == 0 && send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25)) break;
        size_t here = have < body ? have : body;
        if (discard(fd, body - here) || answer(fd, head)) break;
        memmove(head, head + size + here, have - here);
        held = have - here;
    }
done:
    free(head);
    close(fd);
    return NULL;
}

int main(int count, char **words) {
    signal(SIGTERM, report);
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)(count > 2 ? atoi(words[2]) : 6201)) };
    inet_pton(AF_INET, count > 1 ? words[1] : "127.0.0.1", &address.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) {
        perror("null-s3");
        return 1;
    }
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        pthread_t thread;
        if (fd >= 0 && pthread_create(&thread, NULL, serve, (void *)(long)fd) == 0) pthread_detach(thread);
    }
}
