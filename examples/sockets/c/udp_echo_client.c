/* A UDP client: one datagram out, one of up to 100 bytes back, printed. It
 * gives up after ten seconds.
 *
 * Usage: udp_echo_client [HOST [PORT [TEXT]]] */

#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
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

	int server = socket(AF_INET, SOCK_DGRAM, 0);
	if (server < 0)
		fail("socket");
	struct timeval patience = { .tv_sec = 10 };
	setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

	struct sockaddr_in addr;
	memset(&addr, 0, sizeof addr);
	addr.sin_family = AF_INET;
	addr.sin_port = htons((unsigned short)port);
	if (inet_pton(AF_INET, host, &addr.sin_addr) != 1) {
		fprintf(stderr, "%s is no IPv4 address\n", host);
		return 1;
	}
	if (sendto(server, text, strlen(text), 0, (struct sockaddr *)&addr, sizeof addr) < 0)
		fail("sendto");

	char buffer[100];
	ssize_t n = recvfrom(server, buffer, sizeof buffer, 0, NULL, NULL);
	if (n < 0)
		fail("recvfrom");
	fwrite(buffer, 1, (size_t)n, stdout);
	close(server);
	return 0;
}
