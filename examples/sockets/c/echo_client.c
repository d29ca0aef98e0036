/* A TCP client of the plain kind: one write, then it reads, 100 bytes at a
 * time, until the server closes, and prints what came.
 *
 * Usage: echo_client [HOST [PORT [TEXT]]] */

#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	const char *host = argc > 1 ? argv[1] : "127.0.0.1";
	int port = argc > 2 ? atoi(argv[2]) : 8877;
	const char *text = argc > 3 ? argv[3] : "Hello from C";

	int server = socket(AF_INET, SOCK_STREAM, 0);
	if (server < 0)
		fail("socket");

	struct sockaddr_in addr;
	memset(&addr, 0, sizeof addr);
	addr.sin_family = AF_INET;
	addr.sin_port = htons((unsigned short)port);
	if (inet_pton(AF_INET, host, &addr.sin_addr) != 1) {
		fprintf(stderr, "%s is no IPv4 address\n", host);
		return 1;
	}
	if (connect(server, (struct sockaddr *)&addr, sizeof addr) < 0)
		fail("connect");
	if (send(server, text, strlen(text), 0) < 0)
		fail("send");

	char buffer[100];
	ssize_t n;
	while ((n = recv(server, buffer, sizeof buffer, 0)) > 0)
		fwrite(buffer, 1, (size_t)n, stdout);
	if (n < 0)
		fail("recv");
	close(server);
	return 0;
}
