#include "daemon/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

enum mg_rc mg_channel_pair(int fds_out[2], struct mg_err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds_out) != 0)
		return mg_err_sys(err, MG_EIO, errno, "no socket pair for a worker");
	return MG_OK;
}

bool mg_channel_send(int channel, enum mg_word word, const char *text, int fd)
{
	char packet[1 + MG_CHANNEL_TEXT];
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { packet, 1 + mg_str_first(mg_str_z(text), MG_CHANNEL_TEXT - 1).n };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	packet[0] = (char)word;
	memcpy(packet + 1, text == NULL ? "" : text, part.iov_len - 1);
	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof control.room;
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	}
	return sendmsg(channel, &message, MSG_NOSIGNAL) >= 0;
}

int mg_channel_receive(int channel, struct mg_message *message_out)
{
	char packet[1 + MG_CHANNEL_TEXT];
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { packet, sizeof packet };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room
	};
	ssize_t n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return -1;
	*message_out = (struct mg_message){ .word = (enum mg_word)packet[0], .fd = -1 };
	mg_str_copy(message_out->text, sizeof message_out->text, mg_str_of(packet + 1, (size_t)n - 1));
	header = CMSG_FIRSTHDR(&message);
	if (header != NULL && header->cmsg_type == SCM_RIGHTS)
		memcpy(&message_out->fd, CMSG_DATA(header), sizeof message_out->fd);
	return 1;
}
