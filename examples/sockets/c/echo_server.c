/* A TCP echo server of the plain kind: it reads once, into 100 bytes, writes
 * back what came, and ends.
 *
 * Usage: echo_server [HOST [PORT]] */

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

	int listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0)
		fail("socket");
	int yes = 1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);

	struct sockaddr_in addr;
	memset(&addr, 0, sizeof addr);
	addr.sin_family = AF_INET;
	addr.sin_port = htons((unsigned short)port);
	if (inet_pton(AF_INET, host, &addr.sin_addr) != 1) {
		fprintf(stderr, "%s is no IPv4 address\n", host);
		return 1;
	}
	if (bind(listener, (struct sockaddr *)&addr, sizeof addr) < 0)
		fail("bind");
	if (listen(listener, 1) < 0)
		fail("listen");
	puts("listening");
	fflush(stdout);

	int client = accept(listener, NULL, NULL);
	if (client < 0)
		fail("accept");
	char buffer[100];
	ssize_t n = recv(client, buffer, sizeof buffer, 0);
	if (n < 0)
		fail("recv");
	if (send(client, buffer, (size_t)n, 0) < 0)
		fail("send");
	close(client);
	close(listener);
	return 0;
}
