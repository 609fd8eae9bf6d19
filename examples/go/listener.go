// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"net"
	"os"
	. "syscall"
)

// A queue is a net.Listener: the descriptor of one that ktls-run passed on.
// It is never waited for in epoll, which would set a flag of everybody's.
type queue int

// Accept takes a connection; see handoff(7), Message and Rules for consumers.
func (q queue) Accept() (net.Conn, error) {
	msg, oob, fds := make([]byte, 16384), make([]byte, 2048), []int{}
	n, oobn, flags, _, err := Recvmsg(int(q), msg, oob, MSG_CMSG_CLOEXEC)
	if err == EINTR {
		return q.Accept()
	} else if err != nil || n+oobn == 0 {
		return nil, fmt.Errorf("the queue is gone: %v", err)
	}
	controls, _ := ParseSocketControlMessage(oob[:oobn])
	for i := range controls {
		more, _ := ParseUnixRights(&controls[i])
		fds = append(fds, more...)
	}
	cut := flags&(MSG_TRUNC|MSG_CTRUNC) != 0
	if len(fds) != 1 || cut || string(msg[:13]) != "\r\n\r\n\x00\r\nQUIT\n!" {
		for _, fd := range fds {
			Close(fd)
		}
		return q.Accept() // what came was not ktlsd's
	}
	f := os.NewFile(uintptr(fds[0]), "")
	defer f.Close()
	if c, err := net.FileConn(f); err == nil {
		return conn{c, client(msg)}, nil
	}
	return q.Accept()
}

// client is the address of the TLS client. A relay's own has no name.
func client(msg []byte) net.Addr {
	size, addr := 4, &net.TCPAddr{}
	if msg[13] == 0x21 {
		size = 16
	}
	addr.IP = msg[16 : 16+size]
	addr.Port = int(msg[16+2*size])<<8 | int(msg[17+2*size])
	return addr
}

func (q queue) Addr() net.Addr { return &net.TCPAddr{} }
func (q queue) Close() error   { return Close(int(q)) }
