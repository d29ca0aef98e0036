/* A UDP echo server: it answers one datagram of up to 100 bytes and ends.
 *
 * Usage: udp_echo_server [HOST [PORT]] */

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

	int server = socket(AF_INET, SOCK_DGRAM, 0);
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
	if (bind(server, (struct sockaddr *)&addr, sizeof addr) < 0)
		fail("bind");
	puts("listening");
	fflush(stdout);

	char buffer[100];
	struct sockaddr_in client;
	socklen_t size = sizeof client;
	ssize_t n = recvfrom(server, buffer, sizeof buffer, 0, (struct sockaddr *)&client, &size);
	if (n < 0)
		fail("recvfrom");
	if (sendto(server, buffer, (size_t)n, 0, (struct sockaddr *)&client, size) < 0)
		fail("sendto");
	close(server);
	return 0;
}
